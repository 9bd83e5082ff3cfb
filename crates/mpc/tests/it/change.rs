//! Refresh, reshare and the replacement of a share: the same key, other shares.

use std::collections::BTreeMap;
use std::sync::Arc;

use halfkey_core::wire::ChangeOperation;
use halfkey_core::{
    AttemptId, CeremonyId, Generation, KeyType, PartyIndex, ShareSetId, Signature,
    ThresholdSignatureScheme,
};
use halfkey_mpc::simulate::{Parties, to_end};
use halfkey_mpc::test_shares::identity;
use halfkey_mpc::{Change, Error, KeyShare, Keygen, NextShares, Sign};

use crate::run::*;

pub(crate) type Shares = BTreeMap<PartyIndex, Arc<KeyShare>>;

pub(crate) fn ready_made(key_type: KeyType, scheme: ThresholdSignatureScheme) -> Shares {
    PartyIndex::all(scheme)
        .iter()
        .map(|party| (*party, share(key_type, scheme, *party)))
        .collect()
}

pub(crate) fn next(shares: &Shares, operation: ChangeOperation) -> NextShares {
    let header = shares[&P].header();
    let number = header.generation.0 + 1;
    let scheme = match (operation, header.scheme) {
        (ChangeOperation::Reshare, TwoOfTwo) => TwoOfThree,
        (ChangeOperation::Reshare, TwoOfThree) => TwoOfTwo,
        (_, scheme) => scheme,
    };
    let share_set = match operation {
        ChangeOperation::Refresh => header.share_set,
        _ => ShareSetId::from_bytes([0xB0 + u8::try_from(number).unwrap(); 16]),
    };
    NextShares {
        operation,
        scheme,
        lost: None,
        generation: Generation(number),
        attempt: AttemptId::from_bytes([0xC0 + u8::try_from(number).unwrap(); 16]),
        share_set,
        ceremony: CeremonyId::from_bytes([0xD0; 16]),
    }
}

/// The parties of a change, each with its own old share where it has one that is not lost.
pub(crate) fn parties(old: &Shares, next: &NextShares) -> Parties<KeyShare> {
    let change = Change::new(&old[&P], next).unwrap();
    let mut parties: Parties<KeyShare> = Parties::new();
    for party in PartyIndex::all(next.scheme) {
        let own = old.get(party).filter(|_| next.lost != Some(*party));
        // Drawn anew by each change: from the same coins two in a row make the same line.
        let seed = rng(u64::from(party.as_u8()) + 10 * next.generation.0);
        let keygen = if *party == P {
            Keygen::provider_change(change.clone(), own.unwrap(), &identity(), seed)
        } else {
            let pinned = identity().verifying_key();
            Keygen::customer_change(change.clone(), *party, own.map(|own| &**own), &pinned, seed)
        };
        parties.insert(*party, Box::new(keygen.unwrap()));
    }
    parties
}

pub(crate) fn change(old: &Shares, next: &NextShares) -> Shares {
    to_end(parties(old, next))
        .results
        .into_iter()
        .map(|(party, share)| (party, Arc::new(share.unwrap())))
        .collect()
}

/// A signature of one pair, if there is one.
fn sign(initiator: &Arc<KeyShare>, responder: &Arc<KeyShare>) -> Result<Signature, Error> {
    let params = sign_params(initiator, responder.header().party);
    let one = Sign::initiator(Arc::clone(initiator), params, rng(1))?;
    let params = sign_params(responder, initiator.header().party);
    let two = Sign::responder(Arc::clone(responder), params, rng(2))?;
    let mut parties: Parties<Option<Signature>> = Parties::new();
    parties.insert(initiator.header().party, Box::new(one));
    parties.insert(responder.header().party, Box::new(two));
    let mut results = to_end(parties).results;
    // One that waits for an answer that never comes has no result.
    let made = results.remove(&initiator.header().party);
    made.unwrap_or(Err(Error::Suspect)).map(Option::unwrap)
}

