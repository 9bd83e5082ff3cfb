//! A wallet's backup on the command line: made, the customer's vault wiped, recovered, signed with.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use halfkey_testkit::canary::Canary;
use serde_json::Value;

use crate::life::ops_token;
use crate::support::{Home, Provider, flip_a_bit_of_the_shares, must_succeed};

const INPUT: i32 = 3;
const TOKEN: i32 = 5;
const CUSTODY: i32 = 7;
const STORAGE: i32 = 8;

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Everything the customer had but what `init` wrote: who the provider is, and the token.
pub(crate) fn wipe(home: &Home) {
    let customer = home.path().join("customer");
    for entry in std::fs::read_dir(&customer).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        } else if name != "config.json" && name != "token" {
            std::fs::remove_file(path).unwrap();
        }
    }
}

pub(crate) fn password_file(home: &Home, name: &str, password: &str) -> String {
    let file = home.path().join(name);
    std::fs::write(&file, format!("{password}\n")).unwrap();
    file.to_str().unwrap().to_owned()
}

fn create(home: &Home, provider: &Provider, scheme: &str) -> String {
    let args = ["wallet", "create", "--chain", "SVM", "--scheme", scheme];
    let created = home.json(provider, &args);
    created["account_address"].as_str().unwrap().to_owned()
}

struct Run<'a> {
    home: &'a Home,
    provider: &'a Provider,
    token: String,
}

impl Run<'_> {
    fn command(&self, args: &[&str]) -> std::process::Output {
        let args = [&["wallet"], args, &["--token-file", &self.token]].concat();
        self.home.against(self.provider, &args).output().unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.command(args);
        must_succeed(&output);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn fails(&self, args: &[&str], exit: i32, code: &str) {
        let output = self.command(args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(exit), "{args:?}: {text}");
        assert!(text.contains(&format!("\"{code}\"")), "{args:?}: {text}");
    }
}

