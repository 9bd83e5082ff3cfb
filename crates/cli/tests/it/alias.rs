//! Names of wallets on the command line: one wallet per name, whoever asks and wherever it dies.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::support::{Home, Provider, active_wallets, must_succeed};

const INPUT: i32 = 3;
const NOT_FOUND: i32 = 4;
const GET: [&str; 7] = [
    "wallet",
    "create",
    "--chain",
    "SVM",
    "--alias",
    "treasury",
    "--get-or-create",
];

fn start(home: &Home, provider: &Provider, args: &[&str]) -> Child {
    let mut command = home.against(provider, args);
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn address(created: &Value) -> String {
    created["account_address"].as_str().unwrap().to_owned()
}

#[test]
fn a_wallet_is_named_by_its_alias_everywhere() {
    let home = Home::initialised();
    let provider = home.serve();
    let made = address(&home.json(&provider, &GET));
    assert_eq!(address(&home.json(&provider, &GET)), made);
    home.json(&provider, &["wallet", "alias", "treasury", "cold"]);
    for name in ["treasury", "cold", &made] {
        assert_eq!(
            address(&home.json(&provider, &["wallet", "show", name])),
            made
        );
        home.json(&provider, &["wallet", "sign-message", name, "gm"]);
    }
    let checked = home.json(&provider, &["wallet", "check", "cold"]);
    assert_eq!(checked["counts"]["signs"], 1);
    let listed = home.json(&provider, &["wallet", "list"]);
    assert_eq!(
        listed["wallets"][0]["aliases"],
        serde_json::json!(["cold", "treasury"])
    );

    let run = |args: &[&str]| {
        let output = home.against(&provider, args).output().unwrap();
        let error: Value = serde_json::from_slice(&output.stderr).unwrap();
        (
            output.status.code().unwrap(),
            error["code"].as_str().unwrap().to_owned(),
        )
    };
    let taken = ["wallet", "create", "--chain", "SVM", "--alias", "cold"];
    assert_eq!(run(&taken), (INPUT, "name_taken".to_owned()));
    let other = [
        "wallet",
        "create",
        "--chain",
        "EVM",
        "--alias",
        "cold",
        "--get-or-create",
    ];
    assert_eq!(run(&other).0, INPUT);
    assert_eq!(run(&["wallet", "show", "nobody"]).0, NOT_FOUND);
    assert_eq!(run(&["wallet", "show", "no body"]).0, INPUT);
    assert_eq!(active_wallets(&home.path().join("provider")), 1);
}

#[test]
fn two_processes_that_ask_at_once_end_with_one_wallet() {
    let home = Home::initialised();
    let provider = home.serve();
    let children = [start(&home, &provider, &GET), start(&home, &provider, &GET)];
    let made = children.map(|child| {
        let output = child.wait_with_output().unwrap();
        must_succeed(&output);
        address(&serde_json::from_slice(&output.stdout).unwrap())
    });
    assert_eq!(made[0], made[1]);
    assert_eq!(active_wallets(&home.path().join("provider")), 1);
    home.json(&provider, &["wallet", "resume"]);
    let listed = home.json(&provider, &["wallet", "list"]);
    assert_eq!(listed["wallets"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["pending"].as_array().unwrap().len(), 0, "{listed}");
}

/// kill -9 between the steps: the next process ends with one wallet, whatever the first had done.
#[test]
fn a_killed_process_leaves_the_alias_to_the_next_one() {
    for place in [
        "create.before_intent",
        "create.after_intent",
        "create.after_alias",
        "create.after_sealed_write",
        "create.after_reopen",
        "create.after_high_water",
        "create.after_active_row",
    ] {
        let home = Home::initialised();
        let provider = home.serve();
        let mut dying = home.against(&provider, &GET);
        let at = format!("{place}:1");
        let output = dying.env("HALFKEY_CRASH_AT", at).output().unwrap();
        assert_eq!(output.status.signal(), Some(9), "{place}: {output:?}");
        let again = [&GET[..], &["--takeover-after", "0s"]].concat();
        let made = address(&home.json(&provider, &again));
        home.json(&provider, &["wallet", "sign-message", "treasury", "gm"]);
        assert_eq!(address(&home.json(&provider, &GET)), made, "{place}");
        // Nothing that was left behind becomes a second wallet.
        home.json(&provider, &["wallet", "resume"]);
        assert_eq!(active_wallets(&home.path().join("provider")), 1, "{place}");
    }
}
