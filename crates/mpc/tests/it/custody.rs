//! What the provider sees of a wallet with two customer parties (custody rules 1 and 2).

use std::collections::BTreeMap;

use halfkey_core::wire::{CeremonyMessage, ChangeOperation};
use halfkey_core::{PartyIndex, ThresholdSignatureScheme};
use halfkey_mpc::simulate::{Run, to_end};
use halfkey_mpc::{Ceremony, Error, KeyShare, NextShares};
use k256::elliptic_curve::ff::{Field, PrimeField};
use k256::elliptic_curve::group::GroupEncoding;
use k256::{ProjectivePoint, Scalar};

use crate::change::{self, next, ready_made};
use crate::run::*;

fn to_provider(sent: &[CeremonyMessage]) -> Vec<&CeremonyMessage> {
    sent.iter().filter(|message| message.to == P).collect()
}

/// The private part of a customer's first message: its last field, `varint(32) ‖ scalar`.
fn fragment(message: &CeremonyMessage) -> Scalar {
    let body = &message.body.0;
    let (head, scalar) = body.split_at(body.len() - 32);
    assert_eq!(head.last(), Some(&32));
    let bytes: [u8; 32] = scalar.try_into().unwrap();
    Scalar::from_repr(bytes.into()).unwrap()
}

/// Every window of 32 bytes that is a canonical scalar.
fn scalars_in(bytes: &[u8]) -> impl Iterator<Item = Scalar> {
    bytes.windows(32).filter_map(|window| {
        let bytes: [u8; 32] = window.try_into().unwrap();
        Scalar::from_repr(bytes.into()).into_option()
    })
}

/// Asserts that of every customer's ECDSA polynomial the provider was sent one value, the one for
/// itself, and neither another value nor the constant term, where it is a secret. Returns the
/// constant terms.
pub(crate) fn assert_provider_learns_no_polynomial(
    run: &Run<KeyShare>,
) -> BTreeMap<PartyIndex, Scalar> {
    let seen = to_provider(&run.sent);
    assert_eq!(seen.len(), 4, "two from each customer");
    assert!(seen.iter().all(|message| message.from != P));
    let value = |from, to| {
        let mut first = run.sent.iter().filter(|m| m.body.0[1] == 1);
        fragment(first.find(|m| m.from == from && m.to == to).unwrap())
    };
    let mut constants = BTreeMap::new();
    for (party, other) in [(C1, C2), (C2, C1)] {
        // The whole polynomial, from its values for the provider and for the other customer, which
        // are both here and nowhere else.
        let (one, two) = (value(party, P), value(party, other));
        let distance = Scalar::from(u64::from(other.as_u8() - P.as_u8()));
        let slope = (two - one) * distance.invert().unwrap();
        let constant = one - slope;
        let own = constant + slope * Scalar::from(u64::from(party.as_u8()));
        // Of a party that puts nothing in the constant term is no secret.
        let secrets = [own, two, constant];
        for secret in secrets.iter().filter(|secret| **secret != Scalar::ZERO) {
            let secret = secret.to_repr();
            for message in &seen {
                let mut windows = message.body.0.windows(32);
                let leaked = windows.any(|window| window == secret.as_slice());
                assert!(
                    !leaked,
                    "the provider saw a second value of {party}'s polynomial"
                );
            }
        }
        constants.insert(party, constant);
    }
    constants
}

/// Asserts that no scalar the provider was sent is the secret of one of these public shares.
fn assert_no_share_in(seen: &[&CeremonyMessage], shares: &[Vec<u8>]) {
    for message in seen {
        for scalar in scalars_in(&message.body.0)
            .step_by(97)
            .chain([fragment_or_zero(message)])
        {
            let point = (ProjectivePoint::GENERATOR * scalar).to_affine().to_bytes();
            assert!(
                !shares
                    .iter()
                    .any(|share| share.as_slice() == point.as_slice())
            );
        }
    }
}

#[test]
fn the_provider_never_sees_two_evaluations_of_one_polynomial() {
    let run = to_end(keygen_parties(&params(EcdsaSecp256k1, TwoOfThree), 1));
    assert_provider_learns_no_polynomial(&run);
    let made = run.results[&P].as_ref().unwrap();
    let public = made.verifying_shares().unwrap();
    let customers = [C1, C2].map(|party| public[&party].clone());
    assert_no_share_in(&to_provider(&run.sent), &customers);
}

/// The weight of `own` at zero, from `parties`.
fn weight(own: PartyIndex, parties: &[PartyIndex]) -> Scalar {
    let x = |party: PartyIndex| Scalar::from(u64::from(party.as_u8()));
    let others = parties.iter().filter(|party| **party != own);
    others
        .map(|other| x(*other) * (x(*other) - x(own)).invert().unwrap())
        .product()
}

