//! One row that cannot be read keeps nobody from the other wallets of the store.

use halfkey::{
    Error, LockToken, ResumeTarget, Settled, ThresholdSignatureScheme::TwoOfTwo, Variant,
    WalletStore,
};
use halfkey_core::{CeremonyId, UnixMillis};
use halfkey_vault::{Expect, GetRecord as _, PutRecord as _, RecordName};

use crate::provider::Provider;
use crate::vaults::Storage;

async fn created(store: &WalletStore) -> String {
    let created = store.create_svm(TwoOfTwo, Variant::default()).await;
    created.unwrap().account_address
}

fn state(address: &str) -> RecordName {
    RecordName::new(format!("wallet:{address}/state")).unwrap()
}

/// Two wallets and what is wrong with the row of the first.
async fn torn(storage: &Storage, address: &str, how: &str) {
    let name = state(address);
    let row = storage.records.get(&name).await.unwrap().unwrap();
    let bytes = match how {
        "torn" => row.value[..row.value.len() / 2].to_vec(),
        "of a newer version" => replaced(&row.value, "\"version\":1", "\"version\":9"),
        "foreign" => replaced(&row.value, "\"environment\":\"", "\"environment\":\"x"),
        "of no address" => replaced(&row.value, address, "nowhere"),
        _ => panic!("{how}"),
    };
    let put = storage.records.put(&name, &bytes, Expect::Rev(row.rev));
    put.await.unwrap();
}

fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = core::str::from_utf8(bytes).unwrap();
    assert!(text.contains(from), "{text}");
    text.replace(from, to).into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_row_is_named_beside_the_wallets_it_does_not_hide() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    for how in ["torn", "of a newer version", "foreign", "of no address"] {
        let storage = Storage::new();
        let store = storage.store(&client);
        let bad = created(&store).await;
        let good = created(&store).await;
        // One is pending: its shares are stored, and not proven.
        let sealer = storage.store_that_cannot_open(&client);
        let left = sealer.create_svm(TwoOfTwo, Variant::default()).await;
        let Err(Error::LeftPending { attempt, .. }) = left else {
            panic!("{left:?}")
        };
        let bad_attempt = store.show(&bad).await.unwrap().stored.attempt;
        torn(&storage, &bad, how).await;

        let listed = store.list().await.unwrap();
        let addresses: Vec<_> = listed.iter().map(|one| &*one.account_address).collect();
        assert_eq!(addresses, [&*good], "{how}");
        let [row] = listed.unreadable.as_slice() else {
            panic!("{how}: {listed:?}")
        };
        assert_eq!(row.record, state(&bad).as_str());
        assert_eq!(row.error.code(), "vault_state", "{how}: {:?}", row.error);
        let pending = store.pending().await.unwrap();
        assert_eq!((pending.len(), pending.unreadable.len()), (1, 1));

        // What may be in it is not said to be nowhere.
        let error = store.abort(bad_attempt).await.unwrap_err();
        assert!(error.to_string().contains(&row.record), "{how}: {error}");
        let resumed = store.resume(ResumeTarget::All).await.unwrap();
        assert_eq!(resumed.unreadable.len(), 1);
        let [one] = &resumed[..] else {
            panic!("{how}: {resumed:?}")
        };
        assert_eq!(one.entry.attempt, attempt);
        assert!(matches!(one.settled, Settled::Active(_)), "{resumed:?}");
        store.sign_svm_message(&good, "gm").await.unwrap();
    }
}

/// Custody rule 13: a lock must not be lost because of another wallet's row.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_stored_beside_a_bad_row_and_refused_where_it_may_belong() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let store = storage.store(&client);
    let bad = created(&store).await;
    let good = created(&store).await;
    let mut locks = Vec::new();
    for address in [&bad, &good] {
        let view = store.show(address).await.unwrap();
        locks.push(LockToken {
            environment: provider.environment.clone(),
            wallet: view.stored.wallet,
            generation: view.stored.generation,
            attempt: view.stored.attempt,
            ceremony: CeremonyId::from_bytes([9; 16]),
            check: "consistency check".to_owned(),
            at: UnixMillis(1),
        });
    }
    torn(&storage, &bad, "torn").await;
    store.restore_lock(&locks[1]).await.unwrap();
    let other = storage.store(&provider.client().await);
    let error = other.sign_svm_message(&good, "gm").await.unwrap_err();
    assert!(matches!(error, Error::WalletLocked { .. }), "{error:?}");
    let error = store.restore_lock(&locks[0]).await.unwrap_err();
    assert!(matches!(error, Error::VaultState(_)), "{error:?}");
}
