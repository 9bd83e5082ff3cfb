use alloy_consensus::{SignableTransaction as _, TxEip1559, TxLegacy};
use alloy_primitives::{Address, TxKind, U256, keccak256};
use halfkey_chain::evm::UnsignedTransaction;
use halfkey_chain::wire_payload;
use halfkey_core::SigningInput;
use halfkey_core::wire::Operation;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{evm, evm_digest, must_be, must_mismatch, must_refuse, unsigned};

fn example() -> TxEip1559 {
    TxEip1559 {
        chain_id: 31337,
        nonce: 3,
        gas_limit: 21_000,
        max_fee_per_gas: 2_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(Address::from([0x11; 20])),
        value: U256::from(10).pow(U256::from(18)),
        input: vec![0xa9, 0x05, 0x9c, 0xbb, 1].into(),
        ..Default::default()
    }
}

fn legacy(chain_id: Option<u64>, to: TxKind) -> TxLegacy {
    TxLegacy {
        chain_id,
        to,
        gas_price: 5,
        gas_limit: 21_000,
        ..Default::default()
    }
}

#[test]
fn the_summary_shows_what_is_signed() {
    let built = wire_payload::evm_transaction_of(&example()).unwrap();
    let summary = &built.request.summary;
    let expected = json!({
        "kind": "evm_transaction", "type": "eip1559", "chainId": 31337, "replayable": false,
        "nonce": 3, "to": "0x1111111111111111111111111111111111111111", "createsContract": false,
        "value": "1000000000000000000", "gas": 21000, "maxFeePerGas": "2000000000",
        "maxPriorityFeePerGas": "1000000000", "selector": "0xa9059cbb", "dataBytes": 5,
        "dataHash": format!("{}", keccak256([0xa9, 0x05, 0x9c, 0xbb, 1])), "data": "0xa9059cbb01",
        "accessListEntries": 0,
    });
    assert_eq!(*summary, expected);
    assert_eq!(
        built.request.input,
        SigningInput::Digest(example().signature_hash().0)
    );
}

