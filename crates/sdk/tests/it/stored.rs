//! `WalletStore`: atomic create, sign by address.

use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
use alloy_consensus::TxEip1559;
use alloy_primitives::Signature;
use halfkey::{
    ChainName, CreateOptions, Error, ResumeTarget, Settled, ThresholdSignatureScheme, Variant,
};
use halfkey_vault::Purpose;

use crate::bare::{messages, typed_data, verifies};
use crate::provider::Provider;
use crate::vaults::Storage;

#[tokio::test(flavor = "multi_thread")]
async fn an_evm_wallet_is_stored_proven_and_signs_by_address_in_a_new_process() {
    for scheme in [TwoOfTwo, TwoOfThree] {
        let provider = Provider::start().await;
        let storage = Storage::new();
        let store = storage.store(&provider.client().await);
        let properties = store.create_evm(scheme).await.unwrap();
        let address = properties.account_address.clone();
        drop(store);

        let store = storage.store(&provider.client().await);
        let signature: Signature = store
            .sign_evm_message(&address, "hello")
            .await
            .unwrap()
            .parse()
            .unwrap();
        let recovered = signature.recover_address_from_msg("hello").unwrap();
        assert_eq!(recovered.to_checksum(None), address);
        let tx = TxEip1559 {
            chain_id: 1,
            ..TxEip1559::default()
        };
        let signed = store.sign_evm_transaction(&address, tx).await.unwrap();
        assert_eq!(signed.recover_signer().unwrap().to_checksum(None), address);
        store
            .sign_evm_typed_data(&address.to_lowercase(), &typed_data())
            .await
            .unwrap();

        let view = store.show(&address).await.unwrap();
        assert_eq!(view.stored.state, "active");
        assert_eq!(view.provider.unwrap().proof, view.stored.proof);
        assert_eq!(store.list().await.unwrap().len(), 1);
        assert!(store.pending().await.unwrap().is_empty());
        assert_eq!(store.properties(&address).await.unwrap(), properties);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_solana_wallet_is_stored_proven_and_signs_by_address_in_a_new_process() {
    for scheme in [TwoOfTwo, TwoOfThree] {
        for variant in [Variant::Ed25519Exportable, Variant::Ed25519Standard] {
            let provider = Provider::start().await;
            let storage = Storage::new();
            let store = storage.store(&provider.client().await);
            let address = store
                .create_svm(scheme, variant)
                .await
                .unwrap()
                .account_address;
            drop(store);

            let store = storage.store(&provider.client().await);
            let signature = store.sign_svm_message(&address, "gm").await.unwrap();
            assert!(verifies(&address, b"gm", &signature));
            for message in messages(&address) {
                let signature = store
                    .sign_svm_transaction(&address, &message)
                    .await
                    .unwrap();
                assert!(verifies(&address, &message, &signature));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_opens_exactly_one_customer_share() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    let store = storage.store(&provider.client().await);
    let address = store
        .create_svm(TwoOfThree, Variant::default())
        .await
        .unwrap()
        .account_address;
    let before = storage.audit.events().len();
    store.sign_svm_message(&address, "gm").await.unwrap();
    let events = storage.audit.events();
    let opened: Vec<_> = events[before..]
        .iter()
        .filter(|event| event.purpose == Purpose::Sign.as_str())
        .collect();
    assert_eq!(opened.len(), 1, "{opened:?}");
    assert!(opened[0].record.ends_with("/shares/2"), "{opened:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_cannot_open_leaves_the_wallet_to_one_that_can() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    let client = provider.client().await;
    let sealer = storage.store_that_cannot_open(&client);
    let error = sealer
        .create_svm(TwoOfTwo, Variant::default())
        .await
        .unwrap_err();
    let Error::LeftPending { attempt, source } = error else {
        panic!("{error:?}")
    };
    assert!(matches!(*source, Error::CannotOpen), "{source:?}");
    let entry = &sealer.pending().await.unwrap()[0];
    assert_eq!(entry.attempt, attempt);
    assert_eq!(entry.custody_origin.names(), ["dealt"]);
    assert!(sealer.list().await.unwrap().is_empty());

    let opener = storage.store(&client);
    let resumed = opener.resume(ResumeTarget::All).await.unwrap();
    let Settled::Active(properties) = &resumed[0].settled else {
        panic!("{resumed:?}")
    };
    let signature = opener
        .sign_svm_message(&properties.account_address, "gm")
        .await
        .unwrap();
    assert!(verifies(&properties.account_address, b"gm", &signature));
    assert!(opener.resume(ResumeTarget::All).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_makes_one_wallet() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    let client = provider.client().await;
    let options = CreateOptions {
        idempotency_key: Some("order-7".to_owned()),
        ..CreateOptions::default()
    };
    let first = storage
        .store(&client)
        .create(ChainName::Svm, TwoOfTwo, &options)
        .await
        .unwrap();
    let again = storage
        .store(&client)
        .create(ChainName::Svm, TwoOfTwo, &options)
        .await
        .unwrap();
    assert_eq!(first, again);
    assert_eq!(
        client.list_wallets(None, None).await.unwrap().wallets.len(),
        1
    );
    let other = storage
        .store(&client)
        .create(ChainName::Evm, TwoOfTwo, &options)
        .await;
    assert!(matches!(other, Err(Error::InvalidArgument(_))), "{other:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wallets_outlive_both_processes() {
    let mut provider = Provider::start().await;
    let storage = Storage::new();
    let store = storage.store(&provider.client().await);
    let evm = store.create_evm(TwoOfTwo).await.unwrap().account_address;
    let svm = store
        .create_svm(TwoOfTwo, Variant::default())
        .await
        .unwrap()
        .account_address;
    drop(store);
    provider.stop().await;
    provider.start_again().await;

    let store = storage.store(&provider.client().await);
    store.sign_evm_message(&evm, "still here").await.unwrap();
    store.sign_svm_message(&svm, "still here").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_signatures_of_one_wallet_at_once_all_verify() {
    let provider = Provider::start().await;
    let storage = Storage::new();
    let store = storage.store(&provider.client().await);
    let address = &store.create_evm(TwoOfTwo).await.unwrap().account_address;
    // More than the 16 slots: the rest wait here, not at the provider.
    let signatures = (0..24).map(|number| {
        let store = &store;
        async move {
            let text = format!("number {number}");
            let signature = store.sign_evm_message(address, &text).await.unwrap();
            let signature: Signature = signature.parse().unwrap();
            let signer = signature.recover_address_from_msg(text).unwrap();
            assert_eq!(signer.to_checksum(None), *address);
        }
    });
    futures_util::future::join_all(signatures).await;
}
