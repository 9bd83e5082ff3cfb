//! kill -9 of either half at every durable and network step of a refresh and of a reshare (custody
//! rules 3 and 6 to 9): the wallet signs afterwards, and no share that either half ever stored is
//! gone.

use std::os::unix::process::ExitStatusExt as _;

use serde_json::Value;

use crate::crash::{Half, Shares, read_lines};
use crate::life::ops_token;
use crate::support::{Home, Provider, must_succeed};

/// A customer with one active wallet and a token that may change it.
struct Prepared {
    home: Home,
    address: String,
}

impl Prepared {
    fn new() -> Self {
        let home = Home::initialised();
        ops_token(&home);
        let provider = home.serve();
        let created = home.json(&provider, &["wallet", "create", "--chain", "SVM"]);
        provider.stop();
        Self {
            address: created["account_address"].as_str().unwrap().to_owned(),
            home,
        }
    }

    fn copy(&self) -> Self {
        Self {
            home: self.home.copy(),
            address: self.address.clone(),
        }
    }

    /// `change` with the token that may, against `provider`.
    fn command(&self, provider: &Provider, change: &[&str]) -> std::process::Command {
        let token = self.home.path().join("ops.token");
        let (name, rest) = change.split_first().unwrap();
        let mut args = vec!["wallet", name, &self.address];
        args.extend(rest);
        args.extend(["--token-file", token.to_str().unwrap()]);
        self.home.against(provider, &args)
    }
}

/// Every place the change passes in `half`, in order.
fn places(prepared: &Prepared, half: Half, change: &[&str]) -> Vec<String> {
    let prepared = prepared.copy();
    let trace = prepared.home.path().join("trace");
    let mut serve = prepared
        .home
        .command(&["--json", "serve", "--listen", "127.0.0.1:0"]);
    if half == Half::Provider {
        serve.env("HALFKEY_CRASH_TRACE", &trace);
    }
    let provider = Provider::start(serve);
    let before = read_lines(&trace).len();
    let mut command = prepared.command(&provider, change);
    if half == Half::Customer {
        command.env("HALFKEY_CRASH_TRACE", &trace);
    }
    must_succeed(&command.output().unwrap());
    read_lines(&trace).split_off(before)
}

/// Kills `half` at `place`, starts both again, settles, and checks what must hold. Returns the
/// generation that signs then.
fn kill_at(prepared: &Prepared, half: Half, change: &[&str], place: &str) -> u64 {
    let context = format!("{} {half:?} killed at {place}", change[0]);
    let Prepared { home, address } = prepared.copy();
    let trace = home.path().join("trace");
    let mut serve = home.command(&["--json", "serve", "--listen", "127.0.0.1:0"]);
    if half == Half::Provider {
        serve.env("HALFKEY_CRASH_AT", place);
        serve.env("HALFKEY_CRASH_TRACE", &trace);
    }
    let provider = Provider::start(serve);
    let prepared = Prepared { home, address };
    let mut command = prepared.command(&provider, change);
    if half == Half::Customer {
        command.env("HALFKEY_CRASH_AT", place);
        command.env("HALFKEY_CRASH_TRACE", &trace);
    }
    let output = command.output().unwrap();
    let death = format!("died at {place}");
    assert!(
        read_lines(&trace).contains(&death),
        "{context}: it never came there: {output:?}"
    );
    if half == Half::Provider {
        assert_eq!(provider.died().signal(), Some(9), "{context}");
    } else {
        assert_eq!(output.status.signal(), Some(9), "{context}: {output:?}");
        provider.kill();
    }
    let Prepared { home, address } = &prepared;
    let stored = Shares::of(home);

    let provider = home.serve();
    home.json(&provider, &["wallet", "resume"]);
    stored.must_be_in(&Shares::of(home), &context);
    let signed = home
        .against(
            &provider,
            &["wallet", "sign-message", address, "still here"],
        )
        .output()
        .unwrap();
    assert!(
        signed.status.success(),
        "{context}: it does not sign: {signed:?}"
    );
    let checked = home.json(&provider, &["wallet", "check", address]);
    assert_eq!(
        checked["counts"],
        serde_json::json!({ "signs": 1 }),
        "{context}: {checked}"
    );
    let shown = home.json(&provider, &["wallet", "show", address]);
    let theirs: &Value = &shown["provider"]["generation"];
    assert_eq!(&shown["generation"], theirs, "{context}: the halves differ");
    // Whatever happened, the next change works.
    must_succeed(&prepared.command(&provider, &["refresh"]).output().unwrap());
    shown["generation"].as_u64().unwrap()
}

fn matrix(half: Half, change: &[&str]) {
    let prepared = Prepared::new();
    let places = places(&prepared, half, change);
    assert!(
        places.len() >= 8,
        "{half:?} passes hardly any place: {places:?}"
    );
    let mut changed = 0;
    for place in &places {
        changed += usize::from(kill_at(&prepared, half, change, place) > 0);
    }
    println!(
        "crash matrix {} {half:?}: {} places, {changed} ended changed, 0 lost",
        change[0],
        places.len()
    );
    // Killed before the first step nothing has changed; killed after the last it must have.
    assert!(
        changed < places.len() && changed > 0,
        "{changed} of {}",
        places.len()
    );
}

#[test]
fn a_refresh_survives_kill_9_of_the_customer_at_every_step() {
    matrix(Half::Customer, &["refresh"]);
}

#[test]
fn a_refresh_survives_kill_9_of_the_provider_at_every_step() {
    matrix(Half::Provider, &["refresh"]);
}

#[test]
fn a_reshare_survives_kill_9_of_the_customer_at_every_step() {
    matrix(Half::Customer, &["reshare", "--scheme", "TWO_OF_THREE"]);
}

#[test]
fn a_reshare_survives_kill_9_of_the_provider_at_every_step() {
    matrix(Half::Provider, &["reshare", "--scheme", "TWO_OF_THREE"]);
}
