//! Addresses and share lists that cannot be what is meant: refused before anything is opened or
//! sent, and nothing lost.

use halfkey::{Error, PendingWallet, ThresholdSignatureScheme, Variant};

use crate::provider::Provider;
use crate::vaults::Storage;

fn swapped_case(address: &str) -> String {
    let mut characters = address.chars();
    let prefix: String = characters.by_ref().take(2).collect();
    let swapped = characters.map(|one| {
        if one.is_ascii_lowercase() {
            one.to_ascii_uppercase()
        } else {
            one.to_ascii_lowercase()
        }
    });
    prefix + &swapped.collect::<String>()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_in_the_wrong_case_is_refused_and_the_right_one_signs() {
    let (provider, storage) = (Provider::start().await, Storage::new());
    let store = storage.store(&provider.client().await);
    let scheme = ThresholdSignatureScheme::TwoOfTwo;
    let evm = store.create_evm(scheme).await.unwrap().account_address;
    let svm = store.create_svm(scheme, Variant::default()).await;
    let svm = svm.unwrap().account_address;
    let before = storage.audit.events().len();
    // Mixed case is a checksum, and this is not the right one.
    let refused = store.sign_evm_message(&swapped_case(&evm), "gm").await;
    assert!(matches!(refused, Err(Error::Payload(_))), "{refused:?}");
    // Base58 has no cases: other letters are another address, or none.
    let refused = store.sign_svm_message(&swapped_case(&svm), "gm").await;
    assert!(
        matches!(refused, Err(Error::Payload(_) | Error::WalletNotFound)),
        "{refused:?}"
    );
    assert_eq!(storage.audit.events().len(), before, "nothing was opened");
    store.sign_svm_message(&svm, "gm").await.unwrap();
    for same in [
        evm.clone(),
        evm.to_lowercase(),
        evm.to_uppercase().replacen("0X", "0x", 1),
    ] {
        store.sign_evm_message(&same, "gm").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_share_is_no_wallet() {
    let (provider, storage) = (Provider::start().await, Storage::new());
    let client = provider.client().await;
    let store = storage.store(&client);
    let scheme = ThresholdSignatureScheme::TwoOfTwo;
    let created = store.create_svm(scheme, Variant::default()).await;
    let address = created.unwrap().account_address;
    let refused = store.adopt(&[]).await;
    assert!(matches!(refused, Err(Error::NoShare)), "{refused:?}");
    let refused = PendingWallet::from_shares(&client, &[]);
    assert!(matches!(refused, Err(Error::NoShare)));
    assert_eq!(store.list().await.unwrap().len(), 1);
    store.sign_svm_message(&address, "gm").await.unwrap();
}
