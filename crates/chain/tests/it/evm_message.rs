use alloy_primitives::eip191_hash_message;
use halfkey_chain::evm::eip191::prefixed;
use halfkey_chain::{Error, classify, wire_payload};
use halfkey_core::wire::Operation;
use halfkey_core::{ChainName, SigningInput};
use serde_json::json;

use crate::support::{
    commit_proof, evm, evm_digest, must_be, must_be_malformed, must_mismatch, must_refuse,
};

#[test]
fn a_message_is_hashed_with_its_prefix() {
    for text in ["", "hello", "0", "10000000000", "é", "0x1234"] {
        let request = must_be(evm(&prefixed(text.as_bytes()), None), Operation::EvmMessage);
        assert_eq!(
            request.input,
            SigningInput::Digest(eip191_hash_message(text).0)
        );
        assert_eq!(request.summary["text"], text);
        let built = wire_payload::evm_message(text.as_bytes()).unwrap();
        assert_eq!(built.request, request);
        assert!(built.message.starts_with("0x19457468") && !built.is_formatted);
    }
}

#[test]
fn a_message_that_is_no_text_is_shown_as_hex() {
    let request = must_be(evm(&prefixed(&[0xff, 0x00]), None), Operation::EvmMessage);
    assert_eq!(request.summary["hex"], "0xff00");
    assert!(wire_payload::evm_message(&[0xff, 0x00]).is_ok());
}

#[test]
fn a_message_of_32_bytes_is_blind() {
    let payload = prefixed(&[7; 32]);
    must_be(evm(&payload, None), Operation::Blind);
    let context = json!({ "evmMessage": { "raw": format!("0x{}", "07".repeat(32)) } });
    must_be(evm(&payload, Some(&context)), Operation::Blind);
    let digest = eip191_hash_message([7; 32]);
    must_be(
        evm_digest(digest.as_slice(), Some(&context)),
        Operation::Blind,
    );
    assert_eq!(
        wire_payload::evm_message(&[7; 32])
            .unwrap()
            .request
            .operation,
        Operation::Blind
    );
    must_be(evm(&prefixed(&[7; 31]), None), Operation::EvmMessage);
    must_be(evm(&prefixed(&[7; 33]), None), Operation::EvmMessage);
}

#[test]
fn a_message_whose_length_is_wrong_is_blind() {
    let mut payload = prefixed(b"hello");
    payload.push(b'!');
    must_be(evm(&payload, None), Operation::Blind);
    let context = json!({ "evmMessage": { "raw": "hello!" } });
    must_mismatch(evm(&payload, Some(&context)), "evmMessage is claimed");
}

#[test]
fn a_message_with_another_claim_is_refused() {
    let payload = prefixed(b"hello");
    must_mismatch(
        evm(&payload, Some(&json!({ "evmMessage": { "raw": "hallo" } }))),
        "raw",
    );
    must_mismatch(
        evm(&payload, Some(&json!({ "evmMessage": { "raw": 1 } }))),
        "raw",
    );
    for claim in ["evmTransaction", "evmTypedData", "eip7702Auth"] {
        must_mismatch(evm(&payload, Some(&json!({ claim: {} }))), claim);
    }
    must_mismatch(
        evm(&payload, Some(&json!({ "svmMessage": {} }))),
        "svmMessage",
    );
    must_refuse(
        evm(&payload, Some(&json!({ "evmUserOperation": {} }))),
        "user operations",
    );
    must_be_malformed(evm(&payload, Some(&json!("evmMessage"))), "context");
    must_be(
        evm(&payload, Some(&json!({ "domain": "example.org" }))),
        Operation::EvmMessage,
    );
    must_be(evm(&payload, Some(&json!(null))), Operation::EvmMessage);
}

#[test]
fn a_digest_is_a_message_only_with_the_message() {
    let digest = eip191_hash_message("hello");
    must_be(evm_digest(digest.as_slice(), None), Operation::Blind);
    let claim = |raw: &str| json!({ "evmMessage": { "raw": raw } });
    for raw in ["hello", "0x68656c6c6f"] {
        must_be(
            evm_digest(digest.as_slice(), Some(&claim(raw))),
            Operation::EvmMessage,
        );
    }
    must_mismatch(
        evm_digest(digest.as_slice(), Some(&claim("hallo"))),
        "evmMessage",
    );
    must_mismatch(
        evm_digest(digest.as_slice(), Some(&json!({ "evmMessage": {} }))),
        "evmMessage",
    );
    must_mismatch(
        evm_digest(digest.as_slice(), Some(&json!({ "evmTransaction": {} }))),
        "evmTransaction",
    );
}

#[test]
fn commit_proofs_are_refused() {
    let proof = commit_proof();
    must_refuse(evm(&proof, None), "commit proof");
    must_refuse(evm(&prefixed(&proof), None), "commit proof");
    must_refuse(evm(&[&proof[..], b"more"].concat(), None), "commit proof");
    assert!(wire_payload::evm_message(&proof).is_err());
    let digest = eip191_hash_message(&proof);
    let raw = json!({ "evmMessage": { "raw": format!("0x{}", hex::encode(&proof)) } });
    must_refuse(evm_digest(digest.as_slice(), Some(&raw)), "commit proof");
    let raw = json!({ "rawSign": { "payload": hex::encode(&proof) } });
    let digest = alloy_primitives::keccak256(&proof);
    must_refuse(evm_digest(digest.as_slice(), Some(&raw)), "commit proof");
}

#[test]
fn raw_bytes_are_blind_and_no_way_around() {
    let raw = json!({ "rawSign": { "payload": "0x010203", "hashFunction": "keccak256" } });
    must_be(evm(&[1, 2, 3], Some(&raw)), Operation::Blind);
    must_mismatch(evm(&[1, 2, 4], Some(&raw)), "rawSign.payload");
    let digest = alloy_primitives::keccak256([1, 2, 3]);
    must_be(evm_digest(digest.as_slice(), Some(&raw)), Operation::Blind);
    must_mismatch(evm_digest(&[0; 32], Some(&raw)), "rawSign.payload");

    let message = prefixed(b"hello");
    let whole = json!({ "rawSign": { "payload": hex::encode(&message) } });
    must_refuse(evm(&message, Some(&whole)), "evm_message");
    let (prefix, payload) = message.split_at(20);
    let parts = json!({ "rawSign": {
        "prefix": hex::encode(prefix), "payload": hex::encode(payload),
    } });
    must_refuse(evm(&message, Some(&parts)), "evm_message");
    must_be_malformed(
        evm(&message, Some(&json!({ "rawSign": {} }))),
        "rawSign.payload",
    );
    must_refuse(
        evm(
            &[1],
            Some(&json!({ "rawSign": { "payload": "01", "hashFunction": "md5" } })),
        ),
        "hashFunction",
    );
}

#[test]
fn unreadable_messages_are_malformed() {
    for message in ["", "0x", "0x1", "hello", "0x12 "] {
        let result = classify(ChainName::Evm, message, false, None);
        assert!(matches!(result, Err(Error::Malformed(_))), "{message:?}");
    }
    for length in [31, 33, 1, 64] {
        must_be_malformed(evm_digest(&vec![1; length], None), "32 bytes");
    }
}
