//! A freeze as the customer meets it: everything stops, and only whoever may end it refreshes.

use ThresholdSignatureScheme::TwoOfTwo;
use halfkey::{ChainName, CreateOptions, Error, ThresholdSignatureScheme, WalletStore};
use halfkey_core::wire::{ErrorCode, Scope};

use crate::provider::Provider;
use crate::vaults::Storage;

async fn create(store: &WalletStore, chain: ChainName) -> Result<String, Error> {
    let options = CreateOptions::default();
    let made = store.create(chain, TwoOfTwo, &options).await?;
    Ok(made.account_address)
}

fn is_frozen(error: &Error) -> bool {
    error.api_code() == Some(ErrorCode::Frozen)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_stops_signing_making_changing_and_exporting() {
    let provider = Provider::start().await;
    let brake = provider
        .client_of(&[Scope::Freeze, Scope::Unfreeze, Scope::Read])
        .await;
    let everyday: Vec<_> = Scope::ALL
        .into_iter()
        .filter(|one| *one != Scope::Unfreeze)
        .collect();
    let client = provider.client_of(&everyday).await;
    let store = Storage::new().store(&client);
    for chain in [ChainName::Svm, ChainName::Evm] {
        let address = create(&store, chain).await.unwrap();
        brake.freeze(None, "drill").await.unwrap();
        assert_eq!(brake.freezes().await.unwrap()[0].reason, "drill");
        let mut errors = vec![
            create(&store, chain).await.unwrap_err(),
            store.refresh(&address, false).await.unwrap_err(),
            store
                .reshare(&address, ThresholdSignatureScheme::TwoOfThree)
                .await
                .unwrap_err(),
            store.export(&address).await.unwrap_err(),
        ];
        errors.push(match chain {
            ChainName::Svm => store.sign_svm_message(&address, "gm").await.unwrap_err(),
            _ => store.sign_evm_message(&address, "gm").await.unwrap_err(),
        });
        for error in &errors {
            assert!(is_frozen(error), "{error}");
        }
        let error = client.unfreeze(None).await.unwrap_err();
        assert_eq!(error.api_code(), Some(ErrorCode::ScopeMissing), "{error}");
        brake.unfreeze(None).await.unwrap();
        // Nothing of it left a mark.
        match chain {
            ChainName::Svm => store.sign_svm_message(&address, "gm").await.unwrap(),
            _ => store.sign_evm_message(&address, "gm").await.unwrap(),
        };
        let view = store.show(&address).await.unwrap();
        assert!(!view.stored.custody_origin.exported());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_end_a_freeze_refreshes_under_it_and_does_nothing_else() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let storage = Storage::new();
    let store = storage.destroying_store(&client);
    let evm = create(&store, ChainName::Evm).await.unwrap();
    let svm = create(&store, ChainName::Svm).await.unwrap();
    client.freeze(None, "drill").await.unwrap();
    for address in [&evm, &svm] {
        store.refresh(address, true).await.unwrap();
        let error = store.export(address).await.unwrap_err();
        assert!(is_frozen(&error), "{error}");
    }
    let error = store.sign_evm_message(&evm, "gm").await.unwrap_err();
    assert!(is_frozen(&error), "{error}");
    client.unfreeze(None).await.unwrap();
    store.sign_evm_message(&evm, "gm").await.unwrap();
    store.sign_svm_message(&svm, "gm").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn other_tokens_end_and_this_one_goes_on() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let stolen = provider.client_of(&Scope::ALL).await;
    let revoked = client.revoke_other_tokens().await.unwrap();
    assert_eq!(revoked.len(), 1);
    assert!(stolen.list_wallets(None, None).await.is_err());
    client.list_wallets(None, None).await.unwrap();
    assert!(client.revoke_other_tokens().await.unwrap().is_empty());
}
