//! Bad input and broken surroundings, as a user meets them: each a specific error and exit code,
//! nothing lost, nothing secret shown.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use serde_json::Value;

use crate::support::{Home, Provider, must_succeed};

const INPUT: i32 = 3;
const NOT_FOUND: i32 = 4;
const AUTHENTICATION: i32 = 5;
const UNAVAILABLE: i32 = 6;
const CUSTODY: i32 = 7;
const STORAGE: i32 = 8;

/// The error as JSON, after checking the exit code and that no token is in it.
#[track_caller]
fn must_fail(home: &Home, output: &Output, exit: i32) -> Value {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{text}");
    let token = std::fs::read_to_string(home.path().join("customer/token")).unwrap_or_default();
    assert!(
        token.is_empty() || !text.contains(token.trim()),
        "shows the token"
    );
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|_| panic!("no JSON error: {text}"))
}

fn create(home: &Home, provider: &Provider, chain: &str) -> String {
    let made = home.json(provider, &["wallet", "create", "--chain", chain]);
    made["account_address"].as_str().unwrap().to_owned()
}

#[test]
fn wrong_token_is_refused_and_names_no_part_of_it() {
    let home = Home::initialised();
    let provider = home.serve();
    let token = home.path().join("customer/token");
    std::fs::write(&token, format!("hk_{}", "a".repeat(70))).unwrap();
    let output = home
        .against(&provider, &["wallet", "create", "--chain", "SVM"])
        .output()
        .unwrap();
    must_fail(&home, &output, AUTHENTICATION);
}

#[test]
fn revoked_token_is_refused() {
    let home = Home::initialised();
    let provider = home.serve();
    let list = home.json(&provider, &["token", "list"]);
    let id = list[0]["id"].as_str().unwrap().to_owned();
    home.json(&provider, &["token", "revoke", &id]);
    let output = home
        .against(&provider, &["wallet", "create", "--chain", "SVM"])
        .output()
        .unwrap();
    must_fail(&home, &output, AUTHENTICATION);
}

#[test]
fn expired_token_is_refused_by_name() {
    let home = Home::initialised();
    let provider = home.serve();
    let made = home.json(&provider, &["token", "create", "--expires-days", "0"]);
    let token = made["token"].as_str().unwrap();
    std::fs::write(home.path().join("customer/token"), token).unwrap();
    let output = home
        .against(&provider, &["wallet", "create", "--chain", "SVM"])
        .output()
        .unwrap();
    let error = must_fail(&home, &output, AUTHENTICATION);
    assert_eq!(error["code"], "token_expired");
}

