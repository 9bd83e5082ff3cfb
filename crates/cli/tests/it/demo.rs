//! The demo, as the README promises it.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Home, must_succeed};

/// Runs the demo in a network namespace that has nothing but loopback.
fn demo_without_network(home: &Home) -> Value {
    let output = Command::new("unshare")
        .args(["--net", "--map-root-user", "sh", "-c"])
        .arg("ip link set lo up && ! ip route get 192.0.2.1 2>/dev/null && exec \"$0\" \"$@\"")
        .arg(env!("CARGO_BIN_EXE_halfkey"))
        .args(["--json", "--data-dir"])
        .arg(home.path())
        .arg("demo")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    must_succeed(&output);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn demo_runs_with_networking_cut_and_a_second_run_reuses_its_wallets() {
    let home = Home::empty();
    let first = demo_without_network(&home);
    assert_eq!(first["created"], 2);
    assert_eq!(first["signatures"].as_array().unwrap().len(), 3);
    let second = demo_without_network(&home);
    assert_eq!(second["created"], 0);
    let addresses = |run: &Value| {
        let wallets = run["wallets"].as_array().unwrap();
        wallets
            .iter()
            .map(|wallet| wallet["address"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(addresses(&first), addresses(&second));
    assert_eq!(second["signatures"].as_array().unwrap().len(), 3);
}

#[test]
fn demo_of_another_variant_makes_a_solana_wallet_of_that_variant() {
    let home = Home::initialised();
    let demo = |variant: &str| -> Value {
        let output = home.run(&["--json", "demo", "--variant", variant]);
        must_succeed(&output);
        serde_json::from_slice(&output.stdout).unwrap()
    };
    assert_eq!(demo("ed25519Exportable")["created"], 2);
    let standard = demo("ed25519Standard");
    assert_eq!(standard["created"], 1, "the EVM wallet has no variant");
    assert_eq!(demo("ed25519Exportable")["created"], 0);
    let listed = home.run(&["--json", "wallet", "list"]);
    must_succeed(&listed);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let wallets = listed["wallets"].as_array().unwrap();
    let address = &standard["wallets"][1]["address"];
    let found = wallets
        .iter()
        .find(|one| one["account_address"] == *address);
    assert_eq!(found.unwrap()["custody_origin"], serde_json::json!(["dkg"]));
}
