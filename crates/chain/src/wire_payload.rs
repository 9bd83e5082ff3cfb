//! The wire form of everything that can be signed, built for the customer's half.
//!
//! Each builder runs the provider's own classifier over what it built, so the two halves cannot
//! disagree about the digest, and what would be refused there is refused here before a ceremony.

use alloy_consensus::SignableTransaction;
use alloy_dyn_abi::TypedData;
use alloy_eips::eip7702::Authorization;
use halfkey_core::ChainName;
use halfkey_core::wire::Operation;
use serde_json::{Value, json};

use crate::bytes::hex_0x;
use crate::evm::{UnsignedTransaction, authorization, eip191, transaction_context};
use crate::{Error, SigningRequest, classify};

/// What goes into `SignMessageRequest`, and what it means.
#[derive(Debug, Clone, PartialEq)]
pub struct WirePayload {
    /// The bytes in the published encoding.
    pub message: String,
    /// `message` is a digest.
    pub is_formatted: bool,
    /// What the caller says it is.
    pub context: Value,
    /// What the provider will find.
    pub request: SigningRequest,
}

impl WirePayload {
    fn build(
        chain: ChainName,
        message: String,
        is_formatted: bool,
        context: Value,
    ) -> Result<Self, Error> {
        let request = classify(chain, &message, is_formatted, Some(&context))?;
        Ok(Self {
            message,
            is_formatted,
            context,
            request,
        })
    }

    fn must_be(self, operation: Operation, otherwise: &str) -> Result<Self, Error> {
        if self.request.operation == operation {
            Ok(self)
        } else {
            Err(Error::Refused(otherwise.to_owned()))
        }
    }
}

/// An EIP-191 personal message. One of 32 bytes comes out as [`Operation::Blind`]; the provider
/// signs it only where blind signing is allowed.
///
/// # Errors
/// When it is too long, or begins like a commit proof.
pub fn evm_message(message: &[u8]) -> Result<WirePayload, Error> {
    let payload = hex_0x(eip191::prefixed(message));
    // UTF-8 text is named as text; bytes as hex, which no reader can take for the text.
    let raw = core::str::from_utf8(message).map_or_else(|_| hex_0x(message), str::to_owned);
    WirePayload::build(
        ChainName::Evm,
        payload,
        false,
        json!({ "evmMessage": { "raw": raw } }),
    )
}

/// EIP-712 typed data: the digest, with its structure in the context.
///
/// # Errors
/// When the structure is not EIP-712, or beyond the limits.
pub fn evm_typed_data(typed_data: &TypedData) -> Result<WirePayload, Error> {
    let claim = serde_json::to_value(typed_data)
        .map_err(|_| Error::Malformed("typed data has no JSON form".into()))?;
    evm_typed_data_json(&claim)
}

/// As [`evm_typed_data`], from `{domain, types, primaryType, message}` as JSON.
///
/// # Errors
/// When the structure is not EIP-712, or beyond the limits.
pub fn evm_typed_data_json(typed_data: &Value) -> Result<WirePayload, Error> {
    let checked = crate::evm::typed_data::check(typed_data)?;
    let context = json!({ "evmTypedData": typed_data });
    WirePayload::build(ChainName::Evm, hex::encode(checked.digest), true, context)
}

/// An unsigned transaction's signing payload.
///
/// # Errors
/// When the bytes are not exactly one unsigned transaction.
pub fn evm_transaction(payload: &[u8]) -> Result<WirePayload, Error> {
    let decoded = UnsignedTransaction::decode(payload)
        .ok_or_else(|| Error::Refused("not exactly one unsigned transaction".into()))?;
    let context = json!({ "evmTransaction": transaction_context::describe(&decoded) });
    WirePayload::build(ChainName::Evm, hex_0x(payload), false, context)
}

/// As [`evm_transaction`], from any of alloy's unsigned transactions.
///
/// # Errors
/// When it is of a type that is not supported.
pub fn evm_transaction_of(
    transaction: &dyn SignableTransaction<alloy_primitives::Signature>,
) -> Result<WirePayload, Error> {
    evm_transaction(&transaction.encoded_for_signing())
}

/// An EIP-7702 authorization. A caller that builds one for chain id 0 names it thereby.
///
/// # Errors
/// None today; the classifier's.
pub fn evm_authorization(authorization: &Authorization) -> Result<WirePayload, Error> {
    let context = json!({ "eip7702Auth": {
        "address": authorization.address.to_checksum(None),
        "chainId": authorization.chain_id.to_string(),
        "nonce": authorization.nonce,
    } });
    let payload = hex_0x(authorization::signing_payload(authorization));
    WirePayload::build(ChainName::Evm, payload, false, context)
}

/// An off-chain Solana message. Bytes that are no readable text, and any 32, come out as
/// [`Operation::Blind`].
///
/// # Errors
/// When it is empty or too long, parses as a transaction message, or begins like a commit proof.
pub fn svm_message(message: &[u8]) -> Result<WirePayload, Error> {
    let text = hex::encode(message);
    let context = json!({ "svmMessage": { "raw": text } });
    WirePayload::build(ChainName::Svm, text, false, context)
}

/// A Solana transaction's serialised message (legacy or v0), without signatures.
///
/// # Errors
/// When the bytes are not exactly one transaction message.
pub fn svm_transaction(message: &[u8]) -> Result<WirePayload, Error> {
    let text = hex::encode(message);
    let context = json!({ "svmTransaction": { "serializedTransactions": [text] } });
    WirePayload::build(ChainName::Svm, text, false, context)?
        .must_be(Operation::SvmTransaction, "not a transaction message")
}
