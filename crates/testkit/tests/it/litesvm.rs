use ed25519_dalek::Signer as _;
use halfkey_chain::{svm, wire_payload};
use halfkey_testkit::{LiteSvm, scenarios};
use serde_json::json;

use crate::local_key;

#[tokio::test]
async fn legacy_and_v0_are_executed() {
    let (address, sign) = local_key::svm();
    scenarios::svm::legacy_and_v0(address, sign).await;
}

#[tokio::test]
async fn messages_are_verified_by_solders() {
    let (address, sign) = local_key::svm();
    scenarios::svm::message(address, sign).await;
}

/// Why messages are parsed: a signature made over "a message" is good for the transaction.
#[tokio::test]
async fn a_signed_message_that_is_a_transaction_would_be_executed() {
    let node = LiteSvm::start();
    let key = local_key::svm_key();
    let address = key.verifying_key().to_bytes().into();
    node.airdrop(&address, 5_000_000_000).await;
    let message = scenarios::svm::legacy(&address, &node.latest_blockhash().await);
    assert!(wire_payload::svm_message(&message).is_err());
    let unchecked = key.sign(&message).to_bytes();
    let transaction = svm::attach(&message, &[(address.to_bytes(), unchecked)]).unwrap();
    node.must_execute(&transaction).await;
}

#[tokio::test]
async fn unknown_methods_are_refused() {
    let node = LiteSvm::start();
    let refused = node.call("noSuchMethod", json!([])).await.unwrap_err();
    assert_eq!(refused.code, -32601);
}
