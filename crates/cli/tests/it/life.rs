//! A wallet's life on the command line: refresh, reshare, replacement, check.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use halfkey_testkit::judge::{self, Question};
use serde_json::Value;

use crate::support::{Home, Provider, must_succeed, with_database};

const CUSTODY: i32 = 7;
const TOKEN: i32 = 5;

/// A token that may do everything, in a file.
pub(crate) fn ops_token(home: &Home) -> String {
    let scopes = [
        "create",
        "sign",
        "read",
        "refresh",
        "reshare",
        "import",
        "export",
        "recover",
        "backup",
        "recipients",
        "escrow",
        "delegate",
    ];
    let scopes = scopes.map(|scope| format!("wallet.{scope}"));
    let mut args = vec!["--json", "token", "create", "--name", "ops"];
    for scope in &scopes {
        args.extend(["--scope", scope]);
    }
    let output = home.run(&args);
    must_succeed(&output);
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    let file = home.path().join("ops.token");
    std::fs::write(&file, made["token"].as_str().unwrap()).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    file.to_str().unwrap().to_owned()
}

fn with_token(home: &Home, provider: &Provider, token: &str, args: &[&str]) -> Value {
    home.json(provider, &[args, &["--token-file", token]].concat())
}

fn create(home: &Home, provider: &Provider) -> String {
    let created = home.json(provider, &["wallet", "create", "--chain", "SVM"]);
    created["account_address"].as_str().unwrap().to_owned()
}

#[test]
fn a_wallet_is_refreshed_reshared_and_checked() {
    let home = Home::initialised();
    let provider = home.serve();
    let token = ops_token(&home);
    let address = create(&home, &provider);
    let other = create(&home, &provider);

    // The everyday token may not.
    let refused = home
        .against(&provider, &["wallet", "refresh", &address])
        .output();
    let refused = refused.unwrap();
    assert_eq!(refused.status.code(), Some(TOKEN), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("wallet.refresh"));

    let done = with_token(&home, &provider, &token, &["wallet", "refresh", "--all"]);
    assert_eq!(done["refreshed"].as_array().unwrap().len(), 2, "{done}");
    assert_eq!(done["failed"].as_array().unwrap().len(), 0, "{done}");
    let changed = with_token(
        &home,
        &provider,
        &token,
        &["wallet", "reshare", &address, "--scheme", "TWO_OF_THREE"],
    );
    assert_eq!(
        (&changed["generation"], &changed["before"]),
        (&2.into(), &1.into())
    );
    let replaced = with_token(
        &home,
        &provider,
        &token,
        &["wallet", "replace-share", &address, "--lost", "3"],
    );
    assert_eq!(replaced["generation"], 3);
    home.json(&provider, &["wallet", "sign-message", &address, "gm"]);

    let checked = home.json(&provider, &["wallet", "check"]);
    assert_eq!(checked["counts"], serde_json::json!({ "signs": 2 }));
    let report = home.path().join("check.jsonl");
    let report = ["wallet", "check", "--report", report.to_str().unwrap()];
    assert_eq!(home.json(&provider, &report)["counts"]["signs"], 2);
    let again = home.json(&provider, &report);
    assert_eq!(
        (
            &again["skipped"],
            again["counts"].as_object().unwrap().len()
        ),
        (&2.into(), 0)
    );
    assert_eq!(
        home.json(&provider, &["wallet", "show", &other])["generation"],
        1
    );
}

/// Provider database and customer vault of different ages: every wallet is told truly.
#[test]
fn a_check_after_a_partial_restore_tells_each_wallet_apart() {
    let home = Home::initialised();
    let provider = home.serve();
    let token = ops_token(&home);
    let (kept, changed) = (create(&home, &provider), create(&home, &provider));
    provider.stop();
    let before = home.copy();

    let provider = home.serve();
    with_token(&home, &provider, &token, &["wallet", "refresh", &changed]);
    provider.stop();
    // The customer's half comes from before the refresh.
    let customer = home.path().join("customer");
    std::fs::remove_dir_all(&customer).unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(before.path().join("customer"))
        .arg(&customer)
        .status();
    assert!(copied.unwrap().success());
    let provider = home.serve();
    let output = home
        .against(&provider, &["wallet", "check"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(CUSTODY), "{output:?}");
    let checked: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        checked["counts"],
        serde_json::json!({ "signs": 1, "stale": 1 })
    );
    let stale = &checked["not_signing"][0];
    assert_eq!(stale["account_address"], changed.as_str());
    home.json(&provider, &["wallet", "sign-message", &kept, "gm"]);
    fall_back_and_refresh(&home, &provider, &token, &changed);
}

