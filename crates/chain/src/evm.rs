//! EVM: what the bytes are, decided from the bytes (custody rule 19).
//!
//! The first byte tells the kinds apart, so no payload can be two of them: `0x19` starts a signed
//! message or typed data (EIP-191), `0x05` a set-code authorization (EIP-7702), `0x01`–`0x04` a
//! typed transaction (EIP-2718), `0xc0` and above an RLP list, which is a legacy transaction.
//! A payload that starts like one of them but does not decode fully and re-encode to the same bytes
//! is blind, as is everything else.

pub mod authorization;
mod digest;
pub mod eip191;
mod message;
mod payload;
mod raw_sign;
pub mod transaction;
pub(crate) mod transaction_context;
mod transaction_summary;
pub mod typed_data;

use alloy_primitives::keccak256;
use halfkey_core::proof_message::is_proof_message;
use halfkey_core::wire::Operation;
use halfkey_core::{ChainName, SigningInput};
use serde_json::{Value, json};

use crate::context::Context;
use crate::{Error, SigningRequest, bytes};

pub use transaction::UnsignedTransaction;

/// The operations a context may claim for an EVM wallet.
const CLAIMS: [&str; 6] = [
    "evmMessage",
    "evmTypedData",
    "evmTransaction",
    "evmUserOperation",
    "eip7702Auth",
    "rawSign",
];

/// What was found, before it becomes a request.
struct Found {
    operation: Operation,
    digest: [u8; 32],
    summary: Value,
}

impl Found {
    fn blind(digest: [u8; 32], reason: &str) -> Self {
        let summary = json!({
            "kind": Operation::Blind.as_str(),
            "reason": reason,
            "digest": bytes::hex_0x(digest),
        });
        Self {
            operation: Operation::Blind,
            digest,
            summary,
        }
    }
}

pub(crate) fn classify(
    message: &str,
    is_formatted: bool,
    context: Option<&Value>,
) -> Result<SigningRequest, Error> {
    let bytes = bytes::decode_hex(message)?;
    let context = Context::parse(context, &CLAIMS)?;
    refuse_proof(&bytes)?;
    if context.claim("evmUserOperation").is_some() {
        return Err(Error::Refused(
            "user operations are not decoded by this version".into(),
        ));
    }
    let found = if let Some(claim) = context.claim("rawSign") {
        context.only(&["rawSign"], "raw bytes")?;
        raw_sign::classify(&bytes, is_formatted, claim)?
    } else if is_formatted {
        digest::classify(&bytes, context)?
    } else {
        payload::classify(&bytes, context)?
    };
    Ok(SigningRequest {
        chain: ChainName::Evm,
        operation: found.operation,
        input: SigningInput::Digest(found.digest),
        summary: found.summary,
    })
}

/// Only the proof operation signs what begins like a proof (custody rule 7).
fn refuse_proof(bytes: &[u8]) -> Result<(), Error> {
    if is_proof_message(bytes) {
        return Err(Error::Refused("it begins like a commit proof".into()));
    }
    Ok(())
}

fn digest_of(payload: &[u8]) -> [u8; 32] {
    keccak256(payload).0
}