/// Every pair of a set signs for the key it should be, and the shares say what they are.
fn assert_works(shares: &Shares, before: &Shares, next: &NextShares) {
    let old = before[&P].header();
    for (party, share) in shares {
        let header = share.header();
        assert_eq!(header.party, *party);
        assert_eq!(header.wallet, old.wallet);
        assert_eq!(header.generation, next.generation);
        assert_eq!(header.attempt, next.attempt);
        assert_eq!(header.share_set, next.share_set);
        assert_eq!(header.scheme, next.scheme);
        assert_eq!(header.derivation_path, old.derivation_path);
        assert_eq!(header.group_public_key, old.group_public_key);
        assert_eq!(
            share.account_public_key(),
            before[&P].account_public_key(),
            "the chain code stayed"
        );
        assert!(header.custody_origin.was_2of3() || next.scheme == TwoOfTwo);
        assert_eq!(
            header.custody_origin.origin(),
            old.custody_origin.origin(),
            "a change makes no other claim"
        );
        // It reads back as itself.
        let again = KeyShare::decode(&share.encode().unwrap()).unwrap();
        assert_eq!(again.header(), header);
    }
    let customers: Vec<_> = shares.keys().filter(|party| **party != P).collect();
    for customer in &customers {
        sign(&shares[customer], &shares[&P]).unwrap();
    }
    if let [one, two] = customers.as_slice() {
        sign(&shares[one], &shares[two]).unwrap();
    }
}

/// Shares of before and after are of no use to each other, by what the engine says and by what
/// their scalars make.
fn assert_apart(new: &Shares, old: &Shares) {
    let key = &old[&P].header().group_public_key;
    let together = |a: &Shares, b: &Shares| {
        let parties = a
            .keys()
            .flat_map(|one| b.keys().map(move |two| (*one, *two)));
        parties.filter(|(one, two)| one != two).collect::<Vec<_>>()
    };
    for (one, two) in together(new, old) {
        if one != P {
            assert!(
                sign(&new[&one], &old[&two]).is_err(),
                "new {one}, old {two}"
            );
        }
        assert_ne!(
            recombined(&new[&one], &old[&two]),
            *key,
            "new {one}, old {two}"
        );
    }
    for (one, two) in together(old, new) {
        if one != P {
            assert!(
                sign(&old[&one], &new[&two]).is_err(),
                "old {one}, new {two}"
            );
        }
    }
    for shares in [old, new] {
        for (one, two) in together(shares, shares) {
            assert_eq!(
                recombined(&shares[&one], &shares[&two]),
                *key,
                "{one}, {two}"
            );
        }
    }
    for party in old.keys().filter(|party| new.contains_key(party)) {
        assert_ne!(
            old[party].verifying_shares().unwrap()[party],
            new[party].verifying_shares().unwrap()[party],
        );
    }
}

/// The public key of the line through two shares: what anyone would get who holds their scalars and
/// asks no library whether they belong together.
fn recombined(one: &KeyShare, two: &KeyShare) -> Vec<u8> {
    let scalar_of = |share: &KeyShare| -> [u8; 32] {
        let secrets = share.secret_canaries();
        secrets[0].expose().try_into().unwrap()
    };
    let [(x1, y1), (x2, y2)] =
        [one, two].map(|share| (share.header().party.as_u8(), scalar_of(share)));
    if one.header().key_type == EcdsaSecp256k1 {
        use k256::elliptic_curve::PrimeField as _;
        use k256::elliptic_curve::group::GroupEncoding as _;
        use k256::{ProjectivePoint, Scalar};
        let of = |bytes: [u8; 32]| Scalar::from_repr(bytes.into()).unwrap();
        let [x1, x2] = [x1, x2].map(|x| Scalar::from(u64::from(x)));
        let to_one = x2 * (x2 - x1).invert().unwrap();
        let to_two = x1 * (x1 - x2).invert().unwrap();
        let whole = to_one * of(y1) + to_two * of(y2);
        (ProjectivePoint::GENERATOR * whole)
            .to_affine()
            .to_bytes()
            .to_vec()
    } else {
        use curve25519_dalek::edwards::EdwardsPoint;
        use curve25519_dalek::scalar::Scalar;
        let of = |bytes: [u8; 32]| Scalar::from_canonical_bytes(bytes).unwrap();
        let [x1, x2] = [x1, x2].map(Scalar::from);
        let to_one = x2 * (x2 - x1).invert();
        let to_two = x1 * (x1 - x2).invert();
        let whole = to_one * of(y1) + to_two * of(y2);
        EdwardsPoint::mul_base(&whole)
            .compress()
            .to_bytes()
            .to_vec()
    }
}

#[test]
fn a_refresh_makes_other_shares_of_the_same_key() {
    for key_type in [EcdsaSecp256k1, Ed25519Exportable, Ed25519Standard] {
        let old = ready_made(key_type, TwoOfTwo);
        let wanted = next(&old, ChangeOperation::Refresh);
        let new = change(&old, &wanted);
        assert_works(&new, &old, &wanted);
        assert_apart(&new, &old);
        if key_type != EcdsaSecp256k1 {
            // And once more.
            let wanted = next(&new, ChangeOperation::Refresh);
            assert_works(&change(&new, &wanted), &new, &wanted);
        }
    }
}

