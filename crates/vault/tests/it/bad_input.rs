//! Every bad input of the storage tiers: a specific error, and nothing lost.
//!
//! | input | error | test |
//! |---|---|---|
//! | wrong KEK, at a record | `Corrupt` | [`a_record_under_another_kek_is_refused_and_stays`] |
//! | wrong KEK, at start | `Keyring` | `storage::another_store_in_place_of_…` |
//! | disabled KEK | `KeyDisabled` | `faults::kms`; `manage` of each of `servers` |
//! | missing permission here | `Forbidden` | [`a_missing_right_is_named_and_nothing_happens`] |
//! | missing permission there | `Denied` | `roles` of each of `servers`; `faults` |
//! | unknown or newer version | `Corrupt` | [`a_record_of_another_version_is_refused_and_stays`] |
//! | truncated record | `Corrupt` | `faults::damage::a_torn_record_is_corrupt_at_every_length` |
//! | oversize share | `TooLarge` | [`an_oversize_share_leaves_the_one_that_is_there`] |
//! | empty share list | `NoShare` | SDK: `addresses::no_share_is_no_wallet` |
//! | address in the wrong case | `Payload` | SDK: `addresses::an_address_in_the_wrong_case_…` |

use halfkey_core::SecretBytes;
use halfkey_vault::{Error, Expect, GetRecord as _, PutRecord as _, RecordName, Vault, VaultParts};

use crate::support::{Memory, access, ctx, memory, name, secret};

async fn stored(memory: &Memory) -> (RecordName, Vec<u8>) {
    let at = name("share");
    let stored = memory
        .vault
        .store(&at, &ctx(), &secret("share"), Expect::Absent, &access())
        .await;
    stored.unwrap();
    let found = memory.records.get(&at).await.unwrap().unwrap();
    (at, found.value)
}

/// The record is what it was, and opens.
async fn must_stay(memory: &Memory, at: &RecordName, bytes: &[u8]) {
    assert!(memory.records.get(at).await.unwrap().unwrap().value == bytes);
    let opened = memory.vault.load(at, &ctx(), &access()).await.unwrap();
    assert!(opened.value == secret("share"));
}

fn why(error: Error) -> &'static str {
    match error {
        Error::Corrupt { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_record_under_another_kek_is_refused_and_stays() {
    let memory = memory();
    let other = std::sync::Arc::new(halfkey_vault::kms::memory::MemoryKek::new("other").unwrap());
    let (at, bytes) = stored(&memory).await;
    let vault = Vault::new(VaultParts {
        unwrap: Some(other),
        ..memory.vault.parts().clone()
    });
    let refused = vault.load(&at, &ctx(), &access()).await.unwrap_err();
    assert!(why(refused).contains("KEK"));
    must_stay(&memory, &at, &bytes).await;
}

#[tokio::test]
async fn a_missing_right_is_named_and_nothing_happens() {
    let memory = memory();
    let (at, bytes) = stored(&memory).await;
    let parts = || memory.vault.parts().clone();
    let none = |parts| Vault::new(parts);
    let forbidden = |result: Result<(), Error>, right: &str| match result {
        Err(Error::Forbidden(what)) => assert_eq!(what, right),
        other => panic!("{right}: {other:?}"),
    };
    let sealed = none(VaultParts {
        wrap: None,
        ..parts()
    })
    .store(&name("b"), &ctx(), &secret("x"), Expect::Absent, &access())
    .await;
    forbidden(sealed.map(drop), "seal records");
    let written = none(VaultParts {
        put: None,
        ..parts()
    })
    .store(&name("b"), &ctx(), &secret("x"), Expect::Absent, &access())
    .await;
    forbidden(written.map(drop), "write records");
    let opened = none(VaultParts {
        unwrap: None,
        ..parts()
    });
    let opened = opened.load(&at, &ctx(), &access()).await;
    forbidden(opened.map(drop), "open records");
    let read = none(VaultParts {
        get: None,
        ..parts()
    });
    forbidden(
        read.load(&at, &ctx(), &access()).await.map(drop),
        "read records",
    );
    let destroyed = none(VaultParts {
        destroy: None,
        ..parts()
    });
    forbidden(destroyed.destroy(&at, &access()).await, "destroy records");
    let listed = none(VaultParts {
        list: None,
        ..parts()
    });
    let listed = listed.list_names("", None, 10).await;
    forbidden(listed.map(drop), "list records");
    assert!(memory.records.get(&name("b")).await.unwrap().is_none());
    must_stay(&memory, &at, &bytes).await;
}

/// Version 0, the next one, and the highest: an older program never guesses at a newer format, and
/// never writes over it.
#[tokio::test]
async fn a_record_of_another_version_is_refused_and_stays() {
    let memory = memory();
    let (at, bytes) = stored(&memory).await;
    let version_at = b"HKR1".len();
    assert_eq!(bytes[version_at], 1);
    for version in [0, 2, 255] {
        let mut newer = bytes.clone();
        newer[version_at] = version;
        memory.records.put(&at, &newer, Expect::Any).await.unwrap();
        let refused = memory.vault.load(&at, &ctx(), &access()).await;
        assert_eq!(why(refused.unwrap_err()), "its format version is not known");
        let copied = memory.vault.copy(&at, &name("b"), Expect::Absent).await;
        assert_eq!(why(copied.unwrap_err()), "its format version is not known");
        let found = memory.records.get(&at).await.unwrap().unwrap();
        assert!(found.value == newer);
    }
    memory.records.put(&at, &bytes, Expect::Any).await.unwrap();
    must_stay(&memory, &at, &bytes).await;
}

#[tokio::test]
async fn an_oversize_share_leaves_the_one_that_is_there() {
    let memory = memory();
    let (at, bytes) = stored(&memory).await;
    let larger = SecretBytes::new(vec![7; halfkey_vault::record::MAX_PLAINTEXT_LEN + 1]);
    let refused = memory
        .vault
        .store(&at, &ctx(), &larger, Expect::Any, &access())
        .await;
    assert!(
        matches!(refused, Err(Error::TooLarge { .. })),
        "{refused:?}"
    );
    must_stay(&memory, &at, &bytes).await;
}
