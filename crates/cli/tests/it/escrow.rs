//! The provider's share in escrow, from the command line, and kill -9 between the escrow and the
//! commit (custody rule 30).

use std::os::unix::process::ExitStatusExt as _;

use serde_json::Value;

use crate::crash::{Half, Shares, read_lines};
use crate::life::ops_token;
use crate::support::{Home, Provider, must_succeed};

/// The pair of age's published test vectors: known to everybody.
const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
const KEY: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
const STRANGER: &str = "AGE-SECRET-KEY-1QYPQXPQPQGPSGQGZQVZQZQSRQSQSYQCYQYPQXPQPQGPSGQGZQVZQ5JZSWS";

/// A home whose environment has the key, in `ops.token`'s hands; its identity is in a file
/// elsewhere.
struct Escrowed {
    home: Home,
    elsewhere: tempfile::TempDir,
}

impl Escrowed {
    fn new() -> (Self, Provider) {
        let home = Home::initialised();
        ops_token(&home);
        let provider = home.serve();
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::write(elsewhere.path().join("escrow.key"), IDENTITY).unwrap();
        let escrowed = Self { home, elsewhere };
        let register = ["escrow", "register", KEY, "--name", "safe 3", "--require"];
        let made = escrowed.with_token(&provider, &register);
        assert_eq!(made["required_here"], true, "{made}");
        (escrowed, provider)
    }

    fn identity(&self) -> String {
        let file = self.elsewhere.path().join("escrow.key");
        file.to_str().unwrap().to_owned()
    }

    fn with_token(&self, provider: &Provider, args: &[&str]) -> Value {
        let token = self.home.path().join("ops.token");
        let args = [args, &["--token-file", token.to_str().unwrap()]].concat();
        self.home.json(provider, &args)
    }

