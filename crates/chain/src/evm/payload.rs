//! Classifies a whole payload, of which the engine signs the Keccak-256.

use halfkey_core::wire::Operation;

use super::authorization::{self, AUTHORIZATION_MAGIC};
use super::{Found, digest_of, eip191, message, refuse_proof, transaction_context, typed_data};
use crate::Error;
use crate::context::Context;
use crate::evm::UnsignedTransaction;

pub(super) fn classify(payload: &[u8], context: Context<'_>) -> Result<Found, Error> {
    let found = match payload {
        [0x19, b'E', ..] => match eip191::unprefix(payload) {
            Some(text) => {
                refuse_proof(text)?;
                message::agree(context, text)?;
                message::found(text)
            }
            None => Found::blind(digest_of(payload), "the EIP-191 prefix is not exact"),
        },
        [0x19, 0x01, ..] => typed(payload, context)?,
        [AUTHORIZATION_MAGIC, ..] => match authorization::decode(payload) {
            Some(decoded) => authorization::found(&decoded, context)?,
            None => Found::blind(digest_of(payload), "begins like an authorization"),
        },
        _ => match UnsignedTransaction::decode(payload) {
            Some(decoded) => {
                if let Some(claim) = context.claim("evmTransaction") {
                    transaction_context::agree(claim, &decoded)?;
                }
                Found {
                    operation: Operation::EvmTransaction,
                    digest: digest_of(payload),
                    summary: decoded.summary(),
                }
            }
            None => Found::blind(digest_of(payload), "bytes of no known kind"),
        },
    };
    context.only(
        claims_of(payload, found.operation),
        found.operation.as_str(),
    )?;
    Ok(found)
}

/// `0x19 0x01 ‖ domain separator ‖ struct hash`: two hashes, so without the structure it is blind.
fn typed(payload: &[u8], context: Context<'_>) -> Result<Found, Error> {
    let digest = digest_of(payload);
    match context.claim("evmTypedData") {
        Some(claim) if payload.len() == 66 => typed_data::found(claim, digest),
        _ => Ok(Found::blind(digest, "typed data without its structure")),
    }
}

/// The claims that agree with what was found. A 32-byte personal message is blind, and still one.
fn claims_of(payload: &[u8], operation: Operation) -> &'static [&'static str] {
    match operation {
        Operation::EvmMessage => &["evmMessage"],
        Operation::EvmTypedData => &["evmTypedData"],
        Operation::EvmTransaction => &["evmTransaction"],
        Operation::EvmAuthorization => &["eip7702Auth"],
        _ if eip191::unprefix(payload).is_some() => &["evmMessage"],
        _ => &[],
    }
}
