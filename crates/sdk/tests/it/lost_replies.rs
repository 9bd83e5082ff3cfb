//! A reply is lost at every step of create: whatever then happened settles, and no wallet is ever
//! active without its share in the vault.

use std::collections::BTreeSet;
use std::time::Duration;

use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
use halfkey::{
    ChainName, CreateOptions, Error, EvmWalletClient, ResumeTarget, StoreOptions,
    ThresholdSignatureScheme, WalletClient, WalletState, WalletStore,
};
use halfkey_core::wire::ErrorCode;

use crate::provider::Provider;
use crate::proxy::Proxy;
use crate::vaults::Storage;

async fn active_at_provider(client: &WalletClient) -> BTreeSet<String> {
    let page = client.list_wallets(None, Some(100)).await.unwrap();
    assert!(page.next_cursor.is_none());
    let active = page
        .wallets
        .into_iter()
        .filter(|wallet| wallet.state == WalletState::Active);
    active.map(|wallet| wallet.account_address).collect()
}

async fn signs(store: &WalletStore, chain: ChainName, address: &str) {
    match chain {
        ChainName::Evm => store
            .sign_evm_message(address, "x")
            .await
            .map(drop)
            .unwrap(),
        _ => store
            .sign_svm_message(address, "x")
            .await
            .map(drop)
            .unwrap(),
    }
}

async fn every_lost_reply_settles(chain: ChainName, scheme: ThresholdSignatureScheme) {
    let provider = Provider::start().await;
    let direct = provider.client().await;
    let proxy = Proxy::start(provider.running().addr()).await;
    let opts = provider.opts_at(&proxy.url()).max_retries(0);
    let client = provider.client_with(opts).await;
    let mut steps = 0;
    loop {
        let storage = Storage::new();
        let before = active_at_provider(&direct).await;
        proxy.lose_reply(steps);
        let made = storage
            .store(&client)
            .create(chain, scheme, &CreateOptions::default())
            .await;
        let lost = proxy.stop_losing();

        let options = StoreOptions {
            abort_after: Duration::ZERO,
            ..StoreOptions::default()
        };
        let store = storage.store_with(&direct, storage.parts(), options);
        store.resume(ResumeTarget::All).await.unwrap();
        assert!(
            store.pending().await.unwrap().is_empty(),
            "step {steps}: {made:?}"
        );
        let stored: BTreeSet<String> = store
            .list()
            .await
            .unwrap()
            .into_iter()
            .map(|wallet| wallet.account_address)
            .collect();
        let now = active_at_provider(&direct).await;
        let new: BTreeSet<String> = now.difference(&before).cloned().collect();
        assert_eq!(new, stored, "step {steps}: {made:?}");
        for address in &stored {
            signs(&store, chain, address).await;
        }
        if let Ok(properties) = &made {
            assert!(stored.contains(&properties.account_address));
        }
        if lost == 0 {
            assert!(made.is_ok(), "{made:?}");
            break;
        }
        steps += 1;
    }
    // Keygen 2, proof 1 or 2 per pair, commit 1, and the question after a lost commit.
    assert!(steps >= 5, "only {steps} replies were lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_lost_reply_of_an_evm_create_settles() {
    every_lost_reply_settles(ChainName::Evm, TwoOfTwo).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_lost_reply_of_a_solana_create_settles() {
    every_lost_reply_settles(ChainName::Svm, TwoOfTwo).await;
    every_lost_reply_settles(ChainName::Svm, TwoOfThree).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_keygen_or_commit_reply_is_repeated_to_the_same_effect() {
    let provider = Provider::start().await;
    let proxy = Proxy::start(provider.running().addr()).await;
    let client = provider.client_with(provider.opts_at(&proxy.url())).await;
    // create, round, prove, shown proof, commit
    for step in [0, 1, 3, 4] {
        let storage = Storage::new();
        proxy.lose_reply(step);
        let options = CreateOptions::default();
        let made = storage
            .store(&client)
            .create(ChainName::Svm, TwoOfTwo, &options)
            .await;
        assert_eq!(proxy.stop_losing(), 1);
        let address = made.unwrap().account_address;
        signs(&storage.store(&client), ChainName::Svm, &address).await;
    }
    assert_eq!(
        client.list_wallets(None, None).await.unwrap().wallets.len(),
        4
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_last_reply_of_a_signature_is_an_unknown_outcome_and_not_repeated() {
    let provider = Provider::start().await;
    let proxy = Proxy::start(provider.running().addr()).await;
    let client = provider.client_with(provider.opts_at(&proxy.url())).await;
    let evm = EvmWalletClient::new(&client);
    let (properties, shares) = evm
        .create_wallet_account(TwoOfTwo, None, false)
        .await
        .unwrap();
    for (step, is_last) in [(0, false), (1, true)] {
        proxy.take_seen();
        proxy.lose_reply(step);
        let error = evm
            .sign_message(&properties, &shares, "pay")
            .await
            .unwrap_err();
        assert_eq!(proxy.stop_losing(), 1);
        assert_eq!(
            proxy.take_seen().len(),
            step + 1,
            "a signature was repeated"
        );
        assert_eq!(
            matches!(error, Error::OutcomeUnknown { .. }),
            is_last,
            "{error:?}"
        );
        assert!(!matches!(error.api_code(), Some(ErrorCode::WalletLocked)));
    }
    // The same payload again, as the error says.
    evm.sign_message(&properties, &shares, "pay").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_activation_hands_the_shares_back() {
    let provider = Provider::start().await;
    let proxy = Proxy::start(provider.running().addr()).await;
    let client = provider
        .client_with(provider.opts_at(&proxy.url()).max_retries(0))
        .await;
    let evm = EvmWalletClient::new(&client);
    // The commit and the question after it.
    proxy.lose_replies(2, 2);
    let error = evm
        .create_wallet_account(TwoOfTwo, None, false)
        .await
        .unwrap_err();
    assert_eq!(proxy.stop_losing(), 2);
    let text = format!("{error:?} {error}");
    let Error::NotActivated(inner) = &error else {
        panic!("{error:?}")
    };
    let (properties, secret) = (
        inner.properties.clone(),
        inner.shares[0].secret_share.clone(),
    );
    assert!(!text.contains(&secret[..16]));
    let shares = error.into_shares().unwrap();
    // It was committed after all, and signs.
    evm.sign_message(&properties, &shares, "still mine")
        .await
        .unwrap();
}
