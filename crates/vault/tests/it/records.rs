//! Record format v1 from outside: what is changed, cut, or moved does not open.

use halfkey_core::{EnvironmentId, Generation, PartyIndex, WalletId};
use halfkey_vault::conformance::sample;
use halfkey_vault::kms::keyring::Keyring;
use halfkey_vault::{
    BindCtx, Error, Expect, PutRecord, RewrapKey, SealedRecord, Vault, VaultParts, rewrap_record,
};
use proptest::prelude::*;

use crate::support::{Memory, access, clock, contains, ctx, memory, name, neighbours, secret};

const SECRET: &str = "the-secret-share-of-this-test";

/// A vault whose KEK is a real keyring file.
fn with_keyring(memory: &Memory) -> (Vault, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/keyring.json");
    let keyring = Keyring::create(&path, &ctx().environment, None, &*clock()).unwrap();
    let keyring = std::sync::Arc::new(keyring);
    let parts = VaultParts {
        wrap: Some(std::sync::Arc::<Keyring>::clone(&keyring)),
        unwrap: Some(keyring),
        ..memory.vault.parts().clone()
    };
    (Vault::new(parts), dir)
}

/// What loading these bytes gives.
async fn load(memory: &Memory, vault: &Vault, bytes: &[u8]) -> Result<(), Error> {
    memory
        .records
        .put(&name("a"), bytes, Expect::Any)
        .await
        .unwrap();
    vault.load(&name("a"), &ctx(), &access()).await.map(drop)
}

fn must_be_corrupt(result: Result<(), Error>, what: &str) {
    match result {
        Err(error @ Error::Corrupt { .. }) => {
            let shown = format!("{error} {error:?}");
            assert!(
                shown.contains('a') && !shown.contains(SECRET),
                "{what}: {shown}"
            );
        }
        other => panic!("{what}: {other:?}"),
    }
}

#[tokio::test]
async fn load_rejects_every_flipped_bit() {
    let memory = memory();
    let (vault, _dir) = with_keyring(&memory);
    let sealed = vault
        .seal(&ctx(), &secret(SECRET), &access())
        .await
        .unwrap();
    load(&memory, &vault, sealed.as_bytes()).await.unwrap();
    assert_eq!(
        sealed.as_bytes().len(),
        SECRET.len() + 206,
        "the overhead SPEC.md states"
    );
    let mut later_terms = Vec::new();
    for at in 0..sealed.as_bytes().len() {
        for bit in 0..8 {
            let mut bytes = sealed.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            match load(&memory, &vault, &bytes).await {
                // The wrap's term reads as a later one: the keyring may be the older one.
                Err(Error::UnknownTerm { term, .. }) => later_terms.push(term),
                other => must_be_corrupt(other, &format!("byte {at} bit {bit}")),
            }
        }
    }
    assert_eq!(later_terms, [3, 5, 9]);
}

#[tokio::test]
async fn load_rejects_every_truncation_and_every_extension() {
    let memory = memory();
    let (vault, _dir) = with_keyring(&memory);
    let sealed = vault
        .seal(&ctx(), &secret(SECRET), &access())
        .await
        .unwrap();
    for len in 0..sealed.as_bytes().len() {
        let cut = &sealed.as_bytes()[..len];
        must_be_corrupt(load(&memory, &vault, cut).await, &format!("cut at {len}"));
    }
    for extra in [&[0_u8][..], &[0xFF; 16], sealed.as_bytes()] {
        let bytes = [sealed.as_bytes(), extra].concat();
        must_be_corrupt(load(&memory, &vault, &bytes).await, "longer");
    }
}

#[tokio::test]
async fn open_rejects_every_neighbouring_context() {
    let memory = memory();
    let sealed = memory
        .vault
        .seal(&ctx(), &secret(SECRET), &access())
        .await
        .unwrap();
    for other in neighbours(&ctx()) {
        let opened = memory.vault.open(&other, &sealed, &access()).await;
        assert!(
            matches!(opened, Err(Error::Corrupt { .. })),
            "{other:?}: {opened:?}"
        );
    }
}

/// Every wallet, party, generation and environment, each against each.
#[tokio::test]
async fn a_record_opens_only_as_itself() {
    let memory = memory();
    let mut contexts = Vec::new();
    for wallet in [1, 2] {
        for party in [
            PartyIndex::PROVIDER,
            PartyIndex::CUSTOMER_1,
            PartyIndex::CUSTOMER_2,
        ] {
            for generation in [0, 1, u64::MAX] {
                for environment in ["env-a", "env-b"] {
                    contexts.push(BindCtx {
                        wallet: WalletId::from_bytes([wallet; 16]),
                        party,
                        generation: Generation(generation),
                        environment: sample::environment(environment),
                        ..ctx()
                    });
                }
            }
        }
    }
    let mut sealed = Vec::new();
    for (number, ctx) in contexts.iter().enumerate() {
        let secret = secret(&format!("secret {number}"));
        sealed.push((
            memory.vault.seal(ctx, &secret, &access()).await.unwrap(),
            secret,
        ));
    }
    let mut opened = 0;
    for (number, ctx) in contexts.iter().enumerate() {
        for (other, (record, secret)) in sealed.iter().enumerate() {
            match memory.vault.open(ctx, record, &access()).await {
                Ok(plaintext) => {
                    assert_eq!((number, &plaintext), (other, secret));
                    opened += 1;
                }
                Err(error) => {
                    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
                    assert_ne!(number, other);
                }
            }
        }
    }
    assert_eq!(opened, 36);
}

