//! Every command of the main job at TRACE, and no secret in anything that comes out.
//!
//! The secrets are the real ones of the run: both API-token forms, the session tokens as they went
//! by, the keyrings' keys, every share of both halves, the provider's identity and session keys.
//! The test opens them itself, before it damages anything. Each is looked for raw, in hex, in
//! base64 and in base58.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use halfkey_core::{AttemptId, EnvironmentId, ServerKeyShare, SystemClock, WalletProperties};
use halfkey_mpc::KeyShare;
use halfkey_testkit::canary::Canary;
use halfkey_vault::embedded::Embedded;

use crate::provider_secrets;
use crate::support::{Home, Provider, must_succeed};
use crate::tap::Tap;

/// What a test has seen come out so far.
#[derive(Default)]
struct Seen(Vec<(String, Vec<u8>)>);

impl Seen {
    fn add(&mut self, what: impl Into<String>, bytes: Vec<u8>) {
        self.0.push((what.into(), bytes));
    }

    fn command(&mut self, args: &[&str], output: &Output) {
        self.add(format!("stdout of {args:?}"), output.stdout.clone());
        self.add(format!("stderr of {args:?}"), output.stderr.clone());
    }

    fn must_be_at_trace(&self) {
        let at_trace = |text: &[u8]| text.windows(5).any(|word| word == b"TRACE");
        assert!(
            self.0.iter().any(|(_, text)| at_trace(text)),
            "not at TRACE"
        );
    }

    /// Nothing that came out, and nothing in any file but those that are there to hold a secret.
    fn must_not_hold(&self, home: &Home, secrets: &[Canary]) {
        for secret in secrets {
            for (what, output) in &self.0 {
                secret.must_be_absent(what, output);
            }
            for file in home.files() {
                let name = file.file_name().unwrap().to_string_lossy().into_owned();
                if !name.starts_with("keyring") && name != "token" {
                    let bytes = std::fs::read(&file).unwrap();
                    secret.must_be_absent(&name, &bytes);
                }
            }
        }
    }
}

