//! Short forms and generators.

use alloy_consensus::{TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy};
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_eips::eip7702::{Authorization, SignedAuthorization};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use halfkey_chain::evm::UnsignedTransaction;
use halfkey_chain::{Error, SigningRequest, classify};
use halfkey_core::proof_message::{ProofOperation, proof_message};
use halfkey_core::wire::Operation;
use halfkey_core::{AttemptId, ChainName, Generation, WalletId};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

pub(crate) fn evm(payload: &[u8], context: Option<&Value>) -> Result<SigningRequest, Error> {
    classify(
        ChainName::Evm,
        &format!("0x{}", hex::encode(payload)),
        false,
        context,
    )
}

pub(crate) fn evm_digest(digest: &[u8], context: Option<&Value>) -> Result<SigningRequest, Error> {
    classify(ChainName::Evm, &hex::encode(digest), true, context)
}

pub(crate) fn svm(message: &[u8], context: Option<&Value>) -> Result<SigningRequest, Error> {
    classify(ChainName::Svm, &hex::encode(message), false, context)
}

#[track_caller]
pub(crate) fn must_be(
    result: Result<SigningRequest, Error>,
    operation: Operation,
) -> SigningRequest {
    let request = result.unwrap();
    assert_eq!(request.operation, operation, "{}", request.summary);
    assert_eq!(request.summary["kind"], operation.as_str());
    request
}

#[track_caller]
pub(crate) fn must_refuse(result: Result<SigningRequest, Error>, part: &str) {
    match result {
        Err(Error::Refused(text)) => assert!(text.contains(part), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn must_mismatch(result: Result<SigningRequest, Error>, part: &str) {
    match result {
        Err(Error::Mismatch(text)) => assert!(text.contains(part), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn must_be_malformed(result: Result<SigningRequest, Error>, part: &str) {
    match result {
        Err(Error::Malformed(text)) => assert!(text.contains(part), "{text}"),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn commit_proof() -> Vec<u8> {
    proof_message(
        &"environment".parse().unwrap(),
        WalletId::from_bytes([1; 16]),
        Generation(0),
        AttemptId::from_bytes([2; 16]),
        ProofOperation::Create,
    )
}

prop_compose! {
    fn access_list()(
        items in vec((any::<[u8; 20]>(), vec(any::<[u8; 32]>(), 0..3)), 0..3),
    ) -> AccessList {
        let item = |(address, keys): ([u8; 20], Vec<[u8; 32]>)| AccessListItem {
            address: Address::from(address),
            storage_keys: keys.into_iter().map(B256::from).collect(),
        };
        AccessList(items.into_iter().map(item).collect())
    }
}

prop_compose! {
    pub(crate) fn authorization()(
        chain_id in any::<u64>(), address in any::<[u8; 20]>(), nonce in any::<u64>(),
    ) -> Authorization {
        Authorization { chain_id: U256::from(chain_id), address: address.into(), nonce }
    }
}

prop_compose! {
    fn signed_authorization()(
        inner in authorization(), parity in 0..2_u8, r in any::<[u8; 32]>(), s in any::<[u8; 32]>(),
    ) -> SignedAuthorization {
        let (r, s) = (U256::from_be_bytes(r), U256::from_be_bytes(s));
        SignedAuthorization::new_unchecked(inner, parity, r, s)
    }
}

prop_compose! {
    /// A random unsigned transaction of any type.
    pub(crate) fn unsigned()(
        kind in 0..6_u8,
        chain_id in prop_oneof![Just(1), any::<u64>()],
        nonce in prop_oneof![0..300_u64, any::<u64>()],
        gas_limit in any::<u64>(),
        fees in any::<(u128, u128, u128)>(),
        to in proptest::option::of(any::<[u8; 20]>()),
        value in prop_oneof![Just([0; 32]), any::<[u8; 32]>()],
        input in vec(any::<u8>(), 0..80).prop_map(Bytes::from),
        access_list in access_list(),
        hashes in vec(any::<[u8; 32]>(), 0..3),
        authorization_list in vec(signed_authorization(), 0..3),
    ) -> UnsignedTransaction {
        let value = U256::from_be_bytes(value);
        let (max_fee_per_gas, max_priority_fee_per_gas, max_fee_per_blob_gas) = fees;
        let callee = Address::from(to.unwrap_or_default());
        let to = to.map_or(TxKind::Create, |to| TxKind::Call(to.into()));
        match kind {
            0 | 1 => UnsignedTransaction::Legacy(TxLegacy {
                chain_id: (kind == 1).then_some(chain_id),
                nonce, gas_price: max_fee_per_gas, gas_limit, to, value, input,
            }),
            2 => UnsignedTransaction::Eip2930(TxEip2930 {
                chain_id, nonce, gas_price: max_fee_per_gas, gas_limit, to, value, access_list,
                input,
            }),
            3 => UnsignedTransaction::Eip1559(TxEip1559 {
                chain_id, nonce, gas_limit, max_fee_per_gas, max_priority_fee_per_gas, to, value,
                access_list, input,
            }),
            4 => UnsignedTransaction::Eip4844(TxEip4844 {
                chain_id, nonce, gas_limit, max_fee_per_gas, max_priority_fee_per_gas, to: callee,
                value, access_list, max_fee_per_blob_gas, input,
                blob_versioned_hashes: hashes.into_iter().map(B256::from).collect(),
            }),
            _ => UnsignedTransaction::Eip7702(TxEip7702 {
                chain_id, nonce, gas_limit, max_fee_per_gas, max_priority_fee_per_gas, to: callee,
                value, access_list, authorization_list, input,
            }),
        }
    }
}
