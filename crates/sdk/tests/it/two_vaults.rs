//! `TWO_OF_THREE` with a vault per customer party.

use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
use halfkey::{
    CreateOptions, Error, Health, PartyIndex, StoreOptions, ThresholdSignatureScheme, Variant,
    WalletStore,
};
use halfkey_core::ChainName;
use halfkey_testkit::CapturedLog;
use tracing::instrument::WithSubscriber as _;

use crate::bare::verifies;
use crate::provider::Provider;
use crate::vaults::Storage;

async fn create(store: &WalletStore) -> String {
    let options = CreateOptions::default();
    let created = store.create(ChainName::Svm, TwoOfThree, &options).await;
    created.unwrap().account_address
}

fn as_party(party: PartyIndex) -> StoreOptions {
    StoreOptions {
        signing_party: party,
        ..StoreOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_customer_share_lies_in_its_party_s_vault_alone() {
    let provider = Provider::start().await;
    let (first, second) = (Storage::new(), Storage::new());
    let client = provider.client().await;
    let store = first.store(&client).with_second_vault(second.vault());
    let address = create(&store).await;
    for (record, ours) in [("shares/2", true), ("shares/3", false)] {
        let name = format!("wallet:{address}/{record}");
        assert_eq!(first.holds(&name).await, ours, "{name}");
        assert_eq!(second.holds(&name).await, !ours, "{name}");
    }
    for party in [PartyIndex::CUSTOMER_1, PartyIndex::CUSTOMER_2] {
        let store = first.store_with(&client, first.parts(), as_party(party));
        let store = store.with_second_vault(second.vault());
        let signature = store.sign_svm_message(&address, "gm").await.unwrap();
        assert!(verifies(&address, b"gm", &signature));
    }
    assert!(matches!(
        store.check(&address).await.unwrap(),
        Health::Signs
    ));
    // New shares go the same ways, and what stood there before is replaced in both.
    store.refresh(&address, false).await.unwrap();
    assert!(matches!(
        store.check(&address).await.unwrap(),
        Health::Signs
    ));
    assert!(!first.holds(&format!("wallet:{address}/shares/3")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_second_vault_the_first_party_signs_and_replaces_the_lost_share() {
    let provider = Provider::start().await;
    let (first, second) = (Storage::new(), Storage::new());
    let client = provider.client().await;
    let store = first.store(&client).with_second_vault(second.vault());
    let address = create(&store).await;
    drop((store, second));
    let fresh = Storage::new();
    let store = first.store(&client).with_second_vault(fresh.vault());
    let signature = store.sign_svm_message(&address, "gm").await.unwrap();
    assert!(verifies(&address, b"gm", &signature));
    let health = store.check(&address).await.unwrap();
    assert!(matches!(health, Health::Recoverable { .. }), "{health:?}");
    // A refresh needs every share; the way on is a replacement (custody rule 3).
    assert!(store.refresh(&address, false).await.is_err());
    store
        .replace_share(&address, PartyIndex::CUSTOMER_2)
        .await
        .unwrap();
    assert!(matches!(
        store.check(&address).await.unwrap(),
        Health::Signs
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_vault_is_refused_where_two_are_required() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    let client = provider.client().await;
    let required = StoreOptions {
        require_distinct_vaults: true,
        ..StoreOptions::default()
    };
    let store = storage.store_with(&client, storage.parts(), required);
    let options = CreateOptions::default();
    let error = store.create(ChainName::Svm, TwoOfThree, &options).await;
    assert!(matches!(error, Err(Error::DistinctVaultsRequired)));
    let address = store
        .create_svm(TwoOfTwo, Variant::default())
        .await
        .unwrap();
    let error = store.reshare(&address.account_address, TwoOfThree).await;
    assert!(matches!(error, Err(Error::DistinctVaultsRequired)));
    let second = Storage::new();
    create(&store.with_second_vault(second.vault())).await;
}

/// A store that makes many wallets says it once, and one with two vaults never.
#[tokio::test(flavor = "multi_thread")]
async fn one_vault_for_both_shares_is_warned_of_once() {
    let provider = Provider::start().await;
    let (first, second) = (Storage::new(), Storage::new());
    let client = provider.client().await;
    let warnings = async |store: &WalletStore, wallets: usize| {
        let log = CapturedLog::default();
        for _ in 0..wallets {
            create(store).with_subscriber(log.subscriber()).await;
        }
        let text = String::from_utf8(log.bytes()).unwrap();
        text.matches("lie in one vault: whoever opens it").count()
    };
    let store = first.store(&client);
    assert_eq!(warnings(&store, 2).await, 1);
    let store = first.store(&client).with_second_vault(second.vault());
    assert_eq!(warnings(&store, 1).await, 0);
}
