//! Whatever stands under the active names gives way to a new generation, or keeps it from being
//! committed: never is one committed that cannot sign here.

use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
use halfkey::{
    BackupFormat, Error, Generation, Health, PartyIndex, ResumeTarget, Settled,
    ThresholdSignatureScheme, Variant, WalletStore,
};
use halfkey_vault::{Expect, GetRecord as _, PutRecord as _, RecordName};

use crate::backed_up::PASSWORD;
use crate::bare::verifies;
use crate::provider::Provider;
use crate::vaults::Storage;

async fn created(store: &WalletStore, scheme: ThresholdSignatureScheme) -> String {
    let created = store.create_svm(scheme, Variant::default()).await;
    created.unwrap().account_address
}

async fn signs(store: &WalletStore, address: &str) {
    let signature = store.sign_svm_message(address, "gm").await.unwrap();
    assert!(verifies(address, b"gm", &signature));
    let health = store.check(address).await.unwrap();
    assert!(matches!(health, Health::Signs), "{health:?}");
    assert!(store.pending().await.unwrap().is_empty());
}

async fn read(storage: &Storage, name: &str) -> Vec<u8> {
    let name = RecordName::new(name).unwrap();
    storage.records.get(&name).await.unwrap().unwrap().value
}

async fn write(storage: &Storage, name: &str, bytes: &[u8]) {
    let name = RecordName::new(name).unwrap();
    let written = storage.records.put(&name, bytes, Expect::Any).await;
    written.unwrap();
}

/// One bit of the body: it still looks like a record.
async fn damage(storage: &Storage, name: &str) {
    let mut bytes = read(storage, name).await;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    write(storage, name, &bytes).await;
}

fn active_name(address: &str, party: u16) -> String {
    format!("wallet:{address}/shares/{party}")
}

/// Put back by itself, a record is sealed anew and no copy of its twin any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_share_that_was_put_back_can_be_changed() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    for staged in [true, false] {
        let storage = Storage::new();
        let store = storage.store(&client);
        let address = created(&store, TwoOfTwo).await;
        let backed = store.back_up(&address, PASSWORD, BackupFormat::V3);
        backed.await.unwrap();
        let record = store.show(&address).await.unwrap().records.remove(0);
        let name = if staged {
            record
        } else {
            active_name(&address, 2)
        };
        damage(&storage, &name).await;
        store.recover(&address, Some(PASSWORD)).await.unwrap();
        store.refresh(&address, false).await.unwrap();
        signs(&store, &address).await;
        store.reshare(&address, TwoOfThree).await.unwrap();
        signs(&store, &address).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_that_was_adopted_again_can_be_changed() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    for staged in [true, false] {
        let storage = Storage::new();
        let full = storage.store_that_is_full_after(&client, 1);
        let error = full.create_svm(TwoOfTwo, Variant::default()).await;
        let shares = error.unwrap_err().into_shares().unwrap();
        let store = storage.store(&client);
        let address = store.adopt(&shares).await.unwrap().account_address;
        let record = store.show(&address).await.unwrap().records.remove(0);
        let name = if staged {
            record
        } else {
            active_name(&address, 2)
        };
        damage(&storage, &name).await;
        store.adopt(&shares).await.unwrap();
        store.refresh(&address, false).await.unwrap();
        signs(&store, &address).await;
    }
}

/// The record of the attempt is whole, so there is all that a change needs, and it mends the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_active_record_is_replaced_by_any_change() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let store = storage.store(&client);
    let address = created(&store, TwoOfThree).await;
    let (one, two) = (active_name(&address, 2), active_name(&address, 3));

    damage(&storage, &one).await;
    store.refresh(&address, false).await.unwrap();
    signs(&store, &address).await;

    write(&storage, &two, b"HKR1 torn").await;
    store
        .replace_share(&address, PartyIndex::CUSTOMER_2)
        .await
        .unwrap();
    signs(&store, &address).await;

    write(&storage, &one, b"").await;
    damage(&storage, &two).await;
    store.reshare(&address, TwoOfTwo).await.unwrap();
    signs(&store, &address).await;
    // The third party's old copy stood there all the time.
    store.reshare(&address, TwoOfThree).await.unwrap();
    signs(&store, &address).await;
    let view = store.show(&address).await.unwrap();
    assert_eq!(view.stored.generation, Generation(4));
}

/// The copy of a party that left outlived its twin, which was shredded.
#[tokio::test(flavor = "multi_thread")]
async fn a_party_comes_back_after_the_shares_before_were_shredded() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let store = storage.destroying_store(&client);
    let address = created(&store, TwoOfThree).await;
    store.reshare(&address, TwoOfTwo).await.unwrap();
    let left = read(&storage, &active_name(&address, 3)).await;
    store.refresh(&address, true).await.unwrap();
    // As an older build left it, or one that could not destroy.
    write(&storage, &active_name(&address, 3), &left).await;
    store.reshare(&address, TwoOfThree).await.unwrap();
    signs(&store, &address).await;
}

/// The state an older build ended in: the provider has committed, the active record is damaged.
#[tokio::test(flavor = "multi_thread")]
async fn a_committed_change_is_activated_over_a_damaged_record_by_a_resume() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let store = storage.store(&client);
    let address = created(&store, TwoOfTwo).await;
    // The row and the record, and no room for the copy.
    let full = storage.store_that_is_full_after(&client, 2);
    let error = full.refresh(&address, false).await.unwrap_err();
    assert!(matches!(error, Error::LeftPending { .. }), "{error:?}");
    damage(&storage, &active_name(&address, 2)).await;
    let theirs = store.show(&address).await.unwrap().provider.unwrap();
    assert_eq!(theirs.generation, Generation(1));

    let resumed = store.resume(ResumeTarget::All).await.unwrap();
    assert!(
        matches!(resumed[0].settled, Settled::Active(_)),
        "{resumed:?}"
    );
    signs(&store, &address).await;
    let view = store.show(&address).await.unwrap();
    assert_eq!(view.stored.generation, Generation(1));
}

/// What the mark says of a later generation outranks the row: its share is not overwritten.
#[tokio::test(flavor = "multi_thread")]
async fn a_later_share_does_not_give_way_to_an_older_row() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let store = storage.store(&client);
    let address = created(&store, TwoOfTwo).await;
    let full = storage.store_that_is_full_after(&client, 2);
    full.refresh(&address, false).await.unwrap_err();
    let state = format!("wallet:{address}/state");
    let older = read(&storage, &state).await;
    store.refresh(&address, false).await.unwrap();
    let newest = read(&storage, &active_name(&address, 2)).await;

    write(&storage, &state, &older).await;
    let resumed = store.resume(ResumeTarget::All).await.unwrap();
    let Settled::Failed(error) = &resumed[0].settled else {
        panic!("{resumed:?}")
    };
    assert!(error.to_string().contains("rolled back"), "{error}");
    assert!(read(&storage, &active_name(&address, 2)).await == newest);
}

/// Whatever would keep a generation from becoming active is found before the provider commits it.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_committed_that_could_not_become_active() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let store = storage.store(&client);
    let address = created(&store, TwoOfTwo).await;
    let mark = format!("wallet:{address}/high-water");
    let whole = read(&storage, &mark).await;
    damage(&storage, &mark).await;
    let error = store.refresh(&address, false).await.unwrap_err();
    assert_eq!(error.code(), "record_corrupt", "{error:?}");
    let theirs = store.show(&address).await.unwrap().provider.unwrap();
    assert_eq!(theirs.generation, Generation(0));
    // It is only held up.
    write(&storage, &mark, &whole).await;
    signs(&store, &address).await;
}
