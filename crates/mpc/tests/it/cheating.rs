//! A peer that holds the channel key and sends a well-formed but wrong message (custody rule 13).

use std::sync::Arc;

use halfkey_core::{PartyIndex, Signature};
use halfkey_mpc::Error;
use halfkey_mpc::simulate::{Cheat, CheatingSign, Parties, Run, to_end};

use crate::run::*;

fn cheating_customer(pair: &Pair, cheat: Cheat) -> Run<Option<Signature>> {
    let params = pair.initiator_params();
    let cheater =
        CheatingSign::initiator(Arc::clone(&pair.initiator), params, rng(1), cheat).unwrap();
    let mut parties: Parties<Option<Signature>> = Parties::new();
    parties.insert(pair.initiator.header().party, Box::new(cheater));
    parties.insert(pair.responder.header().party, Box::new(pair.responder()));
    to_end(parties)
}

fn cheating_provider(pair: &Pair, cheat: Cheat) -> Run<Option<Signature>> {
    let params = pair.responder_params();
    let cheater =
        CheatingSign::responder(Arc::clone(&pair.responder), params, rng(1), cheat).unwrap();
    let mut parties: Parties<Option<Signature>> = Parties::new();
    parties.insert(pair.initiator.header().party, Box::new(pair.initiator()));
    parties.insert(pair.responder.header().party, Box::new(cheater));
    to_end(parties)
}

fn assert_proven(result: &Result<Option<Signature>, Error>, culprit: PartyIndex) {
    let Err(error) = result else {
        panic!("{result:?}")
    };
    assert!(
        matches!(error, Error::PeerMisbehaved { culprit: found, .. } if *found == culprit),
        "{error:?}"
    );
    assert_eq!(error.fault(), halfkey_core::Fault::Peer);
    assert!(!error.fault().is_retryable());
}

#[test]
fn the_provider_proves_a_cheating_customer() {
    for pair in [
        Pair::load(EcdsaSecp256k1, TwoOfTwo),
        Pair::load(EcdsaSecp256k1, TwoOfThree),
    ] {
        for cheat in Cheat::PROVEN {
            assert_proven(&cheating_customer(&pair, cheat).results[&P], C1);
        }
    }
}

#[test]
fn the_customer_proves_a_cheating_provider() {
    let pair = Pair::load(EcdsaSecp256k1, TwoOfTwo);
    for cheat in Cheat::PROVEN {
        assert_proven(&cheating_provider(&pair, cheat).results[&C1], P);
    }
}

#[test]
fn the_customers_second_party_proves_too() {
    let initiator = share(EcdsaSecp256k1, TwoOfThree, C2);
    let pair = Pair {
        initiator,
        responder: share(EcdsaSecp256k1, TwoOfThree, P),
    };
    assert_proven(
        &cheating_provider(&pair, Cheat::OtExtension).results[&C2],
        P,
    );
    assert_proven(
        &cheating_customer(&pair, Cheat::Multiplication).results[&P],
        C2,
    );
}

#[test]
fn a_wrong_last_value_is_suspect_and_yields_no_signature() {
    let pair = Pair::load(EcdsaSecp256k1, TwoOfTwo);
    let run = cheating_customer(&pair, Cheat::LastValue);
    assert_eq!(run.results[&P], Err(Error::Suspect));
    let run = cheating_provider(&pair, Cheat::LastValue);
    assert_eq!(run.results[&C1], Err(Error::Suspect));
}

#[test]
fn a_wrong_ed25519_signature_share_costs_the_ceremony_and_never_the_wallet() {
    let pair = Pair::load(Ed25519Exportable, TwoOfTwo);
    let run = cheating_provider(&pair, Cheat::LastValue);
    let Err(error) = &run.results[&C1] else {
        panic!("accepted")
    };
    assert_refused(error, P);
}

/// The control: the same wrapper without a deviation signs.
#[test]
fn a_cheat_that_has_no_place_in_ed25519_changes_nothing() {
    let pair = Pair::load(Ed25519Standard, TwoOfTwo);
    let run = cheating_customer(&pair, Cheat::OtExtension);
    assert!(run.results[&C1].is_ok());
}