#[test]
fn no_secret_in_any_output_at_trace() {
    let home = Home::initialised();
    let log = home.path().join("provider.log");
    let args = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"];
    let mut serve = home.command(&[&["--json", "serve"][..], &args].concat());
    serve
        .env("HALFKEY_LOG", "trace")
        .stderr(std::fs::File::create(&log).unwrap());
    let provider = Provider::start(serve);
    let tap = Tap::before(&provider.url);
    let mut seen = Seen::default();
    let mut run = |args: &[&str]| {
        let mut command = home.command(args);
        command.arg("--json").env("HALFKEY_LOG", "trace");
        let output = command.env("HALFKEY_API_URL", &tap.url).output().unwrap();
        seen.command(args, &output);
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
    let [evm, svm, damaged] = addresses.as_slice() else {
        panic!("{addresses:?}")
    };
    let (typed, transaction) = evm_files(&home);
    let typed = typed.to_str().unwrap();
    must_succeed(&run(&["wallet", "sign-typed-data", evm, typed]));
    let file = transaction.to_str().unwrap();
    must_succeed(&run(&["wallet", "sign-transaction", evm, "--file", file]));
    let payload = STANDARD.encode(solana_message(svm));
    must_succeed(&run(&[
        "wallet",
        "sign-transaction",
        svm,
        "--payload",
        &payload,
    ]));
    must_succeed(&run(&["wallet", "list"]));
    must_succeed(&run(&["wallet", "resume"]));

    let (mut secrets, shares) = secrets(&home);
    // Four customer shares and three of the provider's.
    assert_eq!(shares.len(), 7);
    let tokens = tap.token_signatures();
    assert!(!tokens.is_empty(), "no session token went by");
    secrets.extend(tokens.iter().map(|one| Canary::new("a session token", one)));

    // Error texts too: a share that does not open, and a panic over an error that carries shares.
    crate::support::flip_a_bit_of_the_shares(&home.path().join("customer"), damaged);
    assert!(
        !run(&["wallet", "sign-message", damaged, "hello"])
            .status
            .success()
    );
    let metrics = metrics(provider.started["metrics"].as_str().unwrap());
    assert!(String::from_utf8_lossy(&metrics).contains("halfkey_"));
    seen.add("/metrics", metrics);
    seen.add("a panic", panic_text(&shares));
    seen.add("the provider's stdout", provider.stop().into_bytes());
    seen.add("the provider's log", std::fs::read(&log).unwrap());
    seen.must_be_at_trace();
    seen.must_not_hold(&home, &secrets);
}

#[test]
fn no_secret_in_what_init_and_demo_say_at_trace() {
    let home = Home::empty();
    let mut seen = Seen::default();
    for args in [&["init"][..], &["demo"], &["demo"]] {
        let mut command = home.command(args);
        let output = command.env("HALFKEY_LOG", "trace").output().unwrap();
        must_succeed(&output);
        seen.command(args, &output);
    }
    seen.must_be_at_trace();
    let (secrets, shares) = secrets(&home);
    assert_eq!(shares.len(), 4, "two wallets, two halves");
    seen.must_not_hold(&home, &secrets);
}

/// Typed data and an unsigned transaction, as files.
fn evm_files(home: &Home) -> (PathBuf, PathBuf) {
    let typed = serde_json::json!({
        "types": {
            "EIP712Domain": [{"name": "name", "type": "string"}],
            "Mail": [{"name": "contents", "type": "string"}]
        },
        "primaryType": "Mail",
        "domain": {"name": "Ether Mail"},
        "message": {"contents": "Hello"}
    });
    let transaction = serde_json::json!({
        "type": "0x2", "chainId": "0x1", "nonce": "0x0", "gas": "0x5208",
        "maxFeePerGas": "0x1", "maxPriorityFeePerGas": "0x1", "value": "0x5", "input": "0x",
        "accessList": [], "to": "0x2222222222222222222222222222222222222222"
    });
    let write = |name: &str, value: &serde_json::Value| {
        let file = home.path().join(name);
        std::fs::write(&file, value.to_string()).unwrap();
        file
    };
    (write("typed.json", &typed), write("tx.json", &transaction))
}

/// A legacy message: one signer, one program, one empty instruction.
fn solana_message(payer: &str) -> Vec<u8> {
    let mut message = vec![1, 0, 1, 2];
    message.extend(bs58::decode(payer).into_vec().unwrap());
    message.extend([9; 32]);
    message.extend([3; 32]);
    message.extend([1, 1, 0, 0]);
    message
}

fn metrics(addr: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(addr).unwrap();
    let request = "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    reply
}

/// What a caller that unwraps an error with shares inside leaves on its terminal.
fn panic_text(shares: &[KeyShare]) -> Vec<u8> {
    let encode =
        |share: &KeyShare| ServerKeyShare::from_encoded("id".to_owned(), &share.encode().unwrap());
    let error = halfkey::Error::NotActivated(Box::new(halfkey::Unactivated {
        shares: shares.iter().map(encode).collect(),
        properties: WalletProperties::new("SVM", "w", "address"),
        attempt_id: AttemptId::from_bytes([0; 16]),
        source: halfkey::Error::BadSignature,
    }));
    // The text of a `Result::unwrap`.
    let panicking = AssertUnwindSafe(|| panic!("called `Result::unwrap()`: {error:?}"));
    let panic = catch_unwind(panicking).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap().clone();
    assert!(text.contains("BadSignature"), "{text}");
    text.into_bytes()
}

fn address(output: &Output) -> String {
    must_succeed(output);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    value["account_address"].as_str().unwrap().to_owned()
}

/// Everything secret in the directory, and the shares of both halves among it.
fn secrets(home: &Home) -> (Vec<Canary>, Vec<KeyShare>) {
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
    let config = std::fs::read(home.path().join("customer/config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    let environment: EnvironmentId = config["environment"].as_str().unwrap().parse().unwrap();
    let provider = provider_secrets::open(&home.path().join("provider"), &environment);
    let own = provider.own.iter();
    secrets.extend(own.map(|key| Canary::new("a key of the provider's own", key.expose())));
    let mut shares = customer_shares(home, &environment);
    shares.extend(provider.shares);
    let canaries = shares.iter().flat_map(KeyShare::secret_canaries);
    secrets.extend(canaries.map(|secret| Canary::new("a key share", secret.expose())));
    (secrets, shares)
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

/// Every share in the customer's vault.
fn customer_shares(home: &Home, environment: &EnvironmentId) -> Vec<KeyShare> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let customer = home.path().join("customer");
        let clock = Arc::new(SystemClock);
        let embedded = Embedded::open(&customer, environment, None, clock, "canary")
            .await
            .unwrap();
        let shares = crate::shares::open_all(&embedded, environment).await;
        embedded.close().await;
        shares
    })
}
