//! `WalletStore`: a vault that is gone, or a record that is missing, comes back from the provider's
//! backup.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
use async_trait::async_trait;
use halfkey::{
    BackupFormat, Error, Health, PartyIndex, PasswordSource, RecoveryKey, ThresholdSignatureScheme,
    Variant, WalletStore,
};
use halfkey_core::SecretString;
use halfkey_core::random::os_rng;
use halfkey_vault::{Expect, GetRecord as _, ListRecords as _, PutRecord as _, RecordName};

use crate::backed_up::PASSWORD;
use crate::bare::verifies;
use crate::provider::Provider;
use crate::vaults::Storage;

async fn created(store: &WalletStore, scheme: ThresholdSignatureScheme) -> String {
    let created = store.create_svm(scheme, Variant::default()).await;
    let address = created.unwrap().account_address;
    let info = store.back_up(&address, PASSWORD, BackupFormat::V3);
    let info = info.await.unwrap();
    assert!(info.password_encrypted);
    address
}

async fn signs(store: &WalletStore, address: &str) {
    let signature = store.sign_svm_message(address, "gm").await.unwrap();
    assert!(verifies(address, b"gm", &signature));
    let health = store.check(address).await.unwrap();
    assert!(matches!(health, Health::Signs), "{health:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_vault_gets_its_wallets_back_and_signs() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    for scheme in [TwoOfTwo, TwoOfThree] {
        let storage = Storage::new();
        let store = storage.store(&client);
        let address = created(&store, scheme).await;
        let before = store.properties(&address).await.unwrap();
        assert!(before.external_server_key_shares_backup_info.is_some());
        let key = RecoveryKey::generate(&mut os_rng());
        let backed = store.back_up(&address, key.expose(), BackupFormat::V2);
        backed.await.unwrap();

        for password in [PASSWORD, key.expose()] {
            // Another KEK, another store, another cache: nothing of the old vault is there.
            let wiped = Storage::new();
            let store = wiped.store(&client);
            let error = store.recover(&address, Some("wrong")).await.unwrap_err();
            assert!(matches!(error, Error::WrongPassword), "{error:?}");
            assert!(
                store.list().await.unwrap().is_empty(),
                "nothing is left behind"
            );
            let recovered = store.recover(&address, Some(password)).await.unwrap();
            assert!(recovered.proven && !recovered.unprotected);
            assert_eq!(recovered.parties, PartyIndex::customers(scheme));
            signs(&wiped.store(&client), &address).await;
            // Again: there is nothing to do, and nothing is overwritten.
            store.recover(&address, Some(password)).await.unwrap();
            let view = store.show(&address).await.unwrap();
            assert_eq!(view.stored.state, "active");
            assert!(store.pending().await.unwrap().is_empty());
            // And it lives on as any wallet does.
            signs(&wiped.store(&client), &address).await;
        }
        let wiped = Storage::new();
        let store = wiped.store(&client);
        store.recover(&address, Some(PASSWORD)).await.unwrap();
        let changed = store.refresh(&address, false).await.unwrap();
        assert_eq!(changed.generation.0, 1);
        // The backup is of shares that sign no more, and is not taken for one of those that do.
        let properties = store.properties(&address).await.unwrap();
        assert_eq!(properties.external_server_key_shares_backup_info, None);
        let error = Storage::new()
            .store(&client)
            .recover(&address, Some(PASSWORD))
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::StaleWalletProperties(_)),
            "{error:?}"
        );
        signs(&store, &address).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_damaged_record_is_put_back_and_a_whole_one_is_left_alone() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let store = storage.store(&client);
    let address = created(&store, TwoOfThree).await;
    let prefix = format!("wallet:{address}/shares/");
    let page = storage.records.list(&prefix, None, 100).await.unwrap();
    assert_eq!(page.names.len(), 4, "two parties, staged and active");
    for name in &page.names {
        let whole = storage.records.get(name).await.unwrap().unwrap();
        let mut damaged = whole.value.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        let rev = storage
            .records
            .put(name, &damaged, Expect::Rev(whole.rev))
            .await
            .unwrap();
        let recovered = store.recover(&address, Some(PASSWORD)).await.unwrap();
        assert!(recovered.proven);
        let mended = storage.records.get(name).await.unwrap().unwrap();
        assert_ne!(mended.rev, rev, "{name}");
        for other in page.names.iter().filter(|other| *other != name) {
            assert!(storage.holds(other.as_str()).await);
        }
        let store = storage.store(&client);
        signs(&store, &address).await;
        // What opens is not written again.
        store.recover(&address, Some(PASSWORD)).await.unwrap();
        let after = storage.records.get(name).await.unwrap().unwrap();
        assert_eq!(after.rev, mended.rev, "{name}");
    }
}

/// The vault came back from an older copy, of before a refresh; the backup is of after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_vault_restored_from_before_a_refresh_catches_up() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let store = storage.store(&client);
    let address = created(&store, TwoOfTwo).await;
    let copy = storage.copy().await;
    store.refresh(&address, false).await.unwrap();
    let backed = store.back_up(&address, PASSWORD, BackupFormat::V3);
    backed.await.unwrap();

    let store = copy.store(&client);
    let health = store.check(&address).await.unwrap();
    assert!(matches!(health, Health::Stale { .. }), "{health:?}");
    store.recover(&address, Some(PASSWORD)).await.unwrap();
    signs(&store, &address).await;
    let view = store.show(&address).await.unwrap();
    assert_eq!(view.stored.generation.0, 1);
}

