//! kill -9 of either half at every durable and network step of create (custody rules 6 to 9).
//!
//! A first run records every place it passes; then each place gets a run of its own in which the
//! process kills itself exactly there; one that passes the place alive fails the test. Afterwards
//! both halves start again, pending wallets are settled, and it must hold that every wallet the
//! provider calls active signs, and that no share that either half once stored is gone.

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
const EVM_2OF3: Case = Case {
    chain: "EVM",
    scheme: "TWO_OF_THREE",
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
pub(crate) enum Half {
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

pub(crate) fn read_lines(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Kills `half` at `place`, starts both again and checks what must hold. Returns whether the
/// create had already ended in an active wallet.
fn kill_at(case: Case, half: Half, place: &str) -> bool {
    let context = format!("{} {} {half:?} killed at {place}", case.chain, case.scheme);
    let home = Home::initialised();
    let trace = home.path().join("trace");
    let mut serve = home.command(&["--json", "serve", "--listen", "127.0.0.1:0"]);
    if half == Half::Provider {
        serve.env("HALFKEY_CRASH_AT", place);
        serve.env("HALFKEY_CRASH_TRACE", &trace);
    }
    let provider = Provider::start(serve);
    let mut create = home.against(&provider, &case.create());
    if half == Half::Customer {
        create.env("HALFKEY_CRASH_AT", place);
        create.env("HALFKEY_CRASH_TRACE", &trace);
    }
    let output = create.output().unwrap();
    // Written by the process just before it kills itself, which nobody else does.
    let death = format!("died at {place}");
    let came_there = read_lines(&trace).contains(&death);
    assert!(came_there, "{context}: it never came there: {output:?}");
    if half == Half::Provider {
        assert_eq!(output.status.signal(), None, "{context}: {output:?}");
        assert_eq!(provider.died().signal(), Some(9), "{context}");
    } else {
        assert_eq!(output.status.signal(), Some(9), "{context}: {output:?}");
        provider.kill();
    }
    let stored = Shares::of(&home);

    let provider = home.serve();
    home.json(&provider, &["wallet", "resume"]);
    stored.must_be_in(&Shares::of(&home), &context);
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
    // Keygen never runs twice for one wallet, so what signs was at rest on both sides.
    assert!(active == 0 || stored.are_at_both(), "{context}");
    // Whatever happened, the next create works; of the cheap kind where that is another.
    let next = if case.chain == "EVM" { SVM_2OF2 } else { case };
    must_succeed(&home.against(&provider, &next.create()).output().unwrap());
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

/// The bytes of every sealed share at rest.
pub(crate) struct Shares {
    customer: BTreeSet<Vec<u8>>,
    provider: BTreeSet<Vec<u8>>,
}

impl Shares {
    pub(crate) fn of(home: &Home) -> Self {
        Self {
            customer: crate::support::sealed_shares(&home.path().join("customer")),
            provider: crate::support::provider_shares(&home.path().join("provider")),
        }
    }

    fn are_at_both(&self) -> bool {
        !self.customer.is_empty() && !self.provider.is_empty()
    }

    pub(crate) fn must_be_in(&self, later: &Self, context: &str) {
        let customers = self.customer.is_subset(&later.customer);
        assert!(customers, "{context}: a share the customer stored is gone");
        let providers = self.provider.is_subset(&later.provider);
        assert!(providers, "{context}: a share the provider stored is gone");
    }
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
    let finished = kill_at_each(case, half, &places);
    // Killed before the first step nothing can be active; killed after the last it must be.
    assert!(
        finished < places.len() && finished > 0,
        "{finished} of {}",
        places.len()
    );
}

/// How many of the creates had ended in an active wallet.
fn kill_at_each(case: Case, half: Half, places: &[String]) -> usize {
    let mut finished = 0;
    for place in places {
        finished += usize::from(kill_at(case, half, place));
    }
    println!(
        "crash matrix {} {} {half:?}: {} places, {finished} ended active, 0 lost",
        case.chain,
        case.scheme,
        places.len(),
    );
    finished
}

/// The matrix would prove nothing if a place could be missed.
#[test]
#[should_panic(expected = "it never came there")]
fn a_provider_that_passes_no_such_place_fails_the_matrix() {
    kill_at(SVM_2OF2, Half::Provider, "nowhere:1");
}

#[test]
#[should_panic(expected = "it never came there")]
fn a_customer_that_passes_no_such_place_fails_the_matrix() {
    kill_at(SVM_2OF2, Half::Customer, "nowhere:1");
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

/// Keygen of three ECDSA parties costs ten times that of two Ed25519 ones, and passes the same
/// places as `svm_two_of_three`; so only the last passing of each kind of place gets a run here.
/// What differs is what is stored: shares of 105 kB, two of them at the customer.
fn reduced_matrix(case: Case, half: Half) {
    let places = places(case, half);
    let cheap = self::places(SVM_2OF3, half);
    assert_eq!(
        places, cheap,
        "{half:?}: other places, so the cheap matrix covers none of them"
    );
    let kind = |place: &String| place.split(':').next().unwrap().to_owned();
    let last: Vec<String> = places
        .iter()
        .enumerate()
        .filter(|(at, place)| {
            !places[at + 1..]
                .iter()
                .any(|later| kind(later) == kind(place))
        })
        .map(|(_, place)| place.clone())
        .collect();
    let finished = kill_at_each(case, half, &last);
    assert!(
        finished < last.len() && finished > 0,
        "{finished} of {}",
        last.len()
    );
}

#[test]
fn evm_two_of_three_survives_kill_9_of_the_customer_at_each_kind_of_step() {
    reduced_matrix(EVM_2OF3, Half::Customer);
}

#[test]
fn evm_two_of_three_survives_kill_9_of_the_provider_at_each_kind_of_step() {
    reduced_matrix(EVM_2OF3, Half::Provider);
}
