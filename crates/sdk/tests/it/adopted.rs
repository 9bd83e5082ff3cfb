//! Shares that an error carried are taken back into the store, and locks with them.

use std::sync::Arc;

use async_trait::async_trait;
use halfkey::{Error, LockToken, StoreOptions};
use halfkey_core::ThresholdSignatureScheme::TwoOfTwo;
use halfkey_core::{CeremonyId, UnixMillis, Variant};
use halfkey_vault::kms::memory::MemoryKek;
use halfkey_vault::{
    BindCtx, Dek, Error as VaultError, Expect, PutRecord as _, RecordName, RecordPurpose,
    UnwrapKey, VaultParts, Wrapped,
};

use crate::provider::Provider;
use crate::vaults::Storage;

/// Whether nothing was written or only the intent.
#[tokio::test(flavor = "multi_thread")]
async fn shares_that_could_not_be_stored_make_the_wallet_once_there_is_room() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    for writes in [1, 2] {
        let storage = Storage::new();
        let full = storage.store_that_is_full_after(&client, writes);
        let error = full.create_svm(TwoOfTwo, Variant::default()).await;
        let Err(Error::NotActivated(inner)) = error else {
            panic!("{error:?}")
        };
        let again = full.adopt(&inner.shares).await.unwrap_err();
        let shares = again.into_shares().expect("it carries them on");
        let store = storage.store(&client);
        let properties = store.adopt(&shares).await.unwrap();
        let address = &properties.account_address;
        store.sign_svm_message(address, "x").await.unwrap();
        assert_eq!(
            store.adopt(&shares).await.unwrap(),
            properties,
            "a repeat is harmless"
        );
    }
}

/// Only the copy in the error opens: every record of the share is damaged.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_shares_of_an_active_wallet_are_replaced() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let full = storage.store_that_is_full_after(&client, 1);
    let error = full.create_svm(TwoOfTwo, Variant::default()).await;
    let shares = error.unwrap_err().into_shares().unwrap();
    let store = storage.store(&client);
    let properties = store.adopt(&shares).await.unwrap();
    let address = properties.account_address;
    let names = store.show(&address).await.unwrap().records;
    let active = RecordName::new(format!("wallet:{address}/shares/2")).unwrap();
    for name in names
        .into_iter()
        .map(|name| RecordName::new(name).unwrap())
        .chain([active])
    {
        storage
            .records
            .put(&name, b"HKR1 torn", Expect::Any)
            .await
            .unwrap();
    }
    let error = store.sign_svm_message(&address, "x").await.unwrap_err();
    assert_eq!(error.code(), "record_corrupt");
    store.adopt(&shares).await.unwrap();
    store.sign_svm_message(&address, "x").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_was_kept_elsewhere_locks_again() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let store = storage.store(&client);
    let made = store
        .create_svm(TwoOfTwo, Variant::default())
        .await
        .unwrap();
    let view = store.show(&made.account_address).await.unwrap();
    let token = LockToken {
        environment: provider.environment.clone(),
        wallet: view.stored.wallet,
        generation: view.stored.generation,
        attempt: view.stored.attempt,
        ceremony: CeremonyId::from_bytes([7; 16]),
        check: "kept".to_owned(),
        at: UnixMillis(1),
    };
    store.restore_lock(&token).await.unwrap();
    store.restore_lock(&token).await.unwrap();
    // Another process that knows nothing but the vault tier.
    let other = storage.store(&provider.client().await);
    let error = other
        .sign_svm_message(&made.account_address, "x")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::WalletLocked { .. }), "{error:?}");
}

/// Opens everything but shares.
struct Unwilling(Arc<MemoryKek>);

#[async_trait]
impl UnwrapKey for Unwilling {
    async fn unwrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Dek, VaultError> {
        match ctx.purpose {
            RecordPurpose::Share => Err(VaultError::Denied("no unwrap today".to_owned())),
            _ => self.0.unwrap(ctx, wrapped).await,
        }
    }
}

/// Whoever calls `adopt` lets go of its copy afterwards, so a write alone is not enough.
#[tokio::test(flavor = "multi_thread")]
async fn adoption_ends_well_only_after_a_real_unwrap() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let full = storage.store_that_is_full_after(&client, 1);
    let error = full.create_svm(TwoOfTwo, Variant::default()).await;
    let shares = error.unwrap_err().into_shares().unwrap();
    let store = storage.store(&client);
    let properties = store.adopt(&shares).await.unwrap();
    let active = format!("wallet:{}/shares/2", properties.account_address);
    let names = store.show(&properties.account_address).await.unwrap();
    for name in names.records.into_iter().chain([active]) {
        let name = RecordName::new(name).unwrap();
        let torn = storage.records.put(&name, b"HKR1 torn", Expect::Any);
        torn.await.unwrap();
    }
    let parts = VaultParts {
        unwrap: Some(Arc::new(Unwilling(Arc::clone(&storage.kek)))),
        ..storage.parts()
    };
    let unwilling = storage.store_with(&client, parts, StoreOptions::default());
    let error = unwilling.adopt(&shares).await.unwrap_err();
    let Error::NotActivated(inner) = error else {
        panic!("{error:?}")
    };
    assert_eq!(inner.source.code(), "permission_denied");
    let sealer = storage.store_that_cannot_open(&client);
    let refused = sealer.adopt(&inner.shares).await.unwrap_err();
    assert!(matches!(refused, Error::CannotOpen), "{refused:?}");
}
