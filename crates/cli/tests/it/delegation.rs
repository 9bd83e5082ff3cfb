//! Delegation on the command line: two people, two directories, one provider.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::life::ops_token;
use crate::support::{Home, Provider, must_succeed};

/// The delegate: a directory that knows where the provider is and has a token that only fetches.
struct Delegate {
    home: Home,
    token: String,
    config: Vec<(&'static str, String)>,
}

impl Delegate {
    fn new(owner: &Home, provider: &Provider) -> Self {
        let args = ["--json", "token", "create", "--scope", "events.read"];
        let made = owner.run(&args);
        must_succeed(&made);
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
        let home = Home::empty();
        let token = home.path().join("events.token");
        std::fs::write(&token, made["token"].as_str().unwrap()).unwrap();
        std::fs::set_permissions(&token, PermissionsExt::from_mode(0o600)).unwrap();
        let text = |name: &str| provider.started[name].as_str().unwrap().to_owned();
        Self {
            home,
            token: token.to_str().unwrap().to_owned(),
            config: vec![
                ("HALFKEY_ENVIRONMENT", text("environment")),
                ("HALFKEY_PROVIDER_IDENTITY", text("provider_identity")),
            ],
        }
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).to_str().unwrap().to_owned()
    }

    fn output(&self, provider: &Provider, args: &[&str]) -> std::process::Output {
        let mut command = self.home.against(provider, args);
        command.envs(self.config.clone());
        command.env("HALFKEY_TOKEN_FILE", &self.token);
        command.output().unwrap()
    }

    fn json(&self, provider: &Provider, args: &[&str]) -> Value {
        let output = self.output(provider, args);
        must_succeed(&output);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn receive(&self, provider: &Provider) -> Value {
        let (key, into) = (self.path("delegate.pem"), self.path("deliveries"));
        let args = ["delegation", "receive", "--key", &key, "--into", &into];
        self.json(provider, &args)["deliveries"].clone()
    }
}

#[test]
fn a_delegate_fetches_signs_and_is_stopped() {
    let owner = Home::initialised();
    let provider = owner.serve();
    let ops = ops_token(&owner);
    let delegate = Delegate::new(&owner, &provider);
    let key = delegate.path("delegate.pem");
    let made = delegate.json(&provider, &["delegation", "key", "--out", &key]);
    let mode = std::fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let fingerprint = made["fingerprint"].as_str().unwrap();
    let again = delegate.output(&provider, &["delegation", "key", "--out", &key]);
    assert_eq!(again.status.code(), Some(3), "{again:?}");

    let own = |args: &[&str]| owner.json(&provider, &[args, &["--token-file", &ops]].concat());
    let created = owner.json(&provider, &["wallet", "create", "--chain", "SVM"]);
    let address = created["account_address"].as_str().unwrap();
    let public = format!("{key}.pub");
    let registered = own(&["delegation", "register", &public]);
    assert_eq!(registered["fingerprint"], fingerprint);
    assert_eq!(delegate.receive(&provider), serde_json::json!([]));
    let granted = own(&[
        "delegation",
        "grant",
        address,
        "--to",
        fingerprint,
        "--lasts",
        "1d",
    ]);
    let got = delegate.receive(&provider);
    assert_eq!(got[0]["account_address"], address);
    assert_eq!(got[0]["delegation_id"], granted["delegation_id"]);
    let file = got[0]["file"].as_str().unwrap();
    // Nothing in it is readable without the key, and fetching again brings nothing twice.
    let kept = std::fs::read_to_string(file).unwrap();
    assert!(!kept.contains("hkw_") && !kept.contains("secretShare"));
    assert_eq!(delegate.receive(&provider), serde_json::json!([]));

    let sign = ["delegation", "sign-message", file, "gm", "--key", &key];
    let signed = delegate.json(&provider, &sign);
    assert_eq!(signed["address"], address);
    let listed = own(&["delegation", "list", address]);
    assert_eq!(listed["delegations"][0]["status"], "active");

    let revoked = own(&["delegation", "revoke", address]);
    assert_eq!(
        (&revoked["before"], &revoked["generation"]),
        (&0.into(), &1.into())
    );
    let refused = delegate.output(&provider, &sign);
    assert_eq!(refused.status.code(), Some(7), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("delegation_revoked"));
    let told = delegate.receive(&provider);
    assert_eq!(told[0]["status"], "revoked");
    assert!(!std::path::Path::new(file).exists());
    owner.json(&provider, &["wallet", "sign-message", address, "gm"]);
}

#[test]
fn a_key_that_others_can_read_and_a_fingerprint_nobody_has_are_refused() {
    let owner = Home::initialised();
    let provider = owner.serve();
    let ops = ops_token(&owner);
    let delegate = Delegate::new(&owner, &provider);
    let key = delegate.path("delegate.pem");
    delegate.json(&provider, &["delegation", "key", "--out", &key]);
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    let into = delegate.path("deliveries");
    let args = ["delegation", "receive", "--key", &key, "--into", &into];
    let open = delegate.output(&provider, &args);
    assert_eq!(open.status.code(), Some(8), "{open:?}");
    let created = owner.json(&provider, &["wallet", "create", "--chain", "SVM"]);
    let address = created["account_address"].as_str().unwrap();
    let nobody = format!("sha256:{}", "0".repeat(64));
    for to in [nobody.as_str(), "sha256:00"] {
        let args = [
            "delegation",
            "grant",
            address,
            "--to",
            to,
            "--token-file",
            &ops,
        ];
        let refused = owner.against(&provider, &args).output().unwrap();
        assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    }
    // The private key is never registered by mistake.
    let args = ["delegation", "register", &key, "--token-file", &ops];
    let refused = owner.against(&provider, &args).output().unwrap();
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("private key"));
}
