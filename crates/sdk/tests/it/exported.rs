//! The whole key: exported with the provider, and put together without it.

use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
use halfkey::{
    CreateOptions, Error, PrivateKey, SvmWalletClient, ThresholdSignatureScheme, Variant,
};
use halfkey_core::wire::{ErrorCode, Scope};
use halfkey_core::{ChainName, SigningInput};

use crate::bare::verifies;
use crate::provider::Provider;
use crate::vaults::Storage;

/// By other code than ours.
pub(crate) fn evm_address(key: &[u8; 32]) -> String {
    let key = k256::ecdsa::SigningKey::from_slice(key).unwrap();
    let point = key.verifying_key().to_sec1_point(false);
    let address = alloy_primitives::Address::from_raw_public_key(&point.as_bytes()[1..]);
    address.to_checksum(None)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exported_evm_key_has_the_wallets_address() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    let store = storage.store(&provider.client().await);
    let options = CreateOptions::default();
    let made = store
        .create(ChainName::Evm, TwoOfTwo, &options)
        .await
        .unwrap();
    let address = made.account_address;
    let key = store.export(&address).await.unwrap();
    assert_eq!(evm_address(&key.evm_private_key().unwrap()), address);
    // What came out goes in again: the same address below the same root.
    let path = key.header().derivation_path.clone();
    let again = PrivateKey::evm_xprv(key.xprv().unwrap().as_str(), path).unwrap();
    let other = Storage::new().store(&provider.client().await);
    let error = other.import(TwoOfTwo, &again, &options).await.unwrap_err();
    assert_eq!(error.api_code(), Some(ErrorCode::WalletExists), "{error}");
    // Both halves say so for ever, and it signs on.
    let view = store.show(&address).await.unwrap();
    assert!(view.stored.custody_origin.exported());
    assert!(view.provider.unwrap().custody_origin.exported());
    store.sign_evm_message(&address, "gm").await.unwrap();
    store.refresh(&address, false).await.unwrap();
    let view = store.show(&address).await.unwrap();
    assert!(view.stored.custody_origin.exported());
    assert!(view.provider.unwrap().custody_origin.exported());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exported_solana_key_is_a_standard_seed_also_after_changes() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    let store = storage.store(&provider.client().await);
    let address = store
        .create_svm(TwoOfTwo, Variant::Ed25519Exportable)
        .await
        .unwrap();
    let address = address.account_address;
    let seed_of = async || {
        let key = store.export(&address).await.unwrap();
        let seed = key.ed25519_seed().expect("an exportable key has a seed");
        let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
        assert_eq!(bs58::encode(public.to_bytes()).into_string(), address);
        *seed
    };
    let first = seed_of().await;
    store.refresh(&address, false).await.unwrap();
    assert_eq!(seed_of().await, first);
    store.reshare(&address, TwoOfThree).await.unwrap();
    assert_eq!(seed_of().await, first);
    store.refresh(&address, false).await.unwrap();
    assert_eq!(seed_of().await, first);
    store.reshare(&address, TwoOfTwo).await.unwrap();
    assert_eq!(seed_of().await, first);

    let standard = store
        .create_svm(TwoOfTwo, Variant::Ed25519Standard)
        .await
        .unwrap();
    let key = store.export(&standard.account_address).await.unwrap();
    assert!(key.ed25519_seed().is_none());
    let signed = key.sign(&SigningInput::Message(b"gm".to_vec())).unwrap();
    let halfkey::Signature::Ed25519(bytes) = signed else {
        panic!("ed25519")
    };
    let signature = bs58::encode(bytes).into_string();
    assert!(verifies(&standard.account_address, b"gm", &signature));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_customer_shares_are_rescued_without_the_provider() {
    let mut provider = Provider::start().await;
    let (first, second) = (Storage::new(), Storage::new());
    let client = provider.client().await;
    let store = first.store(&client).with_second_vault(second.vault());
    let options = CreateOptions::default();
    let three = store
        .create(ChainName::Svm, TwoOfThree, &options)
        .await
        .unwrap();
    let two = store
        .create(ChainName::Svm, TwoOfTwo, &options)
        .await
        .unwrap();
    provider.stop().await;
    let address = three.account_address;
    store.rescue_drill(&address).await.unwrap();
    assert!(
        !store
            .list()
            .await
            .unwrap()
            .iter()
            .any(|one| one.custody_origin.exported())
    );
    let key = store.rescue(&address).await.unwrap();
    let signed = key.sign(&SigningInput::Message(b"gm".to_vec())).unwrap();
    let halfkey::Signature::Ed25519(bytes) = signed else {
        panic!("ed25519")
    };
    assert!(verifies(
        &address,
        b"gm",
        &bs58::encode(bytes).into_string()
    ));
    let error = store.rescue(&two.account_address).await.unwrap_err();
    assert!(matches!(error, Error::InvalidArgument(_)), "{error}");
    // Without the second vault there is one share, and the drill says so.
    let alone = first
        .store(&client)
        .with_second_vault(Storage::new().vault());
    assert!(alone.rescue_drill(&address).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_the_scope_or_the_share_exports_nothing() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let svm = SvmWalletClient::new(&client);
    let (properties, shares) = svm
        .create_wallet_account(TwoOfTwo, None, false)
        .await
        .unwrap();
    let (_, others) = svm
        .create_wallet_account(TwoOfTwo, None, false)
        .await
        .unwrap();
    let scopes: Vec<_> = Scope::ALL
        .into_iter()
        .filter(|one| *one != Scope::Export)
        .collect();
    let small = provider.client_of(&scopes).await;
    let error = small
        .export_private_key(&properties, &shares)
        .await
        .unwrap_err();
    assert_eq!(error.api_code(), Some(ErrorCode::ScopeMissing), "{error}");
    let error = client
        .export_private_key(&properties, &others)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::ShareOfAnotherWallet), "{error}");
    client
        .export_private_key(&properties, &shares)
        .await
        .unwrap();
}
