//! Every key type and scheme makes keys that sign, and nothing needs more round trips than it may.

use std::sync::Arc;

use halfkey_core::wire::Operation;
use halfkey_core::{
    CeremonyId, KeyOrigin, KeyType, PartyIndex, SecretBytes, Signature, SigningInput,
    ThresholdSignatureScheme,
};
use halfkey_mpc::sign::local_pair;
use halfkey_mpc::simulate::to_end;
use halfkey_mpc::{KeyShare, ShareHeader, test_shares};
use k256::ecdsa::signature::hazmat::PrehashVerifier;

use crate::run::*;

/// By code that knows nothing of threshold signing.
pub(crate) fn verify(public_key: &[u8], input: &SigningInput, signature: &Signature) {
    match (input, signature) {
        (SigningInput::Digest(digest), Signature::Ecdsa { r, s, recovery_id }) => {
            let key = k256::ecdsa::VerifyingKey::from_sec1_bytes(public_key).unwrap();
            let bytes = [r.as_slice(), s].concat();
            let signature = k256::ecdsa::Signature::from_slice(&bytes).unwrap();
            key.verify_prehash(digest, &signature).unwrap();
            assert_eq!(signature.normalize_s(), signature, "high s");
            let id = k256::ecdsa::RecoveryId::from_byte(*recovery_id).unwrap();
            let recovered =
                k256::ecdsa::VerifyingKey::recover_from_prehash(digest, &signature, id).unwrap();
            assert_eq!(recovered, key);
        }
        (SigningInput::Message(message), Signature::Ed25519(bytes)) => {
            let key: [u8; 32] = public_key.try_into().unwrap();
            let key = ed25519_dalek::VerifyingKey::from_bytes(&key).unwrap();
            key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(bytes))
                .unwrap();
        }
        _ => panic!("signature of another kind"),
    }
}

fn reloaded(share: &KeyShare) -> Arc<KeyShare> {
    let encoded = SecretBytes::new(share.encode().unwrap().expose().to_vec());
    let again = KeyShare::decode(&encoded).unwrap();
    assert_eq!(again.header(), share.header());
    assert_eq!(again.account_public_key(), share.account_public_key());
    assert_eq!(
        again.verifying_shares().unwrap(),
        share.verifying_shares().unwrap()
    );
    assert_eq!(again.encode().unwrap(), encoded);
    Arc::new(again)
}

fn check_header(header: &ShareHeader, key_type: KeyType, scheme: ThresholdSignatureScheme) {
    let origin = header.custody_origin;
    let dealt = key_type == Ed25519Exportable;
    assert_eq!(
        origin.origin(),
        if dealt {
            KeyOrigin::Dealt
        } else {
            KeyOrigin::Dkg
        }
    );
    assert_eq!(origin.was_2of3(), scheme == TwoOfThree);
    assert_eq!(header.wallet, test_shares::wallet(key_type, scheme));
    assert_eq!(header.generation.0, 0);
}

/// Every quorum of a set signs for its key.
pub(crate) fn signs_with_every_pair(shares: &[Arc<KeyShare>]) {
    let (provider, customers) = shares.split_first().unwrap();
    let public_key = provider.account_public_key();
    let ecdsa = provider.header().key_type == EcdsaSecp256k1;
    for customer in customers {
        let pair = Pair {
            initiator: Arc::clone(customer),
            responder: Arc::clone(provider),
        };
        let run = to_end(pair.parties());
        let signature = run.results[&customer.header().party]
            .clone()
            .unwrap()
            .unwrap();
        verify(public_key, &input_for(provider), &signature);
        // Two messages per round trip.
        assert_eq!(run.sent.len(), if ecdsa { 4 } else { 2 });
        assert_eq!(run.results[&P].clone().unwrap(), ecdsa.then_some(signature));
    }
    if let [one, two] = customers {
        let input = input_for(provider);
        let id = CeremonyId::from_bytes([5; 16]);
        let (one, two) = (Arc::clone(one), Arc::clone(two));
        let signature = local_pair(one, two, id, Operation::Proof, &input, rng(7)).unwrap();
        verify(public_key, &input, &signature);
    }
}

fn makes_keys_that_sign(key_type: KeyType, scheme: ThresholdSignatureScheme) {
    let made = to_end(keygen_parties(&params(key_type, scheme), 1));
    // Two round trips: each customer and the provider speak twice to each other; the customers
    // among themselves twice.
    let between_customers = if scheme == TwoOfThree { 4 } else { 0 };
    assert_eq!(
        made.sent.len(),
        4 * PartyIndex::customers(scheme).len() + between_customers
    );
    assert!(made.results.keys().eq(PartyIndex::all(scheme)));
    let mut shares = Vec::new();
    let mut ids = Vec::new();
    for (party, share) in made.results {
        let share = reloaded(&share.unwrap());
        assert_eq!(share.header().party, party);
        check_header(share.header(), key_type, scheme);
        ids.push(share.header().key_share);
        shares.push(share);
    }
    assert!(
        shares
            .iter()
            .all(|s| s.account_public_key() == shares[0].account_public_key())
    );
    ids.dedup();
    assert_eq!(ids.len(), shares.len(), "share ids are distinct");
    signs_with_every_pair(&shares);
}

#[test]
fn ecdsa_two_of_two_makes_keys_that_sign() {
    makes_keys_that_sign(EcdsaSecp256k1, TwoOfTwo);
}

#[test]
fn ecdsa_two_of_three_makes_keys_that_sign() {
    makes_keys_that_sign(EcdsaSecp256k1, TwoOfThree);
}

#[test]
fn ed25519_makes_keys_that_sign() {
    for key_type in [Ed25519Exportable, Ed25519Standard] {
        makes_keys_that_sign(key_type, TwoOfTwo);
        makes_keys_that_sign(key_type, TwoOfThree);
    }
}

#[test]
fn every_test_share_is_current_and_signs() {
    for key_type in [EcdsaSecp256k1, Ed25519Exportable, Ed25519Standard] {
        for scheme in [TwoOfTwo, TwoOfThree] {
            let shares: Vec<_> = PartyIndex::all(scheme)
                .iter()
                .map(|p| share(key_type, scheme, *p))
                .collect();
            for share in &shares {
                check_header(share.header(), key_type, scheme);
                reloaded(share);
            }
            signs_with_every_pair(&shares);
        }
    }
}

#[test]
fn two_keygens_of_the_same_generator_differ_for_ecdsa_and_two_generators_for_ed25519() {
    let standard = params(Ed25519Standard, TwoOfTwo);
    let key = |shares: &std::collections::BTreeMap<PartyIndex, Arc<KeyShare>>| {
        shares[&P].account_public_key().to_vec()
    };
    assert_ne!(key(&keygen(&standard, 1)), key(&keygen(&standard, 50)));
    // Ed25519 draws only from the generator it was given.
    assert_eq!(key(&keygen(&standard, 1)), key(&keygen(&standard, 1)));
}
