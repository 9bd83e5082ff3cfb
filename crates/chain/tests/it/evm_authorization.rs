use alloy_eips::eip7702::Authorization;
use alloy_primitives::{Address, U256};
use halfkey_chain::evm::authorization::{decode, signing_payload};
use halfkey_chain::wire_payload;
use halfkey_core::SigningInput;
use halfkey_core::wire::Operation;
use proptest::prelude::*;
use serde_json::json;

use crate::support::{authorization, evm, evm_digest, must_be, must_mismatch, must_refuse};

fn example(chain_id: u64) -> Authorization {
    Authorization {
        chain_id: U256::from(chain_id),
        address: Address::from([0x11; 20]),
        nonce: 7,
    }
}

#[test]
fn an_authorization_is_recognised() {
    let wanted = example(31337);
    let request = must_be(
        evm(&signing_payload(&wanted), None),
        Operation::EvmAuthorization,
    );
    assert_eq!(
        request.input,
        SigningInput::Digest(wanted.signature_hash().0)
    );
    assert_eq!(request.summary["chainId"], "31337");
    assert_eq!(
        wire_payload::evm_authorization(&wanted).unwrap().request,
        request
    );
}

#[test]
fn every_chain_must_be_named() {
    let payload = signing_payload(&example(0));
    must_refuse(evm(&payload, None), "every chain");
    let unnamed = json!({ "eip7702Auth": { "nonce": 7 } });
    must_refuse(evm(&payload, Some(&unnamed)), "every chain");
    for zero in [json!(0), json!("0"), json!("0x0")] {
        let named = json!({ "eip7702Auth": { "chainId": zero } });
        let request = must_be(evm(&payload, Some(&named)), Operation::EvmAuthorization);
        assert_eq!(request.summary["everyChain"], true);
    }
    must_mismatch(
        evm(&payload, Some(&json!({ "eip7702Auth": { "chainId": 1 } }))),
        "chainId",
    );
    assert!(wire_payload::evm_authorization(&example(0)).is_ok());
}

#[test]
fn each_claimed_field_must_agree() {
    let payload = signing_payload(&example(1));
    for (name, value) in [
        ("chainId", json!(2)),
        ("nonce", json!(8)),
        ("nonce", json!("seven")),
        (
            "address",
            json!("0x2222222222222222222222222222222222222222"),
        ),
        ("address", json!("0x11")),
    ] {
        must_mismatch(
            evm(&payload, Some(&json!({ "eip7702Auth": { name: value } }))),
            name,
        );
    }
    must_mismatch(
        evm(&payload, Some(&json!({ "evmTransaction": {} }))),
        "evmTransaction",
    );
}

#[test]
fn a_digest_is_an_authorization_only_with_its_fields() {
    let wanted = example(1);
    let digest = wanted.signature_hash();
    must_be(evm_digest(digest.as_slice(), None), Operation::Blind);
    let built = wire_payload::evm_authorization(&wanted).unwrap();
    let request = must_be(
        evm_digest(digest.as_slice(), Some(&built.context)),
        Operation::EvmAuthorization,
    );
    assert_eq!(request, built.request);
    must_mismatch(evm_digest(&[1; 32], Some(&built.context)), "eip7702Auth");
    let partial = json!({ "eip7702Auth": { "chainId": 1, "nonce": 7 } });
    must_mismatch(evm_digest(digest.as_slice(), Some(&partial)), "address");
}

proptest! {
    #[test]
    fn decode_is_exact(wanted in authorization(), extra in any::<u8>()) {
        let payload = signing_payload(&wanted);
        for end in 0..payload.len() {
            prop_assert_eq!(decode(&payload[..end]), None);
        }
        prop_assert_eq!(decode(&[&payload[..], &[extra]].concat()), None);
        prop_assert_eq!(decode(&payload), Some(wanted));
    }
}