#[test]
fn a_wiped_customer_recovers_with_the_recovery_key_and_signs() {
    for scheme in ["TWO_OF_TWO", "TWO_OF_THREE"] {
        let home = Home::initialised();
        let provider = home.serve();
        let token = ops_token(&home);
        let run = Run {
            home: &home,
            provider: &provider,
            token,
        };
        let address = create(&home, &provider, scheme);
        let key = home.path().join("recovery.key");
        let key = key.to_str().unwrap();
        let made = run.json(&["backup", &address, "--recovery-key-out", key]);
        assert_eq!(made["format"], "v3");
        let shares = if scheme == "TWO_OF_TWO" { 1 } else { 2 };
        assert_eq!(made["backups"].as_array().unwrap().len(), shares);
        let mode = std::fs::metadata(key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        run.fails(
            &["backup", &address, "--recovery-key-out", key],
            INPUT,
            "invalid_input",
        );

        wipe(&home);
        run.fails(&["sign-message", &address, "gm"], STORAGE, "shares_missing");
        let recovered = run.json(&["recover", &address, "--password-file", key]);
        assert_eq!(recovered["proven"], true, "{recovered}");
        assert_eq!(recovered["unprotected"], false);
        assert_eq!(recovered["parties"].as_array().unwrap().len(), shares);
        must_succeed(&run.command(&["sign-message", &address, "gm"]));
        let checked = run.json(&["check", &address]);
        assert_eq!(checked["counts"], serde_json::json!({ "signs": 1 }));

        // Wiped again, the next signature falls back by itself.
        wipe(&home);
        must_succeed(&run.command(&[
            "sign-message",
            &address,
            "gm",
            "--backup-password-file",
            key,
        ]));
        must_succeed(&run.command(&["sign-message", &address, "gm"]));

        // Damaged records of a vault that is there are put back as well.
        flip_a_bit_of_the_shares(&home.path().join("customer"), &address);
        let broken = run.command(&["sign-message", &address, "gm"]);
        assert_eq!(broken.status.code(), Some(STORAGE), "{broken:?}");
        run.json(&["recover", &address, "--password-file", key]);
        must_succeed(&run.command(&["sign-message", &address, "gm"]));

        // The same secret again takes the place of what there is; then all of it is dropped.
        run.json(&["backup", &address, "--password-file", key]);
        let listed = run.json(&["drop-backup", &address]);
        let listed = listed.as_array().unwrap();
        assert_eq!(listed.len(), shares, "{listed:?}");
        let mut args = vec!["drop-backup", &address];
        for one in listed {
            args.extend(["--id", one["id"].as_str().unwrap()]);
        }
        assert_eq!(run.json(&args)["dropped"], shares);
        assert_eq!(
            run.json(&["drop-backup", &address]),
            Value::Array(Vec::new())
        );
    }
}

#[test]
fn a_changed_password_opens_and_the_old_one_does_not() {
    let home = Home::initialised();
    let provider = home.serve();
    let token = ops_token(&home);
    let run = Run {
        home: &home,
        provider: &provider,
        token,
    };
    let address = create(&home, &provider, "TWO_OF_TWO");
    let old = password_file(&home, "old.txt", PASSWORD);
    let new = password_file(&home, "new.txt", "another password");
    let made = run.json(&[
        "backup",
        &address,
        "--password-file",
        &old,
        "--format",
        "v2",
    ]);
    assert_eq!(made["format"], "v2");
    let change = |from: &str, to: &str| {
        let (password, new) = ("--password-file", "--new-password-file");
        let args = ["change-password", &address, password, from, new, to];
        args.map(str::to_owned)
    };
    let wrong = change(&new, &new);
    run.fails(
        &wrong.each_ref().map(String::as_str),
        INPUT,
        "wrong_password",
    );
    let right = change(&old, &new);
    let changed = run.json(&right.each_ref().map(String::as_str));
    assert_eq!(changed["format"], "v3");
    wipe(&home);
    run.fails(
        &["recover", &address, "--password-file", &old],
        INPUT,
        "wrong_password",
    );
    run.json(&["recover", &address, "--password-file", &new]);
    must_succeed(&run.command(&["sign-message", &address, "gm"]));
}

#[test]
fn what_protects_no_backup_is_refused_and_no_password_is_shown() {
    let home = Home::initialised();
    let provider = home.serve();
    let token = ops_token(&home);
    let run = Run {
        home: &home,
        provider: &provider,
        token,
    };
    let address = create(&home, &provider, "TWO_OF_TWO");
    let config = std::fs::read(home.path().join("customer/config.json")).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    let environment = config["environment"].as_str().unwrap();
    let public = password_file(&home, "public.txt", environment);
    let empty = password_file(&home, "empty.txt", "");
    let mistyped = password_file(&home, "mistyped.txt", "hkr1_2NEpo7TZRRrLZSi2U");
    let good = password_file(&home, "good.txt", PASSWORD);
    for (file, exit, code) in [
        (&*public, CUSTODY, "password_refused"),
        (&*empty, INPUT, "invalid_input"),
        (&*mistyped, INPUT, "invalid_argument"),
        ("/nowhere", INPUT, "invalid_input"),
    ] {
        run.fails(&["backup", &address, "--password-file", file], exit, code);
    }
    run.fails(&["recover", &address], INPUT, "stale_wallet_properties");
    run.json(&["backup", &address, "--password-file", &good]);
    run.fails(&["recover", &address], INPUT, "password_required");
    // The everyday token may back up, but fetches nothing.
    let args = ["wallet", "recover", &address, "--password-file", &good];
    let everyday = home.against(&provider, &args).output().unwrap();
    assert_eq!(everyday.status.code(), Some(TOKEN), "{everyday:?}");

    // At TRACE, neither in the output nor in any file but its own.
    let mut seen = Vec::new();
    for args in [
        vec!["backup", &address, "--password-file", &good],
        vec!["recover", &address, "--password-file", &good],
        vec![
            "change-password",
            &address,
            "--password-file",
            &good,
            "--new-password-file",
            &good,
        ],
    ] {
        let args = [&["wallet"], &args[..], &["--token-file", &run.token]].concat();
        let mut command = home.against(&provider, &args);
        let output = command.env("HALFKEY_LOG", "trace").output().unwrap();
        must_succeed(&output);
        assert!(output.stderr.windows(5).any(|word| word == b"TRACE"));
        seen.push((args.join(" "), [output.stdout, output.stderr].concat()));
    }
    let secret = Canary::new("password", PASSWORD.as_bytes());
    for (what, text) in &seen {
        secret.must_be_absent(what, text);
    }
    for file in home.files() {
        if file != Path::new(&good) {
            let name = file.to_string_lossy();
            secret.must_be_absent(&name, &std::fs::read(&file).unwrap());
        }
    }
}
