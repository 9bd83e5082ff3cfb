//! A whole incident on the command line: freeze, revoke, rotate, refresh, unfreeze, report.

use std::process::Output;

use serde_json::Value;

use crate::support::{Home, Provider, must_succeed};

const TOKEN: i32 = 5;
const CUSTODY: i32 = 7;

/// A token with these scopes, in a file.
fn token(home: &Home, name: &str, scopes: &[&str]) -> String {
    let mut args = vec!["--json", "token", "create", "--name", name];
    for scope in scopes {
        args.extend(["--scope", scope]);
    }
    let output = home.run(&args);
    must_succeed(&output);
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    let file = home.path().join(format!("{name}.token"));
    std::fs::write(&file, made["token"].as_str().unwrap()).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    file.to_str().unwrap().to_owned()
}

fn incident_token(home: &Home) -> String {
    let scopes = ["create", "read", "refresh", "freeze", "unfreeze"];
    let scopes = scopes.map(|scope| format!("wallet.{scope}"));
    token(home, "incident", &scopes.each_ref().map(String::as_str))
}

fn run(home: &Home, provider: &Provider, args: &[&str]) -> Output {
    home.against(provider, args).output().unwrap()
}

fn create(home: &Home, provider: &Provider, chain: &str) -> String {
    let made = home.json(provider, &["wallet", "create", "--chain", chain]);
    made["account_address"].as_str().unwrap().to_owned()
}

#[test]
fn an_incident_leaves_new_shares_one_token_and_a_signed_report() {
    let home = Home::initialised();
    let provider = home.serve();
    let mine = incident_token(&home);
    let (evm, svm) = (
        create(&home, &provider, "EVM"),
        create(&home, &provider, "SVM"),
    );
    let args = [
        "incident",
        "run",
        "--reason",
        "drill",
        "--freeze",
        "--revoke-tokens",
        "--refresh",
        "--unfreeze",
        "--token-file",
        &mine,
    ];
    let done = home.json(&provider, &args);
    assert_eq!(done["done"], true, "{done}");
    let steps = done["report"]["steps"].as_array().unwrap();
    let names: Vec<_> = steps
        .iter()
        .map(|step| step["name"].as_str().unwrap())
        .collect();
    let expected = [
        "freeze the environment",
        "revoke every other token",
        "rotate the KEK",
        "rewrap every record",
        "refresh every wallet",
        "check the audit log",
        "end the freeze",
    ];
    assert_eq!(names, expected);
    let revoked = steps[1]["detail"]["tokens"].as_array().unwrap();
    assert_eq!(revoked.len(), 1, "the first token: {done}");
    let refreshed = steps[4]["detail"]["refreshed"].as_array().unwrap();
    assert_eq!(refreshed.len(), 2, "{done}");
    must_succeed(&home.run(&["incident", "verify", done["file"].as_str().unwrap()]));

    // The stolen token is dead; with a new one the wallets sign under their new shares.
    let refused = run(&home, &provider, &["wallet", "sign-message", &svm, "gm"]);
    assert_eq!(refused.status.code(), Some(TOKEN), "{refused:?}");
    let everyday = token(&home, "new", &["wallet.sign", "wallet.read"]);
    for address in [&evm, &svm] {
        let sign = [
            "wallet",
            "sign-message",
            address,
            "gm",
            "--token-file",
            &everyday,
        ];
        home.json(&provider, &sign);
        let shown = home.json(
            &provider,
            &["wallet", "show", address, "--token-file", &everyday],
        );
        assert_eq!(shown["generation"], 1);
    }
    let status = home.json(
        &provider,
        &["incident", "status", "--token-file", &everyday],
    );
    assert_eq!(status["freezes"], serde_json::json!([]));
}

#[test]
fn a_step_that_fails_keeps_everything_frozen() {
    let home = Home::initialised();
    let provider = home.serve();
    let address = create(&home, &provider, "SVM");
    // It may not refresh, so that step fails.
    let scopes = ["wallet.read", "wallet.freeze", "wallet.unfreeze"];
    let mine = token(&home, "incident", &scopes);
    let args = [
        "incident",
        "run",
        "--reason",
        "drill",
        "--freeze",
        "--refresh",
        "--unfreeze",
    ];
    let output = run(
        &home,
        &provider,
        &[&args[..], &["--token-file", &mine]].concat(),
    );
    assert!(!output.status.success(), "{output:?}");
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    let steps = done["report"]["steps"].as_array().unwrap();
    let failed: Vec<_> = steps.iter().filter(|step| step["done"] == false).collect();
    assert_eq!(failed.len(), 2, "{done}");
    assert_eq!(failed[1]["detail"]["code"], "still_frozen");
    let frozen = run(
        &home,
        &provider,
        &["wallet", "sign-message", &address, "gm"],
    );
    assert_eq!(frozen.status.code(), Some(CUSTODY), "{frozen:?}");
    let status = home.json(&provider, &["incident", "status"]);
    assert_eq!(status["freezes"][0]["reason"], "drill");
    home.json(&provider, &["incident", "unfreeze", "--token-file", &mine]);
    home.json(&provider, &["wallet", "sign-message", &address, "gm"]);
}

#[test]
fn one_wallet_is_frozen_by_its_name() {
    let home = Home::initialised();
    let provider = home.serve();
    let mine = incident_token(&home);
    let (one, other) = (
        create(&home, &provider, "SVM"),
        create(&home, &provider, "SVM"),
    );
    home.json(&provider, &["wallet", "alias", &one, "payouts"]);
    let freeze = [
        "incident",
        "freeze",
        "--wallet",
        "payouts",
        "--reason",
        "odd payouts",
    ];
    let refused = run(&home, &provider, &freeze);
    assert_eq!(refused.status.code(), Some(TOKEN), "{refused:?}");
    home.json(&provider, &[&freeze[..], &["--token-file", &mine]].concat());
    let frozen = run(&home, &provider, &["wallet", "sign-message", &one, "gm"]);
    assert_eq!(frozen.status.code(), Some(CUSTODY), "{frozen:?}");
    home.json(&provider, &["wallet", "sign-message", &other, "gm"]);
    let unfreeze = [
        "incident",
        "unfreeze",
        "--wallet",
        "payouts",
        "--token-file",
        &mine,
    ];
    home.json(&provider, &unfreeze);
    home.json(&provider, &["wallet", "sign-message", &one, "gm"]);
}

/// The provider is away: its steps fail, and the storage tiers are seen to all the same.
#[test]
fn without_a_provider_the_other_steps_are_taken() {
    let home = Home::initialised();
    let provider = home.serve();
    let mine = incident_token(&home);
    create(&home, &provider, "SVM");
    let url = provider.url.clone();
    provider.stop();
    let args = [
        "--json",
        "incident",
        "run",
        "--reason",
        "drill",
        "--freeze",
        "--token-file",
        &mine,
    ];
    let mut command = home.command(&args);
    command
        .env("HALFKEY_API_URL", url)
        .env("HALFKEY_TIMEOUT", "250ms");
    let output = command.output().unwrap();
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    let steps = done["report"]["steps"].as_array().unwrap();
    let taken: Vec<_> = steps
        .iter()
        .map(|step| step["done"].as_bool().unwrap())
        .collect();
    assert_eq!(taken, [false, true, true, true], "{done}");
}
