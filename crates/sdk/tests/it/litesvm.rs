//! What two halves sign, in front of Solana's own runtime.

use halfkey::{ThresholdSignatureScheme, Variant};
use halfkey_testkit::scenarios;

use crate::provider::Provider;
use crate::vaults::Storage;

#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_executed_and_messages_convince_solders() {
    let provider = Provider::start().await;
    let store = Storage::new().store(&provider.client().await);
    for variant in [Variant::Ed25519Exportable, Variant::Ed25519Standard] {
        let scheme = ThresholdSignatureScheme::TwoOfTwo;
        let address = &store
            .create_svm(scheme, variant)
            .await
            .unwrap()
            .account_address;
        let sign = async |payload| store.sign(address, &payload).await.unwrap();
        scenarios::svm::legacy_and_v0(address.parse().unwrap(), sign).await;
        scenarios::svm::message(address.parse().unwrap(), sign).await;
        // And what the shares after them sign.
        store.refresh(address, false).await.unwrap();
        scenarios::svm::legacy_and_v0(address.parse().unwrap(), sign).await;
        store
            .reshare(address, ThresholdSignatureScheme::TwoOfThree)
            .await
            .unwrap();
        scenarios::svm::legacy_and_v0(address.parse().unwrap(), sign).await;
        scenarios::svm::message(address.parse().unwrap(), sign).await;
    }
}
