//! `halfkey vault …`: rotation over real wallets, end to end.

use serde_json::Value;

use crate::support::{Home, Provider, must_succeed};

fn vault(home: &Home, args: &[&str]) -> (Option<i32>, Value) {
    let mut all = vec!["--json", "vault"];
    all.extend(args);
    let output = home.run(&all);
    let text = if output.stdout.is_empty() {
        &output.stderr
    } else {
        &output.stdout
    };
    let value = serde_json::from_slice(text);
    let value = value.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(text)));
    (output.status.code(), value)
}

fn created(home: &Home, provider: &Provider, chain: &str) -> String {
    let made = home.json(provider, &["wallet", "create", "--chain", chain]);
    made["account_address"].as_str().unwrap().to_owned()
}

#[test]
fn rotation_moves_every_record_and_every_wallet_signs_on() {
    let home = Home::initialised();
    let provider = home.serve();
    let addresses = [
        created(&home, &provider, "EVM"),
        created(&home, &provider, "SVM"),
    ];
    let (code, status) = vault(&home, &["status"]);
    assert_eq!(code, Some(0));
    let before = &status["kek"]["versions"][0];
    assert_eq!(before["version"], "1");
    let sealed = status["records"]["sealed"].as_u64().unwrap();
    assert!(sealed >= 6, "two shares twice, two marks: {sealed}");
    assert_eq!(before["wraps"].as_u64(), Some(sealed));

    let (code, due) = vault(&home, &["due", "--older-than", "1d"]);
    assert_eq!((code, due["due"].as_u64()), (Some(0), Some(0)));
    let (code, due) = vault(&home, &["due", "--older-than", "0s"]);
    assert_eq!((code, due["due"].as_u64()), (Some(7), Some(sealed)));

    let (code, rotated) = vault(&home, &["rotate"]);
    assert_eq!((code, rotated["version"].as_str()), (Some(0), Some("2")));
    let (code, report) = vault(&home, &["rewrap", "--parallel", "3"]);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["moved"].as_u64(), Some(sealed));
    assert_eq!(report["unknown"].as_array().unwrap().len(), 0);
    assert_eq!(report["complete"], true);
    let (_, again) = vault(&home, &["rewrap"]);
    assert_eq!(
        (again["moved"].as_u64(), again["already"].as_u64()),
        (Some(0), Some(sealed))
    );

    let (_, status) = vault(&home, &["status"]);
    assert_eq!(status["kek"]["versions"][0]["wraps"], 0);
    assert_eq!(status["kek"]["versions"][1]["wraps"].as_u64(), Some(sealed));
    for address in &addresses {
        home.json(
            &provider,
            &["wallet", "sign-message", address, "after the rotation"],
        );
    }
    let verified = home.run(&["audit", "verify"]);
    must_succeed(&verified);
}

#[test]
fn a_version_in_use_or_of_a_keyring_file_is_not_disabled() {
    let home = Home::initialised();
    let provider = home.serve();
    created(&home, &provider, "SVM");
    let (code, refused) = vault(&home, &["disable", "1"]);
    assert_eq!(
        (code, refused["code"].as_str()),
        (Some(7), Some("version_in_use"))
    );
    let (code, refused) = vault(&home, &["disable", "9"]);
    assert_eq!(
        (code, refused["code"].as_str()),
        (Some(4), Some("no_such_version"))
    );
    vault(&home, &["rotate"]);
    vault(&home, &["rewrap"]);
    let (code, refused) = vault(&home, &["disable", "1"]);
    assert_ne!(code, Some(0), "{refused}");
    assert_eq!(refused["code"], "forbidden");
}

#[test]
fn a_role_without_the_right_is_told_so() {
    let home = Home::initialised();
    let provider = home.serve();
    let address = created(&home, &provider, "SVM");
    let storage = home.path().join("storage.toml");
    std::fs::write(&storage, "role = \"opener\"").unwrap();
    let file = storage.to_str().unwrap();
    let (code, refused) = vault(&home, &["rewrap", "--storage", file]);
    assert_eq!(
        (code, refused["code"].as_str()),
        (Some(3), Some("forbidden"))
    );
    std::fs::write(&storage, "role = \"rewrapper\"").unwrap();
    let args = ["wallet", "sign-message", &address, "x", "--storage", file];
    let output = home.against(&provider, &args).output().unwrap();
    assert!(!output.status.success());
    let refused: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(refused["code"], "cannot_open");
}

#[test]
fn a_configuration_that_cannot_be_used_is_named() {
    let home = Home::initialised();
    let storage = home.path().join("storage.toml");
    for (text, said) in [
        ("[kms]\nkind = \"abacus\"", "abacus"),
        ("[dek_cache]\nmax_age_s = 9999", "300000"),
        ("colour = 1", "colour"),
    ] {
        std::fs::write(&storage, text).unwrap();
        let (code, refused) = vault(&home, &["status", "--storage", storage.to_str().unwrap()]);
        assert_eq!(
            (code, refused["code"].as_str()),
            (Some(3), Some("configuration"))
        );
        assert!(
            refused["error"].as_str().unwrap().contains(said),
            "{refused}"
        );
    }
}

