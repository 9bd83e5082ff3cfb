//! Every key type and scheme makes keys that sign, and nothing needs more round trips than it may.

use std::sync::Arc;

use halfkey_core::wire::Operation;
use halfkey_core::{
    CeremonyId, KeyOrigin, KeyType, PartyIndex, SecretBytes, Signature, SigningInput,
    ThresholdSignatureScheme,
};
use halfkey_mpc::sign::local_pair;
use halfkey_mpc::{KeyShare, ShareHeader};
use k256::ecdsa::signature::hazmat::PrehashVerifier;

use crate::run::{WALLET, input_for, keygen, params, rng, run, sign_parties};

const SCHEMES: [ThresholdSignatureScheme; 2] = [
    ThresholdSignatureScheme::TwoOfTwo,
    ThresholdSignatureScheme::TwoOfThree,
];

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
    let encoded = SecretBytes::new(share.encode().expose().to_vec());
    let again = KeyShare::decode(&encoded).unwrap();
    assert_eq!(again.header(), share.header());
    assert_eq!(again.account_public_key(), share.account_public_key());
    assert_eq!(
        again.verifying_shares().unwrap(),
        share.verifying_shares().unwrap()
    );
    assert_eq!(again.encode(), encoded);
    Arc::new(again)
}

fn check_header(header: &ShareHeader, key_type: KeyType, scheme: ThresholdSignatureScheme) {
    let origin = header.custody_origin;
    let dealt = key_type == KeyType::Ed25519Exportable;
    assert_eq!(
        origin.origin(),
        if dealt {
            KeyOrigin::Dealt
        } else {
            KeyOrigin::Dkg
        }
    );
    assert_eq!(
        origin.was_2of3(),
        scheme == ThresholdSignatureScheme::TwoOfThree
    );
    assert_eq!(header.wallet, WALLET);
    assert_eq!(header.generation.0, 0);
}

fn makes_keys_that_sign(key_type: KeyType, scheme: ThresholdSignatureScheme) {
    let shares = keygen(&params(key_type, scheme), 1);
    assert!(shares.keys().eq(PartyIndex::all(scheme)));
    let public_key = shares[&PartyIndex::PROVIDER].account_public_key().to_vec();
    let mut ids = Vec::new();
    for (party, share) in &shares {
        assert_eq!(share.account_public_key(), public_key);
        assert_eq!(share.header().party, *party);
        check_header(share.header(), key_type, scheme);
        ids.push(share.header().key_share);
    }
    ids.dedup();
    assert_eq!(ids.len(), shares.len(), "share ids are distinct");

    let provider = reloaded(&shares[&PartyIndex::PROVIDER]);
    for customer in PartyIndex::customers(scheme) {
        let customer = reloaded(&shares[customer]);
        let run = run(sign_parties(&customer, &provider));
        let signature = run.results[&customer.header().party]
            .clone()
            .unwrap()
            .unwrap();
        verify(&public_key, &input_for(&provider), &signature);
        let ecdsa = key_type == KeyType::EcdsaSecp256k1;
        // Two messages per round trip.
        assert_eq!(run.sent.len(), if ecdsa { 4 } else { 2 });
        let provider_result = run.results[&PartyIndex::PROVIDER].clone().unwrap();
        assert_eq!(provider_result, ecdsa.then_some(signature));
    }
    if scheme == ThresholdSignatureScheme::TwoOfThree {
        let pair = [PartyIndex::CUSTOMER_1, PartyIndex::CUSTOMER_2].map(|p| reloaded(&shares[&p]));
        let input = input_for(&provider);
        let [one, two] = pair;
        let id = CeremonyId::from_bytes([5; 16]);
        let signature = local_pair(one, two, id, Operation::Proof, &input, rng(7)).unwrap();
        verify(&public_key, &input, &signature);
    }
}

#[test]
fn ecdsa_two_of_two() {
    makes_keys_that_sign(KeyType::EcdsaSecp256k1, SCHEMES[0]);
}

#[test]
fn ecdsa_two_of_three() {
    makes_keys_that_sign(KeyType::EcdsaSecp256k1, SCHEMES[1]);
}

#[test]
fn ed25519_exportable() {
    for scheme in SCHEMES {
        makes_keys_that_sign(KeyType::Ed25519Exportable, scheme);
    }
}

#[test]
fn ed25519_standard() {
    for scheme in SCHEMES {
        makes_keys_that_sign(KeyType::Ed25519Standard, scheme);
    }
}