/// The same of new shares of an old key, where a second value would give the old share as well.
fn a_change_shows_the_provider_no_polynomial(
    from: ThresholdSignatureScheme,
    operation: ChangeOperation,
    lost: Option<PartyIndex>,
    contributors: &[PartyIndex],
) {
    let old = ready_made(EcdsaSecp256k1, from);
    let next = NextShares {
        lost,
        ..next(&old, operation)
    };
    let run = to_end(change::parties(&old, &next));
    let before = old[&P].verifying_shares().unwrap();
    let made = run.results[&P].as_ref().unwrap();
    let after = made.verifying_shares().unwrap();
    for (party, constant) in assert_provider_learns_no_polynomial(&run) {
        // What was read above is what this is about: the weighted old share, or nothing.
        let expected = if contributors.contains(&party) {
            let old = k256::PublicKey::from_sec1_bytes(&before[&party]).unwrap();
            old.to_projective() * weight(party, contributors)
        } else {
            ProjectivePoint::IDENTITY
        };
        assert_eq!(ProjectivePoint::GENERATOR * constant, expected, "{party}");
    }
    let of_customers = before
        .iter()
        .chain(&after)
        .filter(|(party, _)| **party != P);
    let of_customers: Vec<_> = of_customers.map(|(_, share)| share.clone()).collect();
    assert_no_share_in(&to_provider(&run.sent), &of_customers);
}

#[test]
fn the_provider_sees_no_two_evaluations_in_a_refresh() {
    let all = [P, C1, C2];
    a_change_shows_the_provider_no_polynomial(TwoOfThree, ChangeOperation::Refresh, None, &all);
}

#[test]
fn the_provider_sees_no_two_evaluations_in_a_reshare() {
    let both = [P, C1];
    a_change_shows_the_provider_no_polynomial(TwoOfTwo, ChangeOperation::Reshare, None, &both);
}

#[test]
fn the_provider_sees_no_two_evaluations_when_a_share_is_replaced() {
    let (operation, rest) = (ChangeOperation::ReplaceShare, [P, C2]);
    a_change_shows_the_provider_no_polynomial(TwoOfThree, operation, Some(C1), &rest);
}

/// The key share of the provider is `2 f(2) − f(3)` of its own polynomial and `g(1) + h(1)` of the
/// customers', which do cross. So whoever reads both of the provider's values on the wire has its
/// share: tried with every pair of scalars in its first messages, by the points they make.
#[test]
fn the_provider_s_share_is_not_made_from_what_crosses_the_wire() {
    let run = to_end(keygen_parties(&params(EcdsaSecp256k1, TwoOfThree), 3));
    let public = run.results[&P]
        .as_ref()
        .unwrap()
        .verifying_shares()
        .unwrap();
    let point = |scalar: &Scalar| ProjectivePoint::GENERATOR * scalar;
    let crossed: Scalar = to_provider(&run.sent)
        .into_iter()
        .filter(|message| message.body.0[1] == 1)
        .map(fragment)
        .sum();
    let second = |to| {
        let mut messages = run.sent.iter().filter(|m| m.from == P && m.to == to);
        messages.find(|message| message.body.0[1] == 2).unwrap()
    };
    let doubled: std::collections::BTreeSet<Vec<u8>> = scalars_in(&second(C1).body.0)
        .map(|scalar| point(&scalar.double()).to_bytes().to_vec())
        .collect();
    let share = k256::PublicKey::from_sec1_bytes(&public[&P]).unwrap();
    let wanted = share.to_projective() - point(&crossed);
    for scalar in scalars_in(&second(C2).body.0) {
        let other = wanted + point(&scalar);
        assert!(
            !doubled.contains(other.to_bytes().as_slice()),
            "the wire is the key"
        );
    }
}

fn fragment_or_zero(message: &CeremonyMessage) -> Scalar {
    if message.body.0[1] == 1 {
        fragment(message)
    } else {
        Scalar::ZERO
    }
}

#[test]
fn customers_address_each_other_and_the_provider_refuses_what_is_theirs() {
    for key_type in [Ed25519Exportable, Ed25519Standard, EcdsaSecp256k1] {
        let params = params(key_type, TwoOfThree);
        let mut one = customer(&params, C1, 2);
        let halfkey_mpc::Action::Send(messages) = one.poll() else {
            panic!("it speaks first")
        };
        let receivers: Vec<PartyIndex> = messages.iter().map(|message| message.to).collect();
        assert_eq!(receivers, [P, C2]);
        let mut provider = provider(&params, 1);
        let error = provider.message(&messages[1]).unwrap_err();
        assert_refused(&error, C1);
        assert_refused(&failure(&mut provider), C1);
    }
}

#[test]
fn only_customers_initiate_and_only_the_right_pairs_sign() {
    use halfkey_mpc::Sign;
    let [p, c1, c2] = [P, C1, C2].map(|party| share(Ed25519Standard, TwoOfThree, party));
    let initiate = |share: &std::sync::Arc<KeyShare>, with| {
        Sign::initiator(share.clone(), sign_params(share, with), rng(1)).map(drop)
    };
    let respond = |share: &std::sync::Arc<KeyShare>, with| {
        Sign::responder(share.clone(), sign_params(share, with), rng(1)).map(drop)
    };
    assert!(matches!(initiate(&p, C1), Err(Error::Caller(_))));
    assert!(matches!(initiate(&c1, C1), Err(Error::Caller(_))));
    assert!(matches!(initiate(&c2, C1), Err(Error::Caller(_))));
    assert!(matches!(respond(&c1, P), Err(Error::Caller(_))));
    assert!(matches!(respond(&c1, C2), Err(Error::Caller(_))));
    for allowed in [
        initiate(&c1, P),
        initiate(&c2, P),
        initiate(&c1, C2),
        respond(&p, C1),
    ] {
        assert_eq!(allowed, Ok(()));
    }
    assert_eq!(respond(&c2, C1), Ok(()));
    let two_of_two = share(Ed25519Standard, TwoOfTwo, C1);
    assert!(matches!(initiate(&two_of_two, C2), Err(Error::Caller(_))));
}