/// The runbook: the provider's operator, then the customer's, then a refresh.
fn fall_back_and_refresh(home: &Home, provider: &Provider, token: &str, address: &str) {
    let recover = ["wallet", "recover", address, "--to-generation", "0"];
    let recover = [&recover[..], &["--token-file", token]].concat();
    let refused = home.against(provider, &recover).output().unwrap();
    assert_eq!(refused.status.code(), Some(CUSTODY), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("halfkey provider recover"));
    for (to, reason) in [("7", "a drill"), ("1", "a drill"), ("0", "")] {
        let args = ["provider", "recover", address, "--to-generation", to];
        let bad = home.run(&[&args[..], &["--reason", reason]].concat());
        assert!(!bad.status.success(), "{to} {reason}: {bad:?}");
    }
    let args = ["provider", "recover", address, "--to-generation", "0"];
    must_succeed(&home.run(&[&args[..], &["--reason", "a drill"]].concat()));
    let fell = home.json(provider, &recover);
    assert_eq!(
        (&fell["generation"], &fell["high_water"]),
        (&0.into(), &1.into())
    );
    let sign = ["wallet", "sign-message", address, "gm"];
    let refused = home.against(provider, &sign).output().unwrap();
    assert_eq!(refused.status.code(), Some(CUSTODY), "{refused:?}");
    let done = with_token(home, provider, token, &["wallet", "refresh", address]);
    assert_eq!(done["refreshed"][0]["generation"], 2, "{done}");
    home.json(provider, &sign);
    let swept = home.json(provider, &["wallet", "sweep"]);
    assert_eq!(
        (&swept["provider_horizon_days"], &swept["kept"]),
        (&30.into(), &1.into())
    );
    // Both halves' horizons, in one line.
    let doctor = home.against(provider, &["doctor"]).output().unwrap();
    let doctor: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let checks = doctor["checks"].as_array().unwrap();
    let kept = |check: &&Value| check["title"].as_str().unwrap().contains("horizon");
    let kept = checks.iter().find(kept).unwrap();
    let evidence = kept["evidence"].as_str().unwrap();
    assert!(evidence.contains("the provider's 30;"), "{evidence}");
}

/// Proven cheating has locked both halves: new shares and new OT state end that, started by a proof
/// of knowledge of the share.
#[test]
fn a_refresh_ends_the_locks_of_both_halves() {
    let home = Home::initialised();
    let provider = home.serve();
    let token = ops_token(&home);
    let created = home.json(&provider, &["wallet", "create", "--chain", "EVM"]);
    let address = created["account_address"].as_str().unwrap().to_owned();
    provider.stop();
    // The provider's lock, as a cheat would have left it.
    let file = home.path().join("provider").join("provider.db");
    with_database(&file, async |connection| {
        sqlx::query(
            "INSERT INTO locks SELECT environment, wallet_id, generation, 'locked', 'a cheat', 0
             FROM wallets",
        )
        .execute(connection)
        .await
        .unwrap();
    });
    let provider = home.serve();
    let locked = home
        .against(&provider, &["wallet", "sign-message", &address, "gm"])
        .output()
        .unwrap();
    assert_eq!(locked.status.code(), Some(CUSTODY), "{locked:?}");
    let checked = home
        .against(&provider, &["wallet", "check", &address])
        .output()
        .unwrap();
    let checked: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(checked["counts"], serde_json::json!({ "locked": 1 }));
    let done = with_token(&home, &provider, &token, &["wallet", "refresh", &address]);
    assert_eq!(done["refreshed"][0]["generation"], 1, "{done}");
    home.json(&provider, &["wallet", "sign-message", &address, "gm"]);
    assert_eq!(
        home.json(&provider, &["wallet", "check", &address])["counts"],
        serde_json::json!({ "signs": 1 })
    );
}

