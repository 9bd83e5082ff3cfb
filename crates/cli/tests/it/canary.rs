//! The main job at TRACE, and no secret in anything that comes out.
//!
//! The secrets are the real ones of the run: both API-token forms, the keyrings' keys and the
//! customer's shares, which the test opens itself afterwards. Each is looked for raw, in hex, in
//! base64 and in base58.

use std::process::Output;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use halfkey_core::{EnvironmentId, SystemClock};
use halfkey_mpc::KeyShare;
use halfkey_testkit::canary::Canary;
use halfkey_vault::embedded::Embedded;

use crate::support::{Home, Provider, must_succeed};

#[test]
fn no_secret_in_any_output_at_trace() {
    let home = Home::initialised();
    let log = home.path().join("provider.log");
    let mut serve = home.command(&["--json", "serve", "--listen", "127.0.0.1:0"]);
    serve
        .env("HALFKEY_LOG", "trace")
        .stderr(std::fs::File::create(&log).unwrap());
    let provider = Provider::start(serve);

    let mut outputs = Vec::new();
    let mut run = |args: &[&str]| {
        let output = home
            .against(&provider, args)
            .env("HALFKEY_LOG", "trace")
            .output()
            .unwrap();
        outputs.push(output.stdout.clone());
        outputs.push(output.stderr.clone());
        output
    };
    let mut addresses = Vec::new();
    for (chain, scheme) in [
        ("EVM", "TWO_OF_TWO"),
        ("SVM", "TWO_OF_TWO"),
        ("SVM", "TWO_OF_THREE"),
    ] {
        let made = run(&["wallet", "create", "--chain", chain, "--scheme", scheme]);
        addresses.push(address(&made));
    }
    for address in &addresses {
        must_succeed(&run(&["wallet", "sign-message", address, "hello"]));
        must_succeed(&run(&["wallet", "show", address]));
    }
    // Error texts too: a share that does not open, and a provider that is gone.
    crate::support::flip_a_bit_of_the_shares(&home.path().join("customer"), &addresses[2]);
    assert!(
        !run(&["wallet", "sign-message", &addresses[2], "hello"])
            .status
            .success()
    );
    outputs.push(provider.stop().into_bytes());
    outputs.push(std::fs::read(&log).unwrap());
    assert!(
        outputs
            .iter()
            .any(|text| text.windows(5).any(|w| w == b"TRACE")),
        "not at TRACE"
    );

    let secrets = secrets(&home);
    // The token, a key per keyring, two scalars and a channel key (ECDSA), a signing share, a seed
    // share and a channel key (Ed25519).
    assert!(
        secrets.len() >= 9,
        "only {} secrets to look for",
        secrets.len()
    );
    for secret in &secrets {
        for output in &outputs {
            secret.must_be_absent("an output", output);
        }
        // What each tier stores is sealed, or no secret. The keyrings themselves are the exception.
        for file in home.files() {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            if !name.starts_with("keyring") && name != "token" {
                let bytes = std::fs::read(&file).unwrap();
                secret.must_be_absent(&name, &bytes);
            }
        }
    }
}

fn address(output: &Output) -> String {
    must_succeed(output);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    value["account_address"].as_str().unwrap().to_owned()
}

fn secrets(home: &Home) -> Vec<Canary> {
    let token = std::fs::read(home.path().join("customer/token")).unwrap();
    let mut secrets = vec![Canary::new("the API token", &token)];
    for half in ["customer", "provider"] {
        for keyring in home.keyrings(half) {
            let keyring = std::fs::read(keyring).unwrap();
            let keys = keys_of(&serde_json::from_slice(&keyring).unwrap());
            assert!(!keys.is_empty(), "no key found in the {half}'s keyring");
            secrets.extend(keys);
        }
    }
    secrets.extend(shares(home));
    secrets
}

/// Every string of the keyring that is a 32-byte key in base64 or hex.
fn keys_of(value: &serde_json::Value) -> Vec<Canary> {
    match value {
        serde_json::Value::String(text) => {
            let hex = hex::decode(text).ok();
            let bytes = hex.or_else(|| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok());
            let bytes = bytes.or_else(|| STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok());
            let key = bytes.filter(|bytes| bytes.len() == 32);
            key.map(|key| Canary::new("a keyring's key", &key))
                .into_iter()
                .collect()
        }
        serde_json::Value::Array(list) => list.iter().flat_map(keys_of).collect(),
        serde_json::Value::Object(map) => map.values().flat_map(keys_of).collect(),
        _ => Vec::new(),
    }
}

/// The secrets of every share in the customer's vault that still opens.
fn shares(home: &Home) -> Vec<Canary> {
    let config = std::fs::read(home.path().join("customer/config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    let environment: EnvironmentId = config["environment"].as_str().unwrap().parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let customer = home.path().join("customer");
        let clock = Arc::new(SystemClock);
        let embedded = Embedded::open(&customer, &environment, None, clock, "canary")
            .await
            .unwrap();
        let shares = crate::shares::open_all(&embedded, &environment).await;
        embedded.close().await;
        // Three wallets with four shares, one of which was damaged in both its records.
        assert_eq!(shares.len(), 2, "which shares open");
        let canaries = shares.iter().flat_map(KeyShare::secret_canaries);
        canaries
            .map(|secret| Canary::new("a key share", secret.expose()))
            .collect()
    })
}
