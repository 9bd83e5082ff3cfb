//! Aliases: one name, one wallet, whoever comes first and wherever it dies.

use core::time::Duration;
use std::collections::BTreeSet;

use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
use halfkey::{
    ChainName, CreateOptions, Error, PrivateKey, StoreOptions, ThresholdSignatureScheme,
    WalletStore,
};
use halfkey_vault::{Expect, RecordName};

use crate::provider::Provider;
use crate::vaults::Storage;

fn named(alias: &str) -> CreateOptions {
    CreateOptions {
        alias: Some(alias.to_owned()),
        ..CreateOptions::default()
    }
}

async fn get(store: &WalletStore, alias: &str) -> String {
    let got = store
        .get_or_create(ChainName::Svm, TwoOfTwo, &named(alias))
        .await;
    got.unwrap().account_address
}

async fn wallets(provider: &Provider) -> usize {
    let client = provider.client().await;
    let page = client.list_wallets(None, None).await.unwrap();
    page.wallets.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_names_its_wallet_in_every_process() {
    let provider = Provider::start().await;
    let (client, storage) = (provider.client().await, Storage::new());
    let store = storage.store(&client);
    let one = get(&store, "treasury").await;
    assert_eq!(get(&storage.store(&client), "treasury").await, one);
    let other = get(&store, "payouts/eu").await;
    assert_ne!(one, other);
    assert_eq!(wallets(&provider).await, 2);

    assert_eq!(store.resolve("treasury").await.unwrap(), one);
    assert_eq!(store.resolve(&one).await.unwrap(), one);
    let error = store.resolve("nobody").await.unwrap_err();
    assert!(matches!(error, Error::WalletNotFound), "{error}");
    let expected = [
        ("payouts/eu".to_owned(), other.clone()),
        ("treasury".to_owned(), one.clone()),
    ];
    assert_eq!(store.aliases().await.unwrap(), expected);

    // A second alias, and one that another wallet has.
    store.set_alias(&one, "cold").await.unwrap();
    store.set_alias(&one, "cold").await.unwrap();
    let error = store.set_alias(&other, "cold").await.unwrap_err();
    assert!(matches!(error, Error::NameTaken), "{error}");
    assert_eq!(store.resolve("cold").await.unwrap(), one);
    assert_eq!(get(&store, "cold").await, one);
    // It follows the wallet through its changes.
    store.refresh(&one, false).await.unwrap();
    store.reshare(&one, TwoOfThree).await.unwrap();
    assert_eq!(get(&store, "treasury").await, one);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_alias_is_refused_and_nothing_is_made() {
    let provider = Provider::start().await;
    let (client, storage) = (provider.client().await, Storage::new());
    let store = storage.store(&client);
    let one = get(&store, "treasury").await;
    let options = named("treasury");
    let error = store
        .create(ChainName::Svm, TwoOfTwo, &options)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NameTaken), "{error}");
    let key = PrivateKey::svm(hex::encode([5; 32])).unwrap();
    let error = store.import(TwoOfTwo, &key, &options).await.unwrap_err();
    assert!(matches!(error, Error::NameTaken), "{error}");
    for (chain, scheme) in [(ChainName::Evm, TwoOfTwo), (ChainName::Svm, TwoOfThree)] {
        let error = store
            .get_or_create(chain, scheme, &options)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::InvalidArgument(_)), "{error}");
    }
    for bad in ["", "two words", "0xabc", &one] {
        let error = store
            .get_or_create(ChainName::Svm, TwoOfTwo, &named(bad))
            .await;
        assert!(
            matches!(error.unwrap_err(), Error::InvalidArgument(_)),
            "{bad}"
        );
    }
    let both = CreateOptions {
        idempotency_key: Some("k".to_owned()),
        ..named("x")
    };
    for options in [both, CreateOptions::default()] {
        let error = store
            .get_or_create(ChainName::Svm, TwoOfTwo, &options)
            .await;
        assert!(matches!(error.unwrap_err(), Error::InvalidArgument(_)));
    }
    assert_eq!(wallets(&provider).await, 1);
    // An imported wallet has its alias from the start.
    store.import(TwoOfTwo, &key, &named("old")).await.unwrap();
    let address = key.account_address().unwrap();
    assert_eq!(store.resolve("old").await.unwrap(), address);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_race_for_an_alias_end_with_one_wallet() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(storage.store(&provider.client().await));
    }
    let raced = stores.iter().map(|store| get(store, "treasury"));
    let addresses: BTreeSet<_> = futures_util::future::join_all(raced)
        .await
        .into_iter()
        .collect();
    assert_eq!(addresses.len(), 1);
    let store = &stores[0];
    assert_eq!(store.list().await.unwrap().len(), 1);
    // Whoever lost ended its attempt on both sides: nothing is left to become a second wallet.
    assert!(store.pending().await.unwrap().is_empty());
    let listed = provider
        .client()
        .await
        .list_wallets(None, None)
        .await
        .unwrap();
    let alive = listed
        .wallets
        .iter()
        .filter(|one| one.state == halfkey::WalletState::Active);
    assert_eq!(alive.count(), 1);
    store
        .sign_svm_message(addresses.first().unwrap(), "gm")
        .await
        .unwrap();
}

