//! Keys made elsewhere become wallets with the address they had.

use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
use halfkey::{CreateOptions, Error, PrivateKey, ThresholdSignatureScheme, WalletStore};
use halfkey_core::wire::{ErrorCode, Scope};
use halfkey_core::{DerivationPath, KeyOrigin};

use crate::bare::verifies;
use crate::provider::Provider;
use crate::vaults::Storage;

/// Of the first account of the mnemonic that development nodes use.
const DEV_KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const DEV_ADDRESS: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

async fn import(store: &WalletStore, scheme: ThresholdSignatureScheme, key: &PrivateKey) -> String {
    let options = CreateOptions::default();
    let made = store.import(scheme, key, &options).await.unwrap();
    made.account_address
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evm_key_keeps_its_address_and_signs() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    let store = storage.store(&provider.client().await);
    let key = PrivateKey::evm(DEV_KEY).unwrap();
    let address = import(&store, TwoOfTwo, &key).await;
    assert_eq!(address, DEV_ADDRESS);
    let signature: alloy_primitives::Signature = store
        .sign_evm_message(&address, "gm")
        .await
        .unwrap()
        .parse()
        .unwrap();
    let signer = signature.recover_address_from_msg("gm").unwrap();
    assert_eq!(signer.to_checksum(None), DEV_ADDRESS);
    let view = store.show(&address).await.unwrap();
    assert_eq!(view.stored.custody_origin.origin(), KeyOrigin::Imported);
    assert_eq!(
        view.provider.unwrap().custody_origin,
        view.stored.custody_origin
    );

    // Once more is refused, here and by another customer process.
    let other = Storage::new().store(&provider.client().await);
    let error = other
        .import(TwoOfTwo, &key, &CreateOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.api_code(), Some(ErrorCode::WalletExists), "{error}");
    // A refresh keeps the origin.
    store.refresh(&address, false).await.unwrap();
    let view = store.show(&address).await.unwrap();
    assert_eq!(view.stored.custody_origin.origin(), KeyOrigin::Imported);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_xprv_gives_the_addresses_below_it() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    let store = storage.store(&provider.client().await);
    // BIP-32, test vector 2, chain m/0 and its own child 0.
    let xprv = concat!(
        "xprv9vHkqa6EV4sPZHYqZznhT2NPtPCjKuDKGY38FBWLvgaDx45zo9W",
        "QRUT3dKYnjwih2yJD9mkrocEZXo1ex8G81dwSM1fwqWpWkeS3v86pgKt"
    );
    let root = PrivateKey::evm_xprv(xprv, DerivationPath::default()).unwrap();
    let child: DerivationPath = "m/0".parse().unwrap();
    let below = PrivateKey::evm_xprv(xprv, child).unwrap();
    let (one, two) = (
        import(&store, TwoOfTwo, &root).await,
        import(&store, TwoOfTwo, &below).await,
    );
    assert_ne!(one, two);
    for address in [&one, &two] {
        let signature: alloy_primitives::Signature = store
            .sign_evm_message(address, "gm")
            .await
            .unwrap()
            .parse()
            .unwrap();
        let signer = signature.recover_address_from_msg("gm").unwrap();
        assert_eq!(signer.to_checksum(None), *address);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_solana_seed_keeps_its_address_in_every_scheme() {
    let provider = Provider::start().await;
    for scheme in [TwoOfTwo, TwoOfThree] {
        let seed = [scheme.max_signers(); 32];
        let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
        let storage = Storage::new();
        let store = storage.store(&provider.client().await);
        let key = PrivateKey::svm(hex::encode(seed)).unwrap();
        let address = import(&store, scheme, &key).await;
        assert_eq!(address, bs58::encode(public.to_bytes()).into_string());
        let signature = store.sign_svm_message(&address, "gm").await.unwrap();
        assert!(verifies(&address, b"gm", &signature));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_needs_its_scope() {
    let provider = Provider::start().await;
    let client = provider.client_of(&Scope::DEFAULT).await;
    let store = Storage::new().store(&client);
    let key = PrivateKey::svm(hex::encode([9; 32])).unwrap();
    let error = store
        .import(TwoOfTwo, &key, &CreateOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.api_code(), Some(ErrorCode::ScopeMissing), "{error}");
    assert!(matches!(error, Error::Api(_)));
}
