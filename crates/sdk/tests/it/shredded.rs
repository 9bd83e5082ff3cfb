//! After a compromise nothing of earlier shares stays: not of a party that left, and not in a vault
//! that a party's shares have left.

use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
use halfkey::{Health, PartyIndex, StoreContexts, ThresholdSignatureScheme, Variant, WalletStore};
use halfkey_core::RequestId;
use halfkey_vault::{Access, ListRecords as _, Purpose, RecordContexts as _, RecordName};

use crate::provider::Provider;
use crate::vaults::Storage;

async fn created(store: &WalletStore, scheme: ThresholdSignatureScheme) -> String {
    let created = store.create_svm(scheme, Variant::default()).await;
    created.unwrap().account_address
}

async fn shares_in(storage: &Storage, address: &str) -> Vec<String> {
    let prefix = format!("wallet:{address}/shares/");
    let page = storage.records.list(&prefix, None, 100).await.unwrap();
    let names = page.names.iter().map(|name| name.as_str().to_owned());
    names.collect()
}

async fn signs(store: &WalletStore, address: &str) {
    store.sign_svm_message(address, "gm").await.unwrap();
    let health = store.check(address).await.unwrap();
    assert!(matches!(health, Health::Signs), "{health:?}");
}

/// What the active generation has, and nothing else.
async fn only_the_active(store: &WalletStore, storages: &[&Storage], address: &str) {
    let mut expected = store.show(address).await.unwrap().records;
    let parties: Vec<_> = expected
        .iter()
        .map(|record| record.rsplit_once('/').unwrap().0.to_owned())
        .collect();
    expected.extend(parties);
    expected.sort();
    let mut found = Vec::new();
    for storage in storages {
        found.extend(shares_in(storage, address).await);
    }
    found.sort();
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_copy_of_a_party_that_left_is_shredded_too() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    let store = storage.destroying_store(&provider.client().await);
    let address = created(&store, TwoOfThree).await;
    store.reshare(&address, TwoOfTwo).await.unwrap();
    assert!(storage.holds(&format!("wallet:{address}/shares/3")).await);
    store.refresh(&address, true).await.unwrap();
    only_the_active(&store, &[&storage], &address).await;
    signs(&store, &address).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vault_that_a_party_left_keeps_none_of_its_shares() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let (first, second) = (Storage::new(), Storage::new());
    let alone = first.destroying_store(&client);
    let address = created(&alone, TwoOfThree).await;
    let store = alone.with_second_vault(second.destroying_vault());
    store
        .replace_share(&address, PartyIndex::CUSTOMER_2)
        .await
        .unwrap();
    assert!(first.holds(&format!("wallet:{address}/shares/3")).await);
    store.refresh(&address, true).await.unwrap();
    only_the_active(&store, &[&first, &second], &address).await;
    assert!(second.holds(&format!("wallet:{address}/shares/3")).await);
    signs(&store, &address).await;
}

/// Two configurations of one store: what lies there is what signs.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_vault_that_is_the_first_loses_nothing() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    let store = storage.destroying_store(&provider.client().await);
    let store = store.with_second_vault(storage.destroying_vault());
    let address = created(&store, TwoOfThree).await;
    store.refresh(&address, true).await.unwrap();
    only_the_active(&store, &[&storage], &address).await;
    signs(&store, &address).await;
}

/// Without it a rewrap would pass the record over, and the retired key version with it.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_party_left_behind_is_known_to_a_rewrap() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    let store = storage.store(&provider.client().await);
    let address = created(&store, TwoOfThree).await;
    store.refresh(&address, false).await.unwrap();
    store.reshare(&address, TwoOfTwo).await.unwrap();
    let contexts = StoreContexts::new(storage.vault(), provider.environment.clone(), "");
    let access = Access {
        actor: "test".to_owned(),
        purpose: Purpose::Resume,
        request_id: RequestId::from_bytes([1; 16]),
    };
    let names = shares_in(&storage, &address).await;
    assert_eq!(names.len(), 7, "{names:?}");
    for name in names {
        let name = RecordName::new(name).unwrap();
        let ctx = contexts.context(&name).await.unwrap();
        let ctx = ctx.unwrap_or_else(|| panic!("{name} is unknown"));
        storage.vault().load(&name, &ctx, &access).await.unwrap();
    }
}