/// A key goes out into a private file, and comes in again as another provider's wallet with the
/// same address.
#[test]
fn an_exported_key_is_imported_elsewhere_with_its_address() {
    let home = Home::initialised();
    let provider = home.serve();
    let token = ops_token(&home);
    let elsewhere = Home::empty();
    must_succeed(&elsewhere.run(&["init"]));
    let other = elsewhere.serve();
    let their_token = ops_token(&elsewhere);
    for (chain, form) in [("EVM", "key"), ("SVM", "keypair")] {
        let created = home.json(&provider, &["wallet", "create", "--chain", chain]);
        let address = created["account_address"].as_str().unwrap();
        let out = home.path().join(format!("{chain}.key"));
        let out = out.to_str().unwrap();
        let export = ["wallet", "export", address, "--form", form, "--out", out];
        with_token(&home, &provider, &token, &export);
        let mode = std::fs::metadata(out).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777;
        assert_eq!(mode, 0o600);
        // A file that is there is not written over, and costs no export.
        let again = home.against(
            &provider,
            &[&export[..], &["--token-file", &token]].concat(),
        );
        let again = { again }.output().unwrap();
        assert_eq!(again.status.code(), Some(3), "{again:?}");
        let import = ["wallet", "import", "--chain", chain, "--key-file", out];
        let imported = with_token(&elsewhere, &other, &their_token, &import);
        assert_eq!(imported["account_address"], address);
        assert_eq!(imported["custody_origin"][0], "imported");
        elsewhere.json(&other, &["wallet", "sign-message", address, "gm"]);
        let shown = home.json(&provider, &["wallet", "show", address]);
        assert!(
            shown["custody_origin"].to_string().contains("exported"),
            "{shown}"
        );
    }
}

/// Other people's tools find the wallet's address in every form a key goes out in.
#[test]
fn exported_keys_open_in_outside_tools() {
    let home = Home::initialised();
    let provider = home.serve();
    let token = ops_token(&home);
    let exported = |address: &str, form: &str| {
        let out = home.path().join(format!("{address}.{form}"));
        let out = out.to_str().unwrap();
        let export = ["wallet", "export", address, "--form", form, "--out", out];
        with_token(&home, &provider, &token, &export);
        std::fs::read_to_string(out).unwrap().trim().to_owned()
    };
    let evm = home.json(&provider, &["wallet", "create", "--chain", "EVM"]);
    let evm_address = evm["account_address"].as_str().unwrap();
    let key = Question::evm_key(&exported(evm_address, "key"));
    // The wallet's own path below its root.
    let xprv = Question::evm_xprv(&exported(evm_address, "xprv"), "44/60/0/0/0");
    let address = serde_json::json!({ "ok": evm_address });
    let found = judge::eth_account(std::slice::from_ref(&key));
    assert_eq!(found.first(), Some(&address));
    assert_eq!(judge::ethers(&[key, xprv]), [address.clone(), address]);

    let svm = create(&home, &provider);
    let forms = ["seed", "keypair"].map(|form| Question::svm_key(&exported(&svm, form)));
    let address = serde_json::json!({ "ok": svm });
    assert_eq!(judge::solders(&forms), [address.clone(), address]);
}

#[test]
fn a_rescue_needs_no_provider() {
    let home = Home::initialised();
    let provider = home.serve();
    let create = [
        "wallet",
        "create",
        "--chain",
        "SVM",
        "--scheme",
        "TWO_OF_THREE",
    ];
    let address = home.json(&provider, &create)["account_address"]
        .as_str()
        .unwrap()
        .to_owned();
    provider.stop();
    let drill = home.run(&["--json", "wallet", "rescue", &address, "--drill"]);
    must_succeed(&drill);
    let drill: Value = serde_json::from_slice(&drill.stdout).unwrap();
    assert_eq!(drill["rescuable"], true);
    let out = home.path().join("rescued.json");
    let rescue = [
        "wallet",
        "rescue",
        &address,
        "--form",
        "keypair",
        "--out",
        out.to_str().unwrap(),
    ];
    must_succeed(&home.run(&rescue));
    let pair = Question::svm_key(&std::fs::read_to_string(out).unwrap());
    assert_eq!(
        judge::solders(&[pair]),
        [serde_json::json!({ "ok": address })]
    );
}

/// The service refreshes what is due until SIGTERM; a name it does not know ends it at once.
#[test]
fn a_service_refreshes_what_is_due() {
    let home = Home::initialised();
    let provider = home.serve();
    let token = ops_token(&home);
    let address = create(&home, &provider);
    let refresh = |name: &str| {
        let args = ["wallet", "refresh", name, "--every", "1s"];
        let mut command = home.against(&provider, &args);
        command.args(["--token-file", &token]);
        command
    };
    let unknown = refresh("nobody").output().unwrap();
    assert_eq!(unknown.status.code(), Some(4), "{unknown:?}");

    let mut service = refresh(&address).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(service.stdout.take().unwrap()).lines();
    let mut shown = String::new();
    while !shown.ends_with('}') {
        shown.push_str(lines.next().unwrap().unwrap().trim_end());
    }
    let changed: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(changed["account_address"], address.as_str());
    assert_eq!(changed["generation"], 1);
    let pid = rustix::process::Pid::from_child(&service);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(service.wait().unwrap().success());
}
