//! What the provider sees of a wallet with two customer parties (custody rules 1 and 2).

use halfkey_core::PartyIndex;
use halfkey_core::wire::CeremonyMessage;
use halfkey_mpc::simulate::to_end;
use halfkey_mpc::{Ceremony, Error};
use k256::elliptic_curve::ff::{Field, PrimeField};
use k256::elliptic_curve::group::GroupEncoding;
use k256::{ProjectivePoint, Scalar};

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

#[test]
fn the_provider_never_sees_two_evaluations_of_one_polynomial() {
    let run = to_end(keygen_parties(&params(EcdsaSecp256k1, TwoOfThree), 1));
    let mut shares = run.results;
    let public = shares
        .remove(&P)
        .unwrap()
        .unwrap()
        .verifying_shares()
        .unwrap();
    let seen = to_provider(&run.sent);
    assert_eq!(seen.len(), 4, "two from each customer");
    assert!(seen.iter().all(|message| message.from != P));

    // What the customers told each other: c1's polynomial at 3 and c2's at 2.
    let local: Vec<_> = run
        .sent
        .iter()
        .filter(|m| m.from != P && m.to != P && m.body.0[1] == 1)
        .collect();
    assert_eq!(local.len(), 2);
    for message in &local {
        let secret = fragment(message).to_repr();
        for message in &seen {
            let leaked = message
                .body
                .0
                .windows(32)
                .any(|window| window == secret.as_slice());
            assert!(!leaked, "an evaluation for a customer reached the provider");
        }
    }
    // Two evaluations would be the polynomial and with it the key. Whatever the provider was sent,
    // no scalar in it is a customer's share.
    let customers = [C1, C2].map(|party| public[&party].clone());
    for message in &seen {
        for scalar in scalars_in(&message.body.0)
            .step_by(97)
            .chain([fragment_or_zero(message)])
        {
            let point = (ProjectivePoint::GENERATOR * scalar).to_affine().to_bytes();
            assert!(
                !customers
                    .iter()
                    .any(|share| share.as_slice() == point.as_slice())
            );
        }
    }
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
    let initiate = |share: &std::sync::Arc<halfkey_mpc::KeyShare>, with| {
        Sign::initiator(share.clone(), sign_params(share, with), rng(1)).map(drop)
    };
    let respond = |share: &std::sync::Arc<halfkey_mpc::KeyShare>, with| {
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
