//! The share encoding: damage is noticed at every byte, and a share knows where it belongs.

use halfkey_core::{ChainName, Generation, SecretBytes, WalletId};
use halfkey_mpc::error::ShareError;
use halfkey_mpc::{ExpectedShare, KeyShare};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::run::*;

fn decode(bytes: Vec<u8>) -> ShareError {
    KeyShare::decode(&SecretBytes::new(bytes)).unwrap_err()
}

fn retagged(mut body: Vec<u8>) -> Vec<u8> {
    let tag = Sha256::new()
        .chain_update(b"halfkey-share-v1")
        .chain_update(&body)
        .finalize();
    body.extend_from_slice(&tag);
    body
}

#[test]
fn decode_rejects_truncation_at_every_byte_and_every_flipped_byte() {
    for key_type in [Ed25519Exportable, Ed25519Standard] {
        let bytes = share(key_type, TwoOfTwo, C1)
            .encode()
            .unwrap()
            .expose()
            .to_vec();
        for at in 0..bytes.len() {
            assert_eq!(
                decode(bytes[..at].to_vec()),
                ShareError::Damaged,
                "cut at {at}"
            );
            for bit in [1_u8, 0x80] {
                let mut flipped = bytes.clone();
                flipped[at] ^= bit;
                assert_eq!(decode(flipped), ShareError::Damaged, "flipped at {at}");
            }
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(decode(longer), ShareError::Damaged);
    }
}

#[test]
fn decode_rejects_damage_of_an_ecdsa_share() {
    let bytes = share(EcdsaSecp256k1, TwoOfTwo, C1)
        .encode()
        .unwrap()
        .expose()
        .to_vec();
    for at in (0..bytes.len()).step_by(997) {
        assert_eq!(
            decode(bytes[..at].to_vec()),
            ShareError::Damaged,
            "cut at {at}"
        );
        let mut flipped = bytes.clone();
        flipped[at] ^= 4;
        assert_eq!(decode(flipped), ShareError::Damaged, "flipped at {at}");
    }
}

#[test]
fn decode_names_an_unknown_version() {
    let bytes = share(Ed25519Standard, TwoOfTwo, C1)
        .encode()
        .unwrap()
        .expose()
        .to_vec();
    let mut body = bytes[..bytes.len() - 32].to_vec();
    body[4] = 2;
    assert_eq!(decode(retagged(body)), ShareError::UnknownVersion(2));
}

/// Whoever can write a valid tag can still not make a share that panics or lies about its secret.
#[test]
fn decode_survives_every_flip_under_a_valid_tag() {
    for party in [C1, P] {
        let original = share(Ed25519Exportable, TwoOfTwo, party);
        let bytes = original.encode().unwrap().expose().to_vec();
        let body = &bytes[..bytes.len() - 32];
        let mut refused = 0;
        for at in 0..body.len() {
            let mut flipped = body.to_vec();
            flipped[at] ^= 1;
            match KeyShare::decode(&SecretBytes::new(retagged(flipped))) {
                Err(_) => refused += 1,
                Ok(share) => assert_ne!(share.encode().unwrap().expose(), bytes),
            }
        }
        // Ids, channel keys and seed shares are any bytes; everything else has a form.
        assert!(refused > body.len() / 3, "{refused} of {}", body.len());
    }
}

#[test]
fn decode_rejects_an_ecdsa_secret_that_does_not_fit_its_verifying_share() {
    let bytes = share(EcdsaSecp256k1, TwoOfTwo, C1)
        .encode()
        .unwrap()
        .expose()
        .to_vec();
    let body = &bytes[..bytes.len() - 32];
    let header = 4 + 1;
    for at in (header..header + 700).chain([5_000, 30_000, body.len() - 1]) {
        let mut flipped = body.to_vec();
        flipped[at] ^= 1;
        // Never a panic; most are refused.
        drop(KeyShare::decode(&SecretBytes::new(retagged(flipped))));
    }
}

proptest! {
    #[test]
    fn decode_survives_arbitrary_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(KeyShare::decode(&SecretBytes::new(bytes.clone())).is_err());
        let framed = retagged([b"HKSH\x01".as_slice(), &bytes].concat());
        prop_assert!(KeyShare::decode(&SecretBytes::new(framed)).is_err());
    }
}

#[test]
fn sizes_stay_what_the_storage_design_counts_on() {
    let size = |key_type, scheme| share(key_type, scheme, C1).encode().unwrap().len();
    assert!(size(EcdsaSecp256k1, TwoOfTwo) < 53_000);
    assert!(size(EcdsaSecp256k1, TwoOfThree) < 106_000);
    assert!(size(Ed25519Exportable, TwoOfThree) < 500);
}

#[test]
fn check_belongs_names_the_first_field_that_differs() {
    let share = share(Ed25519Exportable, TwoOfThree, C1);
    let header = share.header();
    let right = ExpectedShare {
        environment: header.environment.clone(),
        wallet: header.wallet,
        party: Some(C1),
        generation: Some(Generation(0)),
        chain: ChainName::Svm,
    };
    assert_eq!(share.check_belongs(&right), Ok(()));
    let any = ExpectedShare {
        party: None,
        generation: None,
        ..right.clone()
    };
    assert_eq!(share.check_belongs(&any), Ok(()));
    let mismatch = |expected: &ExpectedShare| match share.check_belongs(expected) {
        Err(ShareError::Mismatch { what }) => what,
        other => panic!("{other:?}"),
    };
    let environment = "elsewhere".parse().unwrap();
    assert_eq!(
        mismatch(&ExpectedShare {
            environment,
            ..right.clone()
        }),
        "environment"
    );
    let wallet = WalletId::from_bytes([0; 16]);
    assert_eq!(
        mismatch(&ExpectedShare {
            wallet,
            ..right.clone()
        }),
        "wallet"
    );
    assert_eq!(
        mismatch(&ExpectedShare {
            party: Some(C2),
            ..right.clone()
        }),
        "party"
    );
    let generation = Some(Generation(1));
    assert_eq!(
        mismatch(&ExpectedShare {
            generation,
            ..right.clone()
        }),
        "generation"
    );
    let chain = ChainName::Evm;
    assert_eq!(
        mismatch(&ExpectedShare {
            chain,
            ..right.clone()
        }),
        "chain"
    );
    let both = ExpectedShare {
        wallet,
        generation,
        ..right
    };
    assert_eq!(mismatch(&both), "wallet");
}

#[test]
fn neither_share_nor_ceremony_prints_anything_secret() {
    let share = share(Ed25519Exportable, TwoOfTwo, C1);
    assert_eq!(format!("{share:?}"), "KeyShare(redacted)");
    let pair = Pair::load(Ed25519Exportable, TwoOfTwo);
    assert_eq!(format!("{:?}", pair.initiator()), "Sign(redacted)");
    let keygen = provider(&params(Ed25519Exportable, TwoOfTwo), 1);
    assert_eq!(format!("{keygen:?}"), "Keygen(redacted)");
}
