//! Personal messages and typed data: three outside implementations recover the account.

use alloy_primitives::Address;
use halfkey_chain::{WirePayload, signature_text, wire_payload};
use halfkey_core::wire::Operation;
use halfkey_core::{ChainName, Signature};
use serde_json::Value;

use super::{must_all_be, must_sign};
use crate::judge::{self, Question};

/// A token permit with nested types, arrays and every kind of member.
pub const TYPED_DATA: &str = r#"{
    "types": {
        "EIP712Domain": [
            { "name": "name", "type": "string" },
            { "name": "version", "type": "string" },
            { "name": "chainId", "type": "uint256" },
            { "name": "verifyingContract", "type": "address" }
        ],
        "Token": [
            { "name": "address", "type": "address" },
            { "name": "amount", "type": "uint256" }
        ],
        "Permit": [
            { "name": "owner", "type": "address" },
            { "name": "tokens", "type": "Token[]" },
            { "name": "limits", "type": "int64[2]" },
            { "name": "salt", "type": "bytes32" },
            { "name": "data", "type": "bytes" },
            { "name": "note", "type": "string" },
            { "name": "final", "type": "bool" }
        ]
    },
    "primaryType": "Permit",
    "domain": {
        "name": "Halfkey test",
        "version": "1",
        "chainId": 31337,
        "verifyingContract": "0x4242424242424242424242424242424242424242"
    },
    "message": {
        "owner": "0x1111111111111111111111111111111111111111",
        "tokens": [
            { "address": "0x2222222222222222222222222222222222222222", "amount": "1" },
            {
                "address": "0x3333333333333333333333333333333333333333",
                "amount": "11579208923731619542357098500868790785326998466564056403945758400791"
            }
        ],
        "limits": [-5, 7],
        "salt": "0x0101010101010101010101010101010101010101010101010101010101010101",
        "data": "0xdeadbeef",
        "note": "für alle",
        "final": true
    }
}"#;

/// Signs texts, bytes and typed data, and has eth-account, ethers and cast check them.
pub async fn message_and_typed_data<S>(account: Address, sign: S)
where
    S: AsyncFn(WirePayload) -> Signature,
{
    let mut questions = Vec::new();
    for message in ["", "hello", "für alle", "0x1234"]
        .map(str::as_bytes)
        .iter()
        .chain([&&[0xff; 40][..]])
    {
        let payload = wire_payload::evm_message(message).unwrap();
        assert_eq!(payload.request.operation, Operation::EvmMessage);
        let text = sign_text(account, payload, &sign).await;
        questions.push(Question::evm_message(message, &text));
    }
    let typed_data: Value = serde_json::from_str(TYPED_DATA).unwrap();
    let payload = wire_payload::evm_typed_data_json(&typed_data).unwrap();
    assert_eq!(payload.request.operation, Operation::EvmTypedData);
    let text = sign_text(account, payload, &sign).await;
    questions.push(Question::evm_typed_data(&typed_data, &text));
    must_all_be(&judge::eth_account(&questions), account);
    must_all_be(&judge::ethers(&questions), account);

    let payload = wire_payload::evm_message(b"hello").unwrap();
    let text = sign_text(account, payload, &sign).await;
    let address = account.to_checksum(None);
    assert!(judge::cast_verifies(&address, "hello", &text));
    assert!(!judge::cast_verifies(&address, "hallo", &text));
}

async fn sign_text<S>(account: Address, payload: WirePayload, sign: &S) -> String
where
    S: AsyncFn(WirePayload) -> Signature,
{
    let signature = must_sign(account, payload, sign).await;
    signature_text(ChainName::Evm, &signature).unwrap()
}
