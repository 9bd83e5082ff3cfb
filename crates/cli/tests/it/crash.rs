//! kill -9 of either half at every durable and network step of create (custody rules 6 to 9).
//!
//! A first run records every place it passes; then each place gets a run of its own in which the
//! process is killed exactly there. Afterwards both halves start again, pending wallets are
//! settled, and it must hold that every wallet the provider calls active signs, and that no share
//! that was once stored is gone.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use serde_json::Value;

use crate::support::{Home, Provider, must_succeed};

/// One kind of wallet the matrix runs for.
#[derive(Clone, Copy)]
struct Case {
    chain: &'static str,
    scheme: &'static str,
    variant: &'static str,
}

const SVM_2OF2: Case = Case {
    chain: "SVM",
    scheme: "TWO_OF_TWO",
    variant: "ed25519Exportable",
};
const SVM_2OF3: Case = Case {
    chain: "SVM",
    scheme: "TWO_OF_THREE",
    variant: "ed25519Standard",
};
const EVM_2OF2: Case = Case {
    chain: "EVM",
    scheme: "TWO_OF_TWO",
    variant: "ed25519Exportable",
};

impl Case {
    fn create(self) -> [&'static str; 8] {
        [
            "wallet",
            "create",
            "--chain",
            self.chain,
            "--scheme",
            self.scheme,
            "--variant",
            self.variant,
        ]
    }
}

/// Which process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Customer,
    Provider,
}

/// Every place a create passes in `half`, in order.
fn places(case: Case, half: Half) -> Vec<String> {
    let home = Home::initialised();
    let trace = home.path().join("trace");
    let mut serve = home.command(&["--json", "serve", "--listen", "127.0.0.1:0"]);
    if half == Half::Provider {
        serve.env("HALFKEY_CRASH_TRACE", &trace);
    }
    let provider = Provider::start(serve);
    let before = read_lines(&trace).len();
    let mut create = home.against(&provider, &case.create());
    if half == Half::Customer {
        create.env("HALFKEY_CRASH_TRACE", &trace);
    }
    must_succeed(&create.output().unwrap());
    read_lines(&trace).split_off(before)
}

fn read_lines(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Kills `half` at `place`, starts both again and checks what must hold. Returns whether the
/// create had already ended in an active wallet.
fn kill_at(case: Case, half: Half, place: &str) -> bool {
    let context = format!("{} {} {half:?} killed at {place}", case.chain, case.scheme);
    let home = Home::initialised();
    let mut serve = home.command(&["--json", "serve", "--listen", "127.0.0.1:0"]);
    if half == Half::Provider {
        serve.env("HALFKEY_CRASH_AT", place);
    }
    let provider = Provider::start(serve);
    let mut create = home.against(&provider, &case.create());
    if half == Half::Customer {
        create.env("HALFKEY_CRASH_AT", place);
    }
    let output = create.output().unwrap();
    let killed = output.status.signal() == Some(9);
    assert_eq!(killed, half == Half::Customer, "{context}: {output:?}");
    let stored = share_records(&home);
    provider.kill();

    let provider = home.serve();
    home.json(&provider, &["wallet", "resume"]);
    let left = share_records(&home);
    for share in &stored {
        assert!(left.contains(share), "{context}: a stored share is gone");
    }
    let listed = home.json(&provider, &["wallet", "list"]);
    let mut active = 0;
    for wallet in listed["wallets"].as_array().unwrap() {
        if wallet["state"] == "active" {
            active += 1;
            must_sign(&home, &provider, wallet, &context);
        }
    }
    assert_eq!(
        active,
        active_at_provider(&home),
        "{context}: the provider has an active wallet that the customer does not list"
    );
    // Whatever happened, the next create works.
    must_succeed(&home.against(&provider, &case.create()).output().unwrap());
    active > 0
}

fn must_sign(home: &Home, provider: &Provider, wallet: &Value, context: &str) {
    let address = wallet["account_address"].as_str().unwrap();
    let output = home
        .against(provider, &["wallet", "sign-message", address, "still here"])
        .output();
    let output = output.unwrap();
    assert!(
        output.status.success(),
        "{context}: active wallet does not sign: {output:?}"
    );
}

/// SHA-256 free identity of every stored share: its attempt and party, from the record's name.
/// (The active record is a copy of the staged one, so names are reduced to what they hold.)
fn share_records(home: &Home) -> BTreeSet<Vec<u8>> {
    crate::support::sealed_shares(&home.path().join("customer"))
}

/// Active wallets as the provider's own database has them.
fn active_at_provider(home: &Home) -> usize {
    crate::support::active_wallets(&home.path().join("provider"))
}

fn matrix(case: Case, half: Half) {
    let places = places(case, half);
    assert!(
        places.len() >= 4,
        "{half:?} passes hardly any place: {places:?}"
    );
    let mut finished = 0;
    for place in &places {
        finished += usize::from(kill_at(case, half, place));
    }
    println!(
        "crash matrix {} {} {half:?}: {} places, {finished} ended active, 0 lost",
        case.chain,
        case.scheme,
        places.len(),
    );
    // Killed before the first step nothing can be active; killed after the last it must be.
    assert!(
        finished < places.len() && finished > 0,
        "{finished} of {}",
        places.len()
    );
}

#[test]
fn svm_two_of_two_survives_kill_9_of_the_customer_at_every_step() {
    matrix(SVM_2OF2, Half::Customer);
}

#[test]
fn svm_two_of_two_survives_kill_9_of_the_provider_at_every_step() {
    matrix(SVM_2OF2, Half::Provider);
}

#[test]
fn svm_two_of_three_survives_kill_9_of_the_customer_at_every_step() {
    matrix(SVM_2OF3, Half::Customer);
}

#[test]
fn svm_two_of_three_survives_kill_9_of_the_provider_at_every_step() {
    matrix(SVM_2OF3, Half::Provider);
}

#[test]
fn evm_two_of_two_survives_kill_9_of_the_customer_at_every_step() {
    matrix(EVM_2OF2, Half::Customer);
}

#[test]
fn evm_two_of_two_survives_kill_9_of_the_provider_at_every_step() {
    matrix(EVM_2OF2, Half::Provider);
}