/// The one that made it died between the name and the shares: its attempt is ended for good before
/// the alias is anybody else's.
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_without_shares_is_ended_before_its_alias_is_taken_over() {
    let provider = Provider::start().await;
    let (client, storage) = (provider.client().await, Storage::new());
    let store = storage.store_with(
        &client,
        storage.parts(),
        StoreOptions {
            takeover_after: Duration::ZERO,
            ..StoreOptions::default()
        },
    );
    // Only to pin the provider.
    get(&store, "other").await;
    let full = storage.store_that_is_full_after(&client, 2);
    let left = full
        .get_or_create(ChainName::Svm, TwoOfTwo, &named("treasury"))
        .await;
    assert!(matches!(left, Err(Error::NotActivated(_))), "{left:?}");
    let pending = full.pending().await.unwrap();
    let address = get(&store, "treasury").await;
    store.sign_svm_message(&address, "gm").await.unwrap();
    let word = client.attempt(pending[0].attempt).await.unwrap();
    assert_eq!(word.state, halfkey::AttemptState::Aborted);
    assert_eq!(store.list().await.unwrap().len(), 2);
    assert!(store.pending().await.unwrap().is_empty());
}

/// The one that made it died after the shares: whoever comes next finishes that wallet.
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_with_shares_is_finished_by_whoever_asks_next() {
    let provider = Provider::start().await;
    let (client, storage) = (provider.client().await, Storage::new());
    let sealer = storage.store_that_cannot_open(&client);
    let left = sealer
        .get_or_create(ChainName::Svm, TwoOfTwo, &named("treasury"))
        .await;
    assert!(matches!(left, Err(Error::LeftPending { .. })), "{left:?}");
    let error = sealer.resolve("treasury").await.unwrap_err();
    assert!(
        matches!(error, Error::WalletNotFound),
        "no address before commit: {error}"
    );
    let store = storage.store(&client);
    let address = get(&store, "treasury").await;
    store.sign_svm_message(&address, "gm").await.unwrap();
    assert_eq!(wallets(&provider).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_alias_is_an_error_and_makes_no_second_wallet() {
    let provider = Provider::start().await;
    let (client, storage) = (provider.client().await, Storage::new());
    let store = storage.store(&client);
    get(&store, "treasury").await;
    let vault = storage.vault();
    let page = vault.list_names("alias/", None, 10).await.unwrap();
    let name: &RecordName = &page.names[0];
    let rev = vault.get_row(name).await.unwrap().unwrap().rev;
    vault.put_row(name, b"{", Expect::Rev(rev)).await.unwrap();
    let error = store
        .get_or_create(ChainName::Svm, TwoOfTwo, &named("treasury"))
        .await;
    assert!(matches!(error, Err(Error::VaultState(_))), "{error:?}");
    assert_eq!(wallets(&provider).await, 1);
}