/// It takes connections and says nothing; the deadline is the configured one.
#[test]
fn silent_provider_is_told_from_one_that_is_down_and_nothing_is_lost() {
    let home = Home::initialised();
    let provider = home.serve();
    let address = create(&home, &provider, "SVM");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let held = std::thread::spawn(move || silent.accept().map(|(stream, _)| (silent, stream)));
    for args in [
        &["--json", "wallet", "sign-message", &address, "hi"][..],
        &["--json", "wallet", "create", "--chain", "SVM"],
    ] {
        let mut command = home.command(args);
        command
            .env("HALFKEY_API_URL", &url)
            .env("HALFKEY_TIMEOUT", "300ms");
        let error = must_fail(&home, &command.output().unwrap(), UNAVAILABLE);
        assert_eq!(error["code"], "provider_silent");
    }
    drop(held.join().unwrap().unwrap());
    home.json(&provider, &["wallet", "sign-message", &address, "hi"]);

    for wrong in ["0s", "5", "s", "-1s", "1h"] {
        let output = home.run(&["wallet", "list", "--timeout", wrong]);
        assert_eq!(output.status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn token_file_that_others_can_read_is_refused() {
    let home = Home::initialised();
    let provider = home.serve();
    let token = home.path().join("customer/token");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = home
        .against(&provider, &["wallet", "list"])
        .output()
        .unwrap();
    let error = must_fail(&home, &output, AUTHENTICATION);
    assert!(error["hint"].as_str().unwrap().starts_with("chmod 600"));
}

#[test]
fn world_readable_keyring_is_refused_on_both_sides() {
    let home = Home::initialised();
    let provider = home.serve();
    create(&home, &provider, "SVM");
    let loosen = |half: &str| {
        for keyring in home.keyrings(half) {
            std::fs::set_permissions(&keyring, std::fs::Permissions::from_mode(0o644)).unwrap();
        }
    };
    loosen("customer");
    let output = home
        .against(&provider, &["wallet", "list"])
        .output()
        .unwrap();
    must_fail(&home, &output, STORAGE);
    provider.kill();
    loosen("provider");
    let output = home.run(&["--json", "serve", "--listen", "127.0.0.1:0"]);
    must_fail(&home, &output, STORAGE);
}

#[test]
fn unknown_address_and_unknown_chain() {
    let home = Home::initialised();
    let provider = home.serve();
    let nobody = "0x0000000000000000000000000000000000000001";
    let output = home
        .against(&provider, &["wallet", "sign-message", nobody, "hi"])
        .output()
        .unwrap();
    must_fail(&home, &output, NOT_FOUND);
    let output = home.run(&["wallet", "create", "--chain", "DOGE"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("EVM or SVM"));
}

#[test]
fn provider_down_is_unavailable_and_the_wallet_still_signs_afterwards() {
    let home = Home::initialised();
    let provider = home.serve();
    let address = create(&home, &provider, "SVM");
    let url = provider.url.clone();
    provider.kill();
    let mut command = home.command(&["--json", "wallet", "sign-message", &address, "hi"]);
    let output = command.env("HALFKEY_API_URL", url).output().unwrap();
    must_fail(&home, &output, UNAVAILABLE);
    let provider = home.serve();
    home.json(&provider, &["wallet", "sign-message", &address, "hi"]);
}

#[test]
fn what_is_stored_here_is_listed_and_shown_without_a_provider() {
    let home = Home::initialised();
    let provider = home.serve();
    let address = create(&home, &provider, "SVM");
    let shown = home.json(&provider, &["wallet", "show", &address]);
    assert_eq!(shown["provider"]["state"], "active");
    let url = provider.url.clone();
    provider.kill();
    let run = |args: &[&str]| {
        let mut command = home.command(args);
        command.env("HALFKEY_API_URL", &url).output().unwrap()
    };
    let listed = run(&["--json", "wallet", "list"]);
    must_succeed(&listed);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["wallets"][0]["account_address"], address);
    assert_eq!(listed["provider"], "not_asked");
    let shown = run(&["--json", "wallet", "show", &address]);
    must_succeed(&shown);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["state"], "active");
    assert!(shown["provider"].is_null());
    assert!(shown["provider_unknown"].is_string(), "{shown}");
    let shown = run(&["wallet", "show", &address]);
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.contains("provider    unknown: network"), "{text}");
}

#[test]
fn another_provider_is_refused_by_its_environment_and_by_its_identity() {
    let home = Home::initialised();
    let other = Home::empty();
    must_succeed(&other.run(&["init"]));
    let impostor = other.serve();
    let token = std::fs::read(other.path().join("customer/token")).unwrap();
    std::fs::write(home.path().join("customer/token"), token).unwrap();
    let create = ["wallet", "create", "--chain", "SVM"];
    let output = home.against(&impostor, &create).output().unwrap();
    must_fail(&home, &output, NOT_FOUND);

    // The right environment under another identity key: the keygen does not get past it.
    let home = Home::initialised();
    let provider = home.serve();
    let mut command = home.against(&provider, &create);
    let wrong = impostor.started["provider_identity"].as_str().unwrap();
    let output = command
        .env("HALFKEY_PROVIDER_IDENTITY", wrong)
        .output()
        .unwrap();
    must_fail(&home, &output, CUSTODY);
    assert_eq!(
        crate::support::active_wallets(&home.path().join("provider")),
        0
    );
}

#[test]
fn restored_provider_database_is_refused_and_accepted_only_when_told_to() {
    let home = Home::initialised();
    let provider = home.serve();
    let evm = create(&home, &provider, "EVM");
    let svm = create(&home, &provider, "SVM");
    provider.stop();
    let older = home.copy();
    let provider = home.serve();
    home.json(&provider, &["wallet", "sign-message", &evm, "hi"]);
    provider.stop();
    for name in ["provider.db", "provider.db-wal", "provider.db-shm"] {
        let (from, to) = (
            older.path().join("provider").join(name),
            home.path().join("provider"),
        );
        drop(std::fs::remove_file(to.join(name)));
        if from.exists() {
            std::fs::copy(from, to.join(name)).unwrap();
        }
    }
    let output = home.run(&["--json", "serve", "--listen", "127.0.0.1:0"]);
    let error = must_fail(&home, &output, CUSTODY);
    assert!(
        error["error"]
            .as_str()
            .unwrap()
            .contains("--accept-restore"),
        "{error}"
    );
    let args = [
        "--json",
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--accept-restore",
    ];
    let provider = Provider::start(home.command(&args));
    home.json(
        &provider,
        &["wallet", "sign-message", &svm, "FROST wallets still sign"],
    );
    let output = home
        .against(&provider, &["wallet", "sign-message", &evm, "hi"])
        .output()
        .unwrap();
    must_fail(&home, &output, CUSTODY);
}

#[test]
fn solana_message_that_is_really_a_transaction_is_refused() {
    let home = Home::initialised();
    let provider = home.serve();
    let address = create(&home, &provider, "SVM");
    // A legacy message with one signer, one account, no instruction: every byte is ASCII-safe, so
    // it can arrive as text.
    let mut message = vec![1, 0, 0, 1];
    message.extend([b'a'; 32]);
    message.extend([b'b'; 32]);
    message.push(0);
    let text = String::from_utf8(message).unwrap();
    let file = home.path().join("message");
    std::fs::write(&file, &text).unwrap();
    let mut command = home.against(&provider, &["wallet", "sign-message", &address, "-"]);
    let output = command
        .stdin(std::fs::File::open(&file).unwrap())
        .output()
        .unwrap();
    must_fail(&home, &output, CUSTODY);
}

#[test]
fn truncated_evm_payload_and_bad_base64_are_refused_before_anything_is_sent() {
    let home = Home::initialised();
    let provider = home.serve();
    let evm = "0x0000000000000000000000000000000000000001";
    for payload in ["0x02f8", "zz", "0x"] {
        let args = ["wallet", "sign-transaction", evm, "--payload", payload];
        let output = home.against(&provider, &args).output().unwrap();
        must_fail(&home, &output, INPUT);
    }
    let svm = "11111111111111111111111111111111";
    let args = ["wallet", "sign-transaction", svm, "--payload", "!!"];
    let output = home.against(&provider, &args).output().unwrap();
    must_fail(&home, &output, INPUT);
}

#[test]
fn corrupted_record_is_named_and_the_other_wallet_still_signs() {
    let home = Home::initialised();
    let provider = home.serve();
    let broken = create(&home, &provider, "SVM");
    let whole = create(&home, &provider, "SVM");
    crate::support::flip_a_bit_of_the_shares(&home.path().join("customer"), &broken);
    let output = home
        .against(&provider, &["wallet", "sign-message", &broken, "hi"])
        .output()
        .unwrap();
    let error = must_fail(&home, &output, STORAGE);
    assert!(
        error["error"]
            .as_str()
            .unwrap()
            .contains("cannot be opened"),
        "{error}"
    );
    home.json(&provider, &["wallet", "sign-message", &whole, "hi"]);
}

#[test]
fn plain_http_is_refused_off_loopback_on_both_sides() {
    let home = Home::initialised();
    let output = home.run(&["--json", "serve", "--listen", "0.0.0.0:0"]);
    must_fail(&home, &output, INPUT);
    let mut command = home.command(&["--json", "wallet", "list"]);
    let output = command
        .env("HALFKEY_API_URL", "http://192.0.2.1:7373")
        .output()
        .unwrap();
    must_fail(&home, &output, INPUT);
}

#[test]
fn uninitialised_directory_says_what_to_do() {
    let home = Home::empty();
    let output = home.run(&["--json", "wallet", "list"]);
    let error = must_fail(&home, &output, INPUT);
    assert!(error["hint"].as_str().unwrap().contains("halfkey init"));
}

#[test]
fn dev_tls_works_with_its_ca_and_not_without() {
    let home = Home::initialised();
    let serve = home.command(&["--json", "serve", "--listen", "127.0.0.1:0", "--dev-tls"]);
    let provider = Provider::start(serve);
    assert!(provider.url.starts_with("https://"));
    let ca = provider.started["ca_file"].as_str().unwrap().to_owned();
    let mut with = home.against(&provider, &["wallet", "create", "--chain", "SVM"]);
    must_succeed(&with.env("HALFKEY_CA_FILE", &ca).output().unwrap());
    let output = home
        .against(&provider, &["wallet", "create", "--chain", "SVM"])
        .output()
        .unwrap();
    must_fail(&home, &output, UNAVAILABLE);
    assert!(provider.stop().is_empty());
}
