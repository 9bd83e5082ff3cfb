//! Sealed records: what stands where, and what is refused.

use std::sync::Arc;

use halfkey_vault::store::memory::{MemoryRecords, MemorySecrets};
use halfkey_vault::store::secret::SecretStore;
use halfkey_vault::store::secret_manager::Layout;
use halfkey_vault::{DestroyRecord, Error, Expect, GetRecord, ListRecords, PutRecord};

use super::{LAYOUTS, open, parts, sealed, secret_ids, vault_over};
use crate::support::{access, contains, ctx, name, secret};

#[tokio::test]
async fn a_sealed_record_comes_back_byte_for_byte() {
    for layout in LAYOUTS {
        let parts = parts(layout, 65_536).await;
        let mut rev = None;
        for share in [1, 300, 52_500] {
            let record = sealed(share).await;
            let expect = rev.map_or(Expect::Absent, Expect::Rev);
            let written = parts
                .records
                .put(&name("a"), &record, expect)
                .await
                .unwrap();
            let found = parts.records.get(&name("a")).await.unwrap().unwrap();
            assert_eq!((found.value, found.rev), (record, written));
            assert_eq!(secret_ids(&parts.secrets).await.len(), 1, "{layout:?}");
            rev = Some(written);
        }
        parts
            .records
            .destroy(&name("a"), Expect::Rev(rev.unwrap()))
            .await
            .unwrap();
        assert!(secret_ids(&parts.secrets).await.is_empty());
        assert!(parts.index.get(&name("a")).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn the_layout_says_what_stands_where() {
    let record = sealed(5000).await;
    let body = &record[record.len() - 5016..];
    for (layout, row, value) in [
        (Layout::SealedInSecret, 53, record.len()),
        (
            Layout::DekInSecretManager,
            53 + body.len(),
            record.len() - body.len(),
        ),
    ] {
        let parts = parts(layout, 65_536).await;
        parts
            .records
            .put(&name("a"), &record, Expect::Any)
            .await
            .unwrap();
        let found = parts.index.get(&name("a")).await.unwrap().unwrap().value;
        assert!(found.starts_with(b"HKP1"));
        assert_eq!(found.len(), row);
        let id = secret_ids(&parts.secrets).await[0];
        let secret = parts.secrets.read(id).await.unwrap().unwrap();
        assert_eq!(secret.len(), value);
        assert!(value == record.len() || value < 300, "{value}");
        // Neither holds what the other has.
        assert_eq!(contains(&found, body), layout == Layout::DekInSecretManager);
        assert!(!contains(&found, &record[7..39]), "the salt");
    }
}

#[tokio::test]
async fn a_record_over_the_limit_names_the_other_layout() {
    let record = sealed(52_500).await;
    let azure = parts(Layout::SealedInSecret, 25_000).await;
    let refused = azure.records.put(&name("a"), &record, Expect::Absent).await;
    let error = refused.unwrap_err();
    assert!(
        error.to_string().contains("dek-in-secret-manager"),
        "{error}"
    );
    assert!(matches!(error, Error::TooLarge { len, limit: 25_000, .. } if len == record.len()));
    assert!(secret_ids(&azure.secrets).await.is_empty());
    assert!(azure.index.get(&name("a")).await.unwrap().is_none());

    let azure = parts(Layout::DekInSecretManager, 25_000).await;
    let record = sealed(1 << 20).await;
    azure
        .records
        .put(&name("a"), &record, Expect::Absent)
        .await
        .unwrap();
    assert_eq!(
        azure.records.get(&name("a")).await.unwrap().unwrap().value,
        record
    );
    let none = parts(Layout::DekInSecretManager, 100).await;
    let refused = none.records.put(&name("a"), &record, Expect::Absent).await;
    assert!(matches!(refused, Err(Error::TooLarge { limit: 100, .. })));
}

#[tokio::test]
async fn plain_rows_never_reach_the_manager() {
    for layout in LAYOUTS {
        let parts = parts(layout, 100).await;
        let row = vec![7; 60_000];
        parts
            .records
            .put(&name("w/state"), &row, Expect::Absent)
            .await
            .unwrap();
        assert!(secret_ids(&parts.secrets).await.is_empty());
        assert_eq!(
            parts
                .index
                .get(&name("w/state"))
                .await
                .unwrap()
                .unwrap()
                .value,
            row
        );
    }
}

#[tokio::test]
async fn records_of_both_layouts_are_read_whatever_is_configured() {
    let first = parts(Layout::SealedInSecret, 65_536).await;
    let second = open(
        Layout::DekInSecretManager,
        Arc::<MemorySecrets>::clone(&first.secrets),
        Arc::<MemoryRecords>::clone(&first.index),
    )
    .await;
    let record = sealed(300).await;
    let rev = first
        .records
        .put(&name("a"), &record, Expect::Absent)
        .await
        .unwrap();
    assert_eq!(second.get(&name("a")).await.unwrap().unwrap().value, record);
    second
        .put(&name("a"), &record, Expect::Rev(rev))
        .await
        .unwrap();
    assert_eq!(
        first.records.get(&name("a")).await.unwrap().unwrap().value,
        record
    );
    assert_eq!(secret_ids(&first.secrets).await.len(), 1);
}

#[tokio::test]
async fn put_rejects_forged_pointers_and_records_that_are_none() {
    let parts = parts(Layout::SealedInSecret, 65_536).await;
    let record = sealed(300).await;
    for bytes in [&b"HKP1"[..], b"HKP1 and more", b"HKR1", &record[..100]] {
        let refused = parts.records.put(&name("a"), bytes, Expect::Any).await;
        assert!(matches!(refused, Err(Error::Caller(_))), "{refused:?}");
    }
    assert!(
        parts
            .records
            .list("", None, 10)
            .await
            .unwrap()
            .names
            .is_empty()
    );
}

#[tokio::test]
async fn damage_anywhere_is_corrupt() {
    for layout in LAYOUTS {
        let parts = parts(layout, 65_536).await;
        let at = name("a");
        parts
            .records
            .put(&at, &sealed(300).await, Expect::Absent)
            .await
            .unwrap();
        let row = parts.index.get(&at).await.unwrap().unwrap().value;
        // Magic left alone: without it the row is another kind of row.
        for byte in (4..row.len().min(53)).step_by(3) {
            let mut other = row.clone();
            other[byte] ^= 1;
            parts.index.put(&at, &other, Expect::Any).await.unwrap();
            let found = parts.records.get(&at).await;
            assert!(
                matches!(found, Err(Error::Corrupt { .. })),
                "{byte}: {found:?}"
            );
        }
        parts.index.put(&at, &row[..40], Expect::Any).await.unwrap();
        assert!(matches!(
            parts.records.get(&at).await,
            Err(Error::Corrupt { .. })
        ));
    }
}

#[tokio::test]
async fn a_missing_secret_is_said_to_be_missing_and_can_be_destroyed() {
    for layout in LAYOUTS {
        let parts = parts(layout, 65_536).await;
        let (vault, at) = (vault_over(&parts.records), name("a"));
        vault
            .store(&at, &ctx(), &secret("s"), Expect::Absent, &access())
            .await
            .unwrap();
        for id in secret_ids(&parts.secrets).await {
            parts.secrets.remove(id).await.unwrap();
        }
        let error = vault.load(&at, &ctx(), &access()).await.unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("its secret is missing from the secret manager"),
            "{error}"
        );
        assert!(matches!(error, Error::Corrupt { .. }));
        vault.destroy(&at, &access()).await.unwrap();
        assert!(parts.index.get(&at).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn destroying_shreds_the_secret_before_the_row() {
    for layout in LAYOUTS {
        let parts = parts(layout, 65_536).await;
        let (vault, at) = (vault_over(&parts.records), name("a"));
        vault
            .store(&at, &ctx(), &secret("s"), Expect::Absent, &access())
            .await
            .unwrap();
        let backup = parts.index.get(&at).await.unwrap().unwrap().value;
        vault.destroy(&at, &access()).await.unwrap();
        assert!(secret_ids(&parts.secrets).await.is_empty());
        // The index put back from its backup opens nothing.
        parts.index.put(&at, &backup, Expect::Any).await.unwrap();
        let loaded = vault.load(&at, &ctx(), &access()).await;
        assert!(matches!(loaded, Err(Error::Corrupt { .. })));
    }
}
