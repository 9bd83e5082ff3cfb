//! No input panics, and none is two things at once.

use halfkey_chain::{classify, wire_payload};
use halfkey_core::wire::Operation;
use halfkey_core::{ChainName, SigningInput};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{evm, svm};

/// JSON as a hostile caller would write it, with the names the classifier knows.
fn hostile_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("evmMessage"),
        Just("evmTypedData"),
        Just("evmTransaction"),
        Just("eip7702Auth"),
        Just("rawSign"),
        Just("svmMessage"),
        Just("svmTransaction"),
        Just("raw"),
        Just("payload"),
        Just("types"),
        Just("domain"),
        Just("primaryType"),
        Just("message"),
        Just("T"),
        Just("EIP712Domain"),
        Just("name"),
        Just("type"),
        Just("chainId"),
        Just("address"),
        Just("nonce"),
        Just("to"),
        Just("data"),
        Just("serializedTransactions"),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        "0x[0-9a-f]{0,70}".prop_map(Value::from),
        Just(json!("T")),
        Just(json!("T[]")),
        Just(json!("uint256[2][]")),
        Just(json!("uint256")),
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((name.clone(), inner), 0..6).prop_map(|members| {
                Value::Object(
                    members
                        .into_iter()
                        .map(|(k, v)| (k.to_owned(), v))
                        .collect(),
                )
            }),
        ]
    })
}

/// Random bytes behind the beginnings that mean something.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![
        Just(Vec::new()),
        Just(b"\x19Ethereum Signed Message:\n5".to_vec()),
        Just(vec![0x19, 0x01]),
        Just(vec![0x01]),
        Just(vec![0x02, 0xf8]),
        Just(vec![0x03, 0xe0]),
        Just(vec![0x04, 0xf9, 0x01]),
        Just(vec![0x05, 0xd8]),
        Just(vec![0xff]),
        Just(vec![0x80, 0x01, 0x00, 0x01, 0x03]),
        Just(vec![0x81, 0x01]),
        Just(b"\xffsolana offchain\x00".to_vec()),
        Just(b"\xffhalfkey-proof-v1".to_vec()),
    ];
    (start, vec(any::<u8>(), 1..400)).prop_map(|(start, rest)| [start, rest].concat())
}

proptest! {
    #[test]
    fn classify_never_panics(
        text in prop_oneof![".{0,80}", "(0x)?[0-9a-fA-F]{0,300}"],
        is_formatted in any::<bool>(),
        context in proptest::option::of(hostile_json()),
    ) {
        for chain in [ChainName::Evm, ChainName::Svm] {
            let _outcome = classify(chain, &text, is_formatted, context.as_ref());
        }
    }

    #[test]
    fn payloads_and_contexts_never_panic(payload in payload(), context in hostile_json()) {
        for claim in ["evmMessage", "evmTypedData", "evmTransaction", "eip7702Auth", "rawSign"] {
            let _outcome = evm(&payload, Some(&json!({ claim: context.clone() })));
        }
        for claim in ["svmMessage", "svmTransaction"] {
            let _outcome = svm(&payload, Some(&json!({ claim: context.clone() })));
        }
    }

    #[test]
    fn the_digest_is_always_that_of_the_payload(payload in payload()) {
        if let Ok(request) = evm(&payload, None) {
            let digest = alloy_primitives::keccak256(&payload).0;
            prop_assert_eq!(request.input, SigningInput::Digest(digest));
        }
        if let Ok(request) = svm(&payload, None) {
            prop_assert_eq!(request.input, SigningInput::Message(payload));
        }
    }

    #[test]
    fn typed_data_never_panics(data in hostile_json()) {
        let _outcome = halfkey_chain::evm::typed_data::check(&data);
        let whole = json!({
            "types": { "T": [{ "name": "a", "type": data }] }, "primaryType": "T", "domain": data,
            "message": { "a": data },
        });
        let _outcome = halfkey_chain::evm::typed_data::check(&whole);
    }

    #[test]
    fn every_message_is_a_message(text in ".{0,200}") {
        let built = wire_payload::evm_message(text.as_bytes()).unwrap();
        let expected =
            if text.len() == 32 { Operation::Blind } else { Operation::EvmMessage };
        prop_assert_eq!(built.request.operation, expected);
    }
}