#[test]
fn the_log_is_exported_and_held_against_a_signed_checkpoint() {
    let home = Home::initialised();
    let provider = home.serve();
    created(&home, &provider, "SVM");
    let checkpoint = home.run(&["audit", "checkpoint"]);
    must_succeed(&checkpoint);
    let file = home.path().join("checkpoint.json");
    std::fs::write(&file, &checkpoint.stdout).unwrap();
    let signed: Value = serde_json::from_slice(&checkpoint.stdout).unwrap();
    let (file, key) = (
        file.to_str().unwrap(),
        signed["public_key"].as_str().unwrap(),
    );
    let verify = [
        "audit",
        "verify",
        "--checkpoint",
        file,
        "--checkpoint-key",
        key,
    ];
    must_succeed(&home.run(&verify));
    let other = "00".repeat(32);
    let refused = home.run(&[
        "audit",
        "verify",
        "--checkpoint",
        file,
        "--checkpoint-key",
        &other,
    ]);
    assert_eq!(refused.status.code(), Some(7));

    let lines = home.run(&["audit", "export"]);
    must_succeed(&lines);
    let text = String::from_utf8(lines.stdout).unwrap();
    let entries: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        entries
            .iter()
            .any(|entry| entry["action"] == "load" && entry["purpose"] == "proof")
    );

    let socket = home.path().join("log");
    let receiver = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    let to = format!("unix:{}", socket.display());
    let sent = home
        .command(&["audit", "export", "--format", "syslog", "--to", &to])
        .spawn()
        .unwrap();
    let mut message = [0; 8192];
    let length = receiver.recv(&mut message).unwrap();
    assert!(message[..length].starts_with(b"<85>1 "));
    drop(receiver);
    drop(sent.wait_with_output());

    std::fs::remove_file(home.path().join("customer/audit.sqlite")).unwrap();
    let refused = home.run(&["audit", "export"]);
    assert_eq!(refused.status.code(), Some(4));
}