#[test]
fn a_refresh_of_two_of_three_takes_all_three() {
    for key_type in [EcdsaSecp256k1, Ed25519Exportable, Ed25519Standard] {
        let old = ready_made(key_type, TwoOfThree);
        let wanted = next(&old, ChangeOperation::Refresh);
        let new = change(&old, &wanted);
        assert_works(&new, &old, &wanted);
        assert_apart(&new, &old);
    }
}

#[test]
fn a_reshare_goes_there_and_back() {
    for key_type in [Ed25519Exportable, Ed25519Standard] {
        let old = ready_made(key_type, TwoOfTwo);
        let wanted = next(&old, ChangeOperation::Reshare);
        let three = change(&old, &wanted);
        assert_works(&three, &old, &wanted);
        assert_apart(&three, &old);
        let back = next(&three, ChangeOperation::Reshare);
        let two = change(&three, &back);
        assert_works(&two, &three, &back);
        assert_apart(&two, &three);
        assert!(
            two[&P].header().custody_origin.was_2of3(),
            "flags are only ever added"
        );
    }
}

#[test]
fn an_ecdsa_reshare_goes_there() {
    let old = ready_made(EcdsaSecp256k1, TwoOfTwo);
    let wanted = next(&old, ChangeOperation::Reshare);
    let new = change(&old, &wanted);
    assert_works(&new, &old, &wanted);
    assert_apart(&new, &old);
}

#[test]
fn an_ecdsa_reshare_goes_back() {
    let old = ready_made(EcdsaSecp256k1, TwoOfThree);
    let wanted = next(&old, ChangeOperation::Reshare);
    let new = change(&old, &wanted);
    assert_works(&new, &old, &wanted);
    assert_apart(&new, &old);
}

#[test]
fn a_lost_share_is_replaced() {
    for key_type in [Ed25519Exportable, Ed25519Standard] {
        for lost in [C1, C2] {
            let old = ready_made(key_type, TwoOfThree);
            let wanted = NextShares {
                lost: Some(lost),
                ..next(&old, ChangeOperation::ReplaceShare)
            };
            let new = change(&old, &wanted);
            assert_works(&new, &old, &wanted);
            assert_apart(&new, &old);
        }
    }
}

#[test]
fn a_lost_ecdsa_share_is_replaced() {
    let old = ready_made(EcdsaSecp256k1, TwoOfThree);
    let wanted = NextShares {
        lost: Some(C1),
        ..next(&old, ChangeOperation::ReplaceShare)
    };
    let new = change(&old, &wanted);
    assert_works(&new, &old, &wanted);
    assert_apart(&new, &old);
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_sent() {
    let old = ready_made(Ed25519Standard, TwoOfThree);
    let good = next(&old, ChangeOperation::Refresh);
    let bad = [
        NextShares {
            scheme: TwoOfTwo,
            ..good
        },
        NextShares {
            lost: Some(C1),
            ..good
        },
        NextShares {
            generation: Generation(0),
            ..good
        },
        NextShares {
            share_set: ShareSetId::from_bytes([1; 16]),
            ..good
        },
        NextShares {
            operation: ChangeOperation::Reshare,
            ..good
        },
        NextShares {
            operation: ChangeOperation::ReplaceShare,
            ..good
        },
        NextShares {
            operation: ChangeOperation::ReplaceShare,
            lost: Some(P),
            share_set: ShareSetId::from_bytes([1; 16]),
            ..good
        },
    ];
    for next in bad {
        let error = Change::new(&old[&P], &next).unwrap_err();
        assert!(matches!(error, Error::Caller(_)), "{next:?}: {error}");
    }
    let change = Change::new(&old[&P], &good).unwrap();
    let pinned = identity().verifying_key();
    let wrong = |party, share: Option<&KeyShare>| {
        Keygen::customer_change(change.clone(), party, share, &pinned, rng(1)).map(drop)
    };
    let other = share(Ed25519Exportable, TwoOfThree, C1);
    for (party, share) in [
        (P, Some(&*old[&P])),
        (C1, Some(&*old[&C2])),
        (C1, Some(&*other)),
        (C1, Some(&*with_generation(&old[&C1], 1))),
        (C1, None),
    ] {
        assert!(
            matches!(wrong(party, share), Err(Error::Caller(_))),
            "{party}"
        );
    }
    wrong(C1, Some(&*old[&C1])).unwrap();
}