/// Counts how often it is asked.
struct Counted {
    password: Option<&'static str>,
    asked: AtomicUsize,
}

#[async_trait]
impl PasswordSource for Counted {
    async fn password(&self, _address: &str) -> halfkey::Result<Option<SecretString>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(self.password.map(SecretString::from))
    }
}

fn counted(password: Option<&'static str>) -> Arc<Counted> {
    Arc::new(Counted {
        password,
        asked: AtomicUsize::new(0),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn without_shares_the_store_signs_exports_and_refreshes_from_the_backup() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let address = created(&Storage::new().store(&client), TwoOfThree).await;
    let fallen_back = || {
        let source = counted(Some(PASSWORD));
        let passwords = Arc::<Counted>::clone(&source);
        let store = Storage::new().store(&client);
        (store.with_backup_fallback(passwords), source)
    };
    // Many at once: one of them fetches, and all sign.
    let (store, source) = fallen_back();
    let signatures = (0..8).map(|_| store.sign_svm_message(&address, "gm"));
    for signature in futures_util::future::join_all(signatures).await {
        assert!(verifies(&address, b"gm", &signature.unwrap()));
    }
    signs(&store, &address).await;
    assert_eq!(source.asked.load(Ordering::SeqCst), 1);

    let (store, _) = fallen_back();
    let key = store.export(&address).await.unwrap();
    assert_eq!(key.account_public_key().len(), 32);
    let (store, _) = fallen_back();
    let changed = store.refresh(&address, false).await.unwrap();
    assert_eq!(changed.generation.0, 1);
    signs(&store, &address).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_that_are_nowhere_are_said_to_be_missing_in_both_places() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let store = storage.store(&client);
    let address = created(&store, TwoOfTwo).await;
    let bare = store.create_svm(TwoOfTwo, Variant::default()).await;
    let bare = bare.unwrap().account_address;

    let missing = async |store: &WalletStore, address: &str, vault: &str, provider: &str| {
        let error = store.sign_svm_message(address, "gm").await.unwrap_err();
        assert_eq!(error.code(), "shares_missing", "{error:?}");
        let text = error.to_string();
        assert!(text.contains(vault) && text.contains(provider), "{text}");
    };
    let wiped = Storage::new().store(&client);
    let unknown = "does not know the wallet";
    missing(&wiped, &address, unknown, "no password for them").await;
    missing(&wiped, &bare, unknown, "keeps no backup").await;
    let asked = counted(None);
    let sourced = wiped.clone().with_backup_fallback(asked);
    missing(&sourced, &address, unknown, "no password for them").await;
    let sourced = wiped
        .clone()
        .with_backup_fallback(Arc::new(SecretString::from(PASSWORD)));
    missing(&sourced, &bare, unknown, "keeps no backup").await;
    // A wrong password is told from a missing one.
    let sourced = wiped.with_backup_fallback(Arc::new(SecretString::from("wrong")));
    let error = sourced.sign_svm_message(&address, "gm").await.unwrap_err();
    assert!(matches!(error, Error::WrongPassword), "{error:?}");

    // Of a wallet whose row is there, the record is named.
    let copy = storage.without(&format!("wallet:{bare}/shares/")).await;
    let store = copy.store(&client);
    missing(&store, &bare, "/shares/2", "keeps no backup").await;
    for wrong in [store.export(&bare).await.map(drop), {
        let refreshed = store.refresh(&bare, false).await;
        refreshed.map(drop)
    }] {
        let code = wrong.unwrap_err().code();
        assert_eq!(code, "shares_missing");
    }
    // One that neither half knows is what it always was.
    let nobody = bs58::encode([7; 32]).into_string();
    let error = store.sign_svm_message(&nobody, "gm").await.unwrap_err();
    assert!(matches!(error, Error::WalletNotFound), "{error:?}");
    let name = RecordName::new(format!("wallet:{bare}/state")).unwrap();
    assert!(storage.records.get(&name).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_changes_its_password_without_opening_a_share() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let store = storage.store(&client);
    let address = created(&store, TwoOfThree).await;
    let opened = storage.audit.events().len();
    let info = store
        .update_password(&address, Some(PASSWORD), "another one", BackupFormat::V3)
        .await
        .unwrap();
    assert_eq!(storage.audit.events().len(), opened);
    let properties = store.properties(&address).await.unwrap();
    assert_eq!(
        properties.external_server_key_shares_backup_info,
        Some(info)
    );
    let wiped = Storage::new().store(&client);
    let error = wiped.recover(&address, Some(PASSWORD)).await.unwrap_err();
    assert!(matches!(error, Error::WrongPassword), "{error:?}");
    wiped.recover(&address, Some("another one")).await.unwrap();
    signs(&wiped, &address).await;
}

/// A process that may not open shares cannot back them up, and does not put any back.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_cannot_open_makes_no_backup() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let address = created(&storage.store(&client), TwoOfTwo).await;
    let sealer = storage.store_that_cannot_open(&client);
    let error = sealer
        .back_up(&address, PASSWORD, BackupFormat::V3)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::CannotOpen), "{error:?}");
    let error = sealer.recover(&address, Some(PASSWORD)).await.unwrap_err();
    assert!(matches!(error, Error::CannotOpen), "{error:?}");
    for refused in ["", client.environment_id()] {
        let error = storage
            .store(&client)
            .back_up(&address, refused, BackupFormat::V3)
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::PasswordRequired | Error::PasswordRefused),
            "{error:?}"
        );
    }
}
