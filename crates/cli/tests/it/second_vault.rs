//! The vault of the customer's second party is looked after like the first.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Home, must_succeed, with_database};

/// An initialised data directory with a second vault that was opened once.
fn home() -> Home {
    let home = Home::initialised();
    let config = "second_vault = \"second\"\nrequire_distinct_vaults = true\n";
    std::fs::write(home.path().join("customer/storage.toml"), config).unwrap();
    must_succeed(&home.run(&["vault", "--second", "status"]));
    home
}

fn log(home: &Home) -> PathBuf {
    home.path().join("customer/second/audit.sqlite")
}

/// Exit code and what was printed.
fn json(home: &Home, args: &[&str]) -> (Option<i32>, Value) {
    let output = home.run(&[&["--json"], args].concat());
    let text = if output.stdout.is_empty() {
        &output.stderr
    } else {
        &output.stdout
    };
    (output.status.code(), serde_json::from_slice(text).unwrap())
}

fn tamper(home: &Home) {
    with_database(&log(home), async |connection| {
        sqlx::query("UPDATE audit_entries SET actor = 'nobody' WHERE sequence = 0")
            .execute(&mut *connection)
            .await
            .unwrap();
    });
}

#[test]
fn an_incident_moves_the_second_vault_too() {
    let home = home();
    let (code, done) = json(&home, &["incident", "run", "--reason", "drill"]);
    assert_eq!((code, &done["done"]), (Some(0), &true.into()), "{done}");
    let steps = done["report"]["steps"].as_array().unwrap().iter();
    let names: Vec<_> = steps.map(|step| step["name"].as_str().unwrap()).collect();
    let expected = [
        "rotate the KEK",
        "rewrap every record",
        "rotate the KEK of the second vault",
        "rewrap every record of the second vault",
        "check the audit log",
    ];
    assert_eq!(names, expected);
    for vault in [&["vault", "status"][..], &["vault", "--second", "status"]] {
        let (_, status) = json(&home, vault);
        let versions = status["kek"]["versions"].as_array().unwrap();
        assert_eq!(versions.len(), 2, "{status}");
        assert_eq!(versions[0]["wraps"], 0, "{status}");
    }
}

#[test]
fn doctor_and_verify_find_what_was_done_to_its_log() {
    let home = home();
    let (code, sound) = json(&home, &["audit", "verify"]);
    assert_eq!(code, Some(0), "{sound}");
    let halves = sound.as_array().unwrap().iter();
    let halves: Vec<_> = halves.map(|one| one["half"].as_str().unwrap()).collect();
    assert!(halves.contains(&"customer's second vault"), "{halves:?}");
    let (code, healthy) = json(&home, &["doctor"]);
    assert_eq!(code, Some(0), "{healthy}");

    tamper(&home);
    assert_eq!(json(&home, &["audit", "verify"]).0, Some(7));
    let (code, found) = json(&home, &["doctor"]);
    assert_eq!(code, Some(7));
    let checks = found["checks"].as_array().unwrap().iter();
    let failed: Vec<_> = checks.filter(|check| check["status"] == "fail").collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["vault"], "second");
    assert_eq!(failed[0]["requirement"], 5);
    let (code, done) = json(&home, &["incident", "run", "--reason", "drill"]);
    assert_eq!((code, &done["done"]), (Some(8), &false.into()), "{done}");

    std::fs::remove_file(log(&home)).unwrap();
    assert_eq!(json(&home, &["audit", "verify"]).0, Some(7));
    assert_eq!(json(&home, &["audit", "export"]).0, Some(4));
}

#[test]
fn every_check_is_made_of_both() {
    let home = home();
    let (code, old) = json(&home, &["doctor", "--max-key-age", "0s"]);
    assert_eq!(code, Some(7));
    let checks = old["checks"].as_array().unwrap().iter();
    let failed = checks.filter(|check| check["status"] == "fail");
    let failed: Vec<_> = failed.map(|check| check["vault"].as_str()).collect();
    assert_eq!(failed, [None, Some("second")], "{old}");
}

#[test]
fn its_log_is_exported_anchored_and_in_the_checkpoint() {
    let home = home();
    let exported = home.run(&["audit", "export"]);
    must_succeed(&exported);
    let text = String::from_utf8(exported.stdout).unwrap();
    let entries: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (_, sound) = json(&home, &["audit", "verify"]);
    let count = |half: &str| {
        let mut logs = sound.as_array().unwrap().iter();
        let found = logs.find(|one| one["half"] == half).unwrap();
        found["entries"].as_u64().unwrap()
    };
    let total = count("customer") + count("customer's second vault");
    assert_eq!(u64::try_from(entries.len()).unwrap(), total);

    // The last one lies in the second log, and each is an anchor.
    for entry in [&entries[0], entries.last().unwrap()] {
        let part = |name: &str| entry[name].as_str().unwrap().to_owned();
        let anchor = format!("{}:{}:{}", part("chain"), entry["sequence"], part("head"));
        let (code, said) = json(&home, &["audit", "verify", "--anchor", &anchor]);
        assert_eq!(code, Some(0), "{said}");
        let wrong = format!(
            "{}:{}:{}",
            part("chain"),
            entry["sequence"],
            "00".repeat(32)
        );
        let (code, said) = json(&home, &["audit", "verify", "--anchor", &wrong]);
        assert_eq!(code, Some(7), "{said}");
    }

    let checkpoint = home.run(&["audit", "checkpoint"]);
    must_succeed(&checkpoint);
    let file = home.path().join("checkpoint.json");
    std::fs::write(&file, &checkpoint.stdout).unwrap();
    let verify = ["audit", "verify", "--checkpoint", file.to_str().unwrap()];
    assert_eq!(json(&home, &verify).0, Some(0));
    // A new log in the place of the old one fits together, and is not the one that was signed.
    let second = home.path().join("customer/second");
    std::fs::remove_dir_all(&second).unwrap();
    must_succeed(&home.run(&["vault", "--second", "status"]));
    assert_eq!(json(&home, &["audit", "verify"]).0, Some(0));
    let (code, said) = json(&home, &verify);
    assert_eq!(code, Some(7), "{said}");
}