#[test]
fn doctor_passes_on_a_fresh_set_up_and_names_what_fails() {
    let home = Home::initialised();
    let doctor = |args: &[&str]| {
        let mut all = vec!["--json", "doctor"];
        all.extend(args);
        let output = home.run(&all);
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), value)
    };
    let (code, healthy) = doctor(&[]);
    assert_eq!(code, Some(0), "{healthy}");
    let requirements: std::collections::BTreeSet<_> = healthy["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["requirement"].as_u64().unwrap())
        .collect();
    assert_eq!(
        requirements.into_iter().collect::<Vec<_>>(),
        (1..=10).collect::<Vec<_>>()
    );

    let failing = |value: &Value| {
        let checks = value["checks"].as_array().unwrap().iter();
        let failed = checks.filter(|check| check["status"] == "fail");
        failed
            .map(|check| check["requirement"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    let (code, old) = doctor(&["--max-key-age", "0s"]);
    assert_eq!((code, failing(&old)), (Some(7), vec![8]));
    let storage = home.path().join("storage.toml");
    std::fs::write(&storage, "[audit]\non_failure = \"allow\"").unwrap();
    let (code, lax) = doctor(&["--storage", storage.to_str().unwrap()]);
    assert_eq!((code, failing(&lax)), (Some(7), vec![5]));
    let token = home.path().join("customer/token");
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let (code, open) = doctor(&[]);
    assert_eq!((code, failing(&open)), (Some(7), vec![4]));
}

#[test]
fn an_incident_rotates_rewraps_and_leaves_a_signed_report() {
    let home = Home::initialised();
    let provider = home.serve();
    let address = created(&home, &provider, "SVM");
    let run = ["--json", "incident", "run", "--reason", "drill"];
    let output = home.run(&run);
    must_succeed(&output);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["done"], true);
    let (_, status) = vault(&home, &["status"]);
    assert_eq!(status["kek"]["versions"][0]["wraps"], 0);
    home.json(
        &provider,
        &["wallet", "sign-message", &address, "after the incident"],
    );

    let file = value["file"].as_str().unwrap();
    must_succeed(&home.run(&["incident", "verify", file]));
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, text.replace("drill", "dr1ll")).unwrap();
    let refused = home.run(&["incident", "verify", file]);
    assert_eq!(refused.status.code(), Some(7));
    // A keyring file cannot disable a single term: the step is reported, the others are done.
    let run = [
        "--json",
        "incident",
        "run",
        "--reason",
        "x",
        "--disable-old",
    ];
    assert_eq!(home.run(&run).status.code(), Some(8));
}

/// The two customer shares of `TWO_OF_THREE` lie in two sets of tiers; each is looked after by
/// itself.
#[test]
fn a_second_vault_holds_the_second_party_s_share() {
    let home = Home::initialised();
    let config = "second_vault = \"second\"\nrequire_distinct_vaults = true\n";
    std::fs::write(home.path().join("customer/storage.toml"), config).unwrap();
    let provider = home.serve();
    let create = [
        "wallet",
        "create",
        "--chain",
        "SVM",
        "--scheme",
        "TWO_OF_THREE",
    ];
    let created = home.json(&provider, &create);
    let address = created["account_address"].as_str().unwrap().to_owned();
    home.json(&provider, &["wallet", "sign-message", &address, "gm"]);
    provider.stop();

    let doctor = home.run(&["--json", "doctor"]);
    must_succeed(&doctor);
    let doctor: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let apart = doctor["checks"].as_array().unwrap().iter().find(|check| {
        let title = check["title"].as_str().unwrap();
        title == "the customer's shares of TWO_OF_THREE lie apart"
    });
    assert_eq!(apart.unwrap()["status"], "pass");

    let second = |args: &[&str]| {
        let output = home.run(&[&["--json", "vault", "--second"], args].concat());
        must_succeed(&output);
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    second(&["rotate"]);
    // The share under both of its names, and the probe record.
    let moved = second(&["rewrap"]);
    assert_eq!(
        (&moved["moved"], &moved["complete"]),
        (&3.into(), &true.into()),
        "{moved}"
    );
    assert_eq!(moved["unknown"], serde_json::json!([]), "{moved}");
    // The first vault's KEK did not move.
    let (_, status) = vault(&home, &["status"]);
    assert_eq!(
        status["kek"]["versions"].as_array().unwrap().len(),
        1,
        "{status}"
    );
    let provider = home.serve();
    let checked = home.json(&provider, &["wallet", "check", &address]);
    assert_eq!(
        checked["counts"],
        serde_json::json!({ "signs": 1 }),
        "{checked}"
    );
    drop(provider);

    // Without one, and with it required, no such wallet is made.
    let config = "require_distinct_vaults = true\n";
    std::fs::write(home.path().join("customer/storage.toml"), config).unwrap();
    let provider = home.serve();
    let refused = home.against(&provider, &create).output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("distinct_vaults_required"));
}

/// Where the probe could not be opened or shredded again, it is not written.
#[test]
fn doctor_leaves_nothing_behind_in_any_role() {
    let home = Home::initialised();
    let (_, before) = vault(&home, &["status"]);
    let storage = home.path().join("storage.toml");
    for role in ["writer", "opener", "rewrapper", "full"] {
        std::fs::write(&storage, format!("role = \"{role}\"")).unwrap();
        let args = ["--json", "doctor", "--storage", storage.to_str().unwrap()];
        let output = home.run(&args);
        must_succeed(&output);
        let (_, after) = vault(&home, &["status"]);
        assert_eq!(after["records"], before["records"], "{role}");
    }
    vault(&home, &["rotate"]);
    let (code, report) = vault(&home, &["rewrap"]);
    assert_eq!(code, Some(0), "{report}");
}

/// What was refused stands in the log like what was done.
#[test]
fn refused_acts_on_the_kek_are_in_the_audit_log() {
    let home = Home::initialised();
    vault(&home, &["disable", "1"]);
    let storage = home.path().join("storage.toml");
    std::fs::write(&storage, "role = \"opener\"").unwrap();
    vault(&home, &["rewrap", "--storage", storage.to_str().unwrap()]);
    let exported = home.run(&["audit", "export"]);
    must_succeed(&exported);
    let text = String::from_utf8(exported.stdout).unwrap();
    let entries: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for action in ["kek_disable", "kek_rewrap"] {
        let found = entries.iter().find(|entry| entry["action"] == action);
        let found = found.unwrap_or_else(|| panic!("no {action}: {text}"));
        assert_eq!(found["outcome"], "refused", "{found}");
        assert_ne!(found["environment"], "", "{found}");
    }
}

#[test]
fn wallets_sign_while_a_rewrap_runs() {
    let home = Home::initialised();
    let provider = home.serve();
    let address = created(&home, &provider, "SVM");
    vault(&home, &["rotate"]);
    let (_, nothing) = vault(&home, &["rewrap", "--prefix", "nobody/"]);
    assert_eq!(
        (&nothing["seen"], &nothing["complete"]),
        (&0.into(), &true.into())
    );
    // So slow that it lasts longer than the first signature.
    let args = [
        "--json",
        "vault",
        "rewrap",
        "--parallel",
        "1",
        "--per-second",
        "2",
    ];
    let rewrap = home
        .command(&args)
        .stdout(std::process::Stdio::piped())
        .spawn();
    let rewrap = rewrap.unwrap();
    for number in 0..3 {
        let text = format!("message {number}");
        home.json(&provider, &["wallet", "sign-message", &address, &text]);
    }
    let done = rewrap.wait_with_output().unwrap();
    must_succeed(&done);
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(report["complete"], true);
    assert_eq!(report["failed"], serde_json::json!([]));
    home.json(&provider, &["wallet", "sign-message", &address, "after it"]);
}