    fn json_alone(&self, args: &[&str]) -> Value {
        let output = self.home.run(&[&["--json"], args].concat());
        must_succeed(&output);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Exit code and stable code of a command that fails without a provider.
    fn fails_alone(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = self.home.run(&[&["--json"], args].concat());
        let error: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert!(!error.to_string().contains("AGE-SECRET"), "{error}");
        let code = error["code"].as_str().unwrap().to_owned();
        (output.status.code(), code)
    }
}

#[test]
fn a_two_of_two_wallet_is_rescued_from_its_escrow_without_the_provider() {
    let (escrowed, provider) = Escrowed::new();
    let home = &escrowed.home;
    let keys = home.json(&provider, &["escrow", "keys"]);
    assert_eq!(keys["in_force"], KEY, "{keys}");
    let created = home.json(&provider, &["wallet", "create", "--chain", "SVM"]);
    let address = created["account_address"].as_str().unwrap();
    let old = escrowed.elsewhere.path().join("old.json");
    let old = old.to_str().unwrap();
    let fetched = escrowed.with_token(&provider, &["escrow", "fetch", address, "--out", old]);
    assert_eq!(fetched["recipient"], KEY);
    escrowed.with_token(&provider, &["wallet", "refresh", address]);
    provider.kill();
    std::fs::remove_dir_all(home.path().join("provider")).unwrap();

    let shown = escrowed.json_alone(&["escrow", "show", address]);
    assert_eq!(shown["escrows"].as_array().unwrap().len(), 2, "{shown}");
    assert_eq!(shown["of_the_generation_that_signs"], true);
    let shown = escrowed.json_alone(&["escrow", "show", "--file", old]);
    assert_eq!(shown["escrows"][0]["generation"], 0);
    let identity = escrowed.identity();
    let drill = ["wallet", "rescue", address, "--drill"];
    let with = [&drill[..], &["--escrow-identity", &identity]].concat();
    assert_eq!(escrowed.json_alone(&with)["rescuable"], true);

    // What would be missing: the identity, the right one, the right generation.
    assert_eq!(escrowed.fails_alone(&drill).0, Some(3));
    let stranger = escrowed.elsewhere.path().join("stranger.key");
    std::fs::write(&stranger, STRANGER).unwrap();
    let wrong = [
        &drill[..],
        &["--escrow-identity", stranger.to_str().unwrap()],
    ]
    .concat();
    assert_eq!(
        escrowed.fails_alone(&wrong),
        (Some(3), "escrow_of_another_key".to_owned())
    );
    let older = [&with[..], &["--escrow", old]].concat();
    let stale = escrowed.fails_alone(&older);
    assert_eq!(stale, (Some(3), "escrow_of_another_generation".to_owned()));
    let text = std::fs::read_to_string(old).unwrap();
    let cut = escrowed.elsewhere.path().join("cut.json");
    std::fs::write(&cut, text.split_at(text.len() / 2).0).unwrap();
    let cut = [&with[..], &["--escrow", cut.to_str().unwrap()]].concat();
    assert_eq!(
        escrowed.fails_alone(&cut),
        (Some(3), "escrow_damaged".to_owned())
    );

    // The key itself.
    let out = escrowed.elsewhere.path().join("rescued.json");
    let rescue = [
        "wallet",
        "rescue",
        address,
        "--escrow-identity",
        &identity,
        "--form",
        "keypair",
        "--out",
        out.to_str().unwrap(),
    ];
    must_succeed(&home.run(&rescue));
    let pair: Vec<u8> = serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap();
    let seed: [u8; 32] = pair[..32].try_into().unwrap();
    let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
    assert_eq!(bs58::encode(public.to_bytes()).into_string(), address);

    doctor_asks_who_holds_the_identity(home);
}

/// And it sees where it must not be.
fn doctor_asks_who_holds_the_identity(home: &Home) {
    let asks = |status: &str| {
        let report = home.run(&["--json", "doctor"]);
        let report: Value = serde_json::from_slice(&report.stdout).unwrap();
        let checks = report["checks"].as_array().unwrap().clone();
        let apart = |check: &&Value| check["title"].as_str().unwrap().contains("escrow key and");
        let found = checks.iter().find(apart).unwrap();
        assert_eq!(found["status"], status, "{found}");
    };
    asks("cannot_tell");
    std::fs::write(home.path().join("customer/escrow.key"), IDENTITY).unwrap();
    asks("fail");
}

#[test]
fn this_side_insists_until_the_key_is_removed() {
    let (escrowed, provider) = Escrowed::new();
    let home = &escrowed.home;
    let identity: halfkey::age::Identity = STRANGER.parse().unwrap();
    let other = identity.recipient().to_string();
    let register = ["escrow", "register", &other, "--name", "theirs"];
    escrowed.with_token(&provider, &register);
    let create = ["--json", "wallet", "create", "--chain", "SVM"];
    let refused = home.against(&provider, &create).output().unwrap();
    assert_eq!(refused.status.code(), Some(7), "{refused:?}");
    let error: Value = serde_json::from_slice(&refused.stderr).unwrap();
    assert_eq!(error["code"], "escrow_not_as_required", "{error}");
    escrowed.with_token(&provider, &["escrow", "remove", KEY]);
    let created = home.json(&provider, &["wallet", "create", "--chain", "SVM"]);
    let address = created["account_address"].as_str().unwrap();
    let shown = home.json(&provider, &["escrow", "show", address]);
    assert_eq!(shown["escrows"][0]["recipient"], other.as_str(), "{shown}");
}

/// Where a half dies in a refresh under escrow: around the escrow and the commit.
const PLACES: [(Half, &str); 7] = [
    (Half::Provider, "escrow.before-commit:1"),
    (Half::Provider, "escrow.after-commit:1"),
    (Half::Customer, "escrow.after_fetch:1"),
    (Half::Customer, "escrow.after_kept:1"),
    (Half::Customer, "create.before_commit:1"),
    (Half::Provider, "commit.before-commit:1"),
    (Half::Provider, "commit.after-commit:1"),
];

#[test]
fn a_refresh_under_escrow_survives_kill_9_between_escrow_and_commit() {
    let (prepared, provider) = Escrowed::new();
    let created = prepared
        .home
        .json(&provider, &["wallet", "create", "--chain", "SVM"]);
    let address = created["account_address"].as_str().unwrap();
    provider.stop();
    for (half, place) in PLACES {
        let home = prepared.home.copy();
        let trace = home.path().join("trace");
        let mut serve = home.command(&["--json", "serve", "--listen", "127.0.0.1:0"]);
        if half == Half::Provider {
            serve.env("HALFKEY_CRASH_AT", place);
            serve.env("HALFKEY_CRASH_TRACE", &trace);
        }
        let provider = Provider::start(serve);
        let token = home.path().join("ops.token");
        let token = token.to_str().unwrap();
        let refresh = ["wallet", "refresh", address, "--token-file", token];
        let mut refresh = home.against(&provider, &refresh);
        if half == Half::Customer {
            refresh.env("HALFKEY_CRASH_AT", place);
            refresh.env("HALFKEY_CRASH_TRACE", &trace);
        }
        let output = refresh.output().unwrap();
        let death = format!("died at {place}");
        assert!(read_lines(&trace).contains(&death), "{place}: {output:?}");
        if half == Half::Provider {
            assert_eq!(provider.died().signal(), Some(9), "{place}");
        } else {
            assert_eq!(output.status.signal(), Some(9), "{place}");
            provider.kill();
        }
        let stored = Shares::of(&home);
        let provider = home.serve();
        home.json(&provider, &["wallet", "resume"]);
        stored.must_be_in(&Shares::of(&home), place);
        home.json(&provider, &["wallet", "sign-message", address, "gm"]);
        let shown = home.json(&provider, &["wallet", "show", address]);
        let signs = &shown["generation"];
        assert_eq!(signs, &shown["provider"]["generation"], "{place}");
        provider.kill();
        // Whichever generation signs, it is the one that is rescued, and no escrow went.
        let kept = home.run(&["--json", "escrow", "show", address]);
        let kept: Value = serde_json::from_slice(&kept.stdout).unwrap();
        let kept = kept["escrows"].as_array().unwrap();
        assert!(
            kept.iter().any(|one| &one["generation"] == signs),
            "{place}"
        );
        assert!(kept.iter().any(|one| one["generation"] == 0), "{place}");
        let identity = prepared.identity();
        let drill = [
            "wallet",
            "rescue",
            address,
            "--drill",
            "--escrow-identity",
            &identity,
        ];
        must_succeed(&home.run(&drill));
    }
}