#[test]
fn a_contract_creation_has_no_recipient_and_no_selector() {
    let create = TxEip1559 {
        to: TxKind::Create,
        ..example()
    };
    let summary = wire_payload::evm_transaction_of(&create)
        .unwrap()
        .request
        .summary;
    assert_eq!(summary["createsContract"], true);
    assert_eq!(
        (&summary["to"], &summary["selector"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn a_legacy_transaction_without_chain_id_is_marked() {
    let call = TxKind::Call(Address::from([0x11; 20]));
    for (chain_id, replayable) in [(None, true), (Some(1), false), (Some(u64::MAX), false)] {
        let built = wire_payload::evm_transaction_of(&legacy(chain_id, call)).unwrap();
        assert_eq!(built.request.summary["replayable"], replayable);
        assert_eq!(built.request.summary["chainId"], json!(chain_id));
        let digest = legacy(chain_id, call).signature_hash().0;
        assert_eq!(built.request.input, SigningInput::Digest(digest));
    }
}

#[test]
fn each_claimed_field_must_agree() {
    let payload = example().encoded_for_signing();
    let other = "0x2222222222222222222222222222222222222222";
    for (name, value) in [
        ("to", json!(other)),
        ("to", json!("")),
        ("to", json!(7)),
        ("chainId", json!(1)),
        ("data", json!("0x")),
        ("input", json!("0xa9059cbb02")),
        ("gas", json!("21001")),
        ("gasLimit", json!(1)),
        ("gasPrice", json!("2000000000")),
        ("maxFeePerGas", json!(1)),
        ("maxPriorityFeePerGas", json!("0x1")),
        ("maxFeePerBlobGas", json!(1)),
        ("nonce", json!(4)),
        ("value", json!("1000000000000000001")),
        ("value", json!(1e18)),
        ("type", json!("legacy")),
        ("type", json!(1)),
    ] {
        let context = json!({ "evmTransaction": { name: value } });
        must_mismatch(evm(&payload, Some(&context)), name);
    }
    let agreeing = json!({ "evmTransaction": {
        "to": "0x1111111111111111111111111111111111111111", "chainId": "0x7a69", "gas": 21000,
        "value": "0xde0b6b3a7640000", "nonce": "3", "type": "eip1559", "gasPrice": null,
        "data": "0xA9059CBB01", "unknown": 1,
    } });
    must_be(evm(&payload, Some(&agreeing)), Operation::EvmTransaction);
}

#[test]
fn a_creation_agrees_with_no_recipient_only() {
    let create = legacy(Some(1), TxKind::Create).encoded_for_signing();
    for none in [json!(null), json!(""), json!("0x")] {
        let context = json!({ "evmTransaction": { "to": none } });
        must_be(evm(&create, Some(&context)), Operation::EvmTransaction);
    }
    let zero = json!({ "evmTransaction": { "to": format!("0x{}", "00".repeat(20)) } });
    must_mismatch(evm(&create, Some(&zero)), "to");
}

#[test]
fn a_transaction_is_never_something_else() {
    let payload = example().encoded_for_signing();
    for claim in ["evmMessage", "evmTypedData", "eip7702Auth"] {
        must_mismatch(evm(&payload, Some(&json!({ claim: {} }))), claim);
    }
    let raw = json!({ "rawSign": { "payload": hex::encode(&payload) } });
    must_refuse(evm(&payload, Some(&raw)), "evm_transaction");
    must_refuse(
        evm_digest(keccak256(&payload).as_slice(), Some(&raw)),
        "evm_transaction",
    );
    let both = json!({ "rawSign": { "payload": "01" }, "evmTransaction": {} });
    must_mismatch(evm(&[1], Some(&both)), "evmTransaction");
    // A digest says nothing about the transaction, whatever is claimed.
    let context = wire_payload::evm_transaction(&payload).unwrap().context;
    must_mismatch(
        evm_digest(keccak256(&payload).as_slice(), Some(&context)),
        "evmTransaction",
    );
}

#[test]
fn what_is_no_transaction_with_such_a_claim_is_refused() {
    let context = json!({ "evmTransaction": { "nonce": 3 } });
    must_mismatch(evm(&[2, 0xc0], Some(&context)), "evmTransaction");
    must_be(evm(&[2, 0xc0], None), Operation::Blind);
}

/// Bytes in front of an RLP payload that alloy's legacy decoder reads past its end.
#[test]
fn fields_outside_the_list_are_no_transaction() {
    let call = TxKind::Call(Address::from([0x11; 20]));
    let mut payload = legacy(None, call).encoded_for_signing();
    payload.extend_from_slice(&[1, 0x80, 0x80]);
    must_be(evm(&payload, None), Operation::Blind);
}

proptest! {
    #[test]
    fn every_transaction_is_recognised(unsigned in unsigned()) {
        let payload = unsigned.payload();
        let built = wire_payload::evm_transaction(&payload).unwrap();
        prop_assert_eq!(built.request.operation, Operation::EvmTransaction);
        prop_assert_eq!(built.request.input, SigningInput::Digest(unsigned.digest()));
        let decoded = UnsignedTransaction::decode(&payload);
        prop_assert_eq!(decoded, Some(unsigned));
    }

    #[test]
    fn no_truncation_or_extension_is_one(unsigned in unsigned(), extra in any::<u8>()) {
        let payload = unsigned.payload();
        for end in 0..payload.len() {
            prop_assert_eq!(UnsignedTransaction::decode(&payload[..end]), None);
        }
        let longer = [&payload[..], &[extra]].concat();
        prop_assert_eq!(UnsignedTransaction::decode(&longer), None);
    }

    /// Whatever decodes encodes to the same bytes, so nothing is signed that the summary misses.
    #[test]
    fn a_changed_byte_is_refused_or_shown(
        unsigned in unsigned(), at in any::<prop::sample::Index>(), to in any::<u8>(),
    ) {
        let mut payload = unsigned.payload();
        let at = at.index(payload.len());
        prop_assume!(payload[at] != to);
        payload[at] = to;
        if let Some(decoded) = UnsignedTransaction::decode(&payload) {
            prop_assert_ne!(&decoded, &unsigned);
            prop_assert_eq!(decoded.payload(), payload);
        }
    }
}