#[tokio::test]
async fn a_rewrapped_record_keeps_its_body_and_its_context() {
    let memory = memory();
    let old = memory
        .vault
        .seal(&ctx(), &secret(SECRET), &access())
        .await
        .unwrap();
    memory.kek.add_version().unwrap();
    let rewrap: &dyn RewrapKey = &*memory.kek;
    let new = rewrap_record(&old, &ctx(), rewrap).await.unwrap();
    assert_eq!(
        (old.wraps()[0].kek_version.as_str(), old.wraps().len()),
        ("1", 1)
    );
    assert_eq!(
        (new.wraps()[0].kek_version.as_str(), new.wraps().len()),
        ("2", 1)
    );
    let body = |record: &SealedRecord| {
        let bytes = record.as_bytes();
        bytes[bytes.len() - SECRET.len() - 16..].to_vec()
    };
    assert_eq!(body(&old), body(&new));
    for record in [&old, &new] {
        let opened = memory.vault.open(&ctx(), record, &access()).await.unwrap();
        assert_eq!(opened, secret(SECRET));
    }
    let other = BindCtx {
        wallet: WalletId::from_bytes([9; 16]),
        ..ctx()
    };
    assert!(memory.vault.open(&other, &new, &access()).await.is_err());
    assert!(rewrap_record(&old, &other, rewrap).await.is_err());
}

#[tokio::test]
async fn a_sealed_record_does_not_show_its_plaintext() {
    let memory = memory();
    let sealed = memory
        .vault
        .seal(&ctx(), &secret(SECRET), &access())
        .await
        .unwrap();
    assert!(!contains(sealed.as_bytes(), &SECRET.as_bytes()[..8]));
    assert_eq!(
        format!("{sealed:?}"),
        format!("SealedRecord({} bytes)", sealed.as_bytes().len())
    );
}

/// A valid header with anything after it.
fn header_then(tail: &[u8]) -> Vec<u8> {
    let mut bytes = b"HKR1\x01\x00\x01".to_vec();
    bytes.extend_from_slice(&[7; 76]);
    bytes.extend_from_slice(tail);
    bytes
}

proptest! {
    #[test]
    fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let decoded = SealedRecord::from_bytes(&bytes);
        prop_assert!(decoded.is_err(), "random bytes are no record");
    }

    #[test]
    fn decoding_what_looks_like_a_record_never_panics(
        count in 0_u8..8,
        tail in proptest::collection::vec(0_u8..100, 0..400),
    ) {
        let bytes = header_then(&[&[count], tail.as_slice()].concat());
        if let Ok(record) = SealedRecord::from_bytes(&bytes) {
            prop_assert_eq!(record.as_bytes(), bytes.as_slice());
            prop_assert_eq!(record.wraps().len(), usize::from(count));
        }
    }

    #[test]
    fn a_decoded_record_has_the_wraps_it_was_given(
        wraps in proptest::collection::vec(("[!-~]{1,512}", "[!-~]{1,255}", 1_usize..2048), 0..6),
        body in 0_usize..64,
    ) {
        let mut tail = vec![u8::try_from(wraps.len()).unwrap()];
        for (uri, version, len) in &wraps {
            tail.extend_from_slice(&u16::try_from(uri.len()).unwrap().to_be_bytes());
            tail.extend_from_slice(uri.as_bytes());
            tail.push(u8::try_from(version.len()).unwrap());
            tail.extend_from_slice(version.as_bytes());
            tail.extend_from_slice(&u16::try_from(*len).unwrap().to_be_bytes());
            tail.extend_from_slice(&vec![1; *len]);
        }
        tail.extend_from_slice(&vec![2; body]);
        let decoded = SealedRecord::from_bytes(&header_then(&tail));
        let sound = (1..=4).contains(&wraps.len()) && body >= 16;
        prop_assert_eq!(decoded.is_ok(), sound);
        if let Ok(record) = decoded {
            let found = record.wraps();
            prop_assert_eq!(found.len(), wraps.len());
            for (found, (uri, version, len)) in found.iter().zip(&wraps) {
                prop_assert_eq!(&found.kek_uri, uri);
                prop_assert_eq!(&found.kek_version, version);
                prop_assert_eq!(found.bytes.len(), *len);
            }
        }
    }
}

#[test]
fn decoding_rejects_impossible_lengths() {
    let wrap = |uri: usize, version: usize, bytes: usize| {
        let mut tail = vec![1];
        tail.extend_from_slice(&u16::try_from(uri).unwrap().to_be_bytes());
        tail.extend_from_slice(&vec![b'u'; uri]);
        tail.push(u8::try_from(version).unwrap());
        tail.extend_from_slice(&vec![b'v'; version]);
        tail.extend_from_slice(&u16::try_from(bytes).unwrap().to_be_bytes());
        tail.extend_from_slice(&vec![0; bytes]);
        tail.extend_from_slice(&[0; 16]);
        SealedRecord::from_bytes(&header_then(&tail))
    };
    wrap(512, 255, 2048).unwrap();
    for (uri, version, bytes) in [(0, 1, 1), (513, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 2049)] {
        assert!(
            wrap(uri, version, bytes).is_err(),
            "{uri} {version} {bytes}"
        );
    }
    let mut huge = header_then(&[1, 0, 1, b'u', 1, b'v', 0, 1, 0]);
    huge.extend_from_slice(&vec![0; (1 << 20) + 16]);
    SealedRecord::from_bytes(&huge).unwrap();
    huge.push(0);
    assert!(SealedRecord::from_bytes(&huge).is_err());
    let _: EnvironmentId = ctx().environment;
}
