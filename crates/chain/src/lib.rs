//! Addresses, signing payloads, transaction decoding and digests of the chains a wallet can be on.
//! No keys, no I/O.
//!
//! Both halves run this code. The customer's half builds the wire form with [`wire_payload`]; the
//! provider's half decides from the bytes with [`classify`] what they are and recomputes what the
//! engine signs, so that a claimed digest is never trusted (custody rule 19).

pub mod address;
mod bytes;
mod context;
pub mod evm;
pub mod signature;
pub mod svm;
pub mod wire_payload;

use halfkey_core::wire::Operation;
use halfkey_core::{ChainName, SigningInput};

pub use address::{address, canonical_address};
pub use bytes::MAX_PAYLOAD_BYTES;
pub use signature::{signature_text, verify_signature};
pub use wire_payload::WirePayload;

/// What is to be signed, as decided from the bytes (custody rule 19).
#[derive(Debug, Clone, PartialEq)]
pub struct SigningRequest {
    /// The chain.
    pub chain: ChainName,
    /// What the bytes are.
    pub operation: Operation,
    /// What the engine signs, recomputed here from the bytes.
    pub input: SigningInput,
    /// The decoded content for people, policies and the activity log; nothing secret. It shows only
    /// what the signature covers, and `kind` repeats the operation's name.
    pub summary: serde_json::Value,
}

/// Why bytes were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not readable in the encoding of the wire.
    #[error("payload: {0}")]
    Malformed(String),
    /// The caller's context does not agree with the bytes.
    #[error("context does not agree with the payload: {0}")]
    Mismatch(String),
    /// A kind of payload that is never signed by this operation.
    #[error("payload refused: {0}")]
    Refused(String),
    /// Not an address of that chain.
    #[error("not an address of this chain")]
    Address,
    /// A signature that is not one of this address over this input.
    #[error("signature: {0}")]
    Signature(&'static str),
}

/// Decides what `message` (in the wire's encoding, see `SignMessageRequest`) is, under the wallet's
/// own chain. `context` may only agree.
///
/// # Errors
/// See [`Error`]. Bytes without a meaning are no error: they come back as [`Operation::Blind`].
pub fn classify(
    chain: ChainName,
    message: &str,
    is_formatted: bool,
    context: Option<&serde_json::Value>,
) -> Result<SigningRequest, Error> {
    match chain {
        ChainName::Evm => evm::classify(message, is_formatted, context),
        ChainName::Svm => svm::classify(message, is_formatted, context),
        _ => Err(Error::Refused("this chain is not supported".into())),
    }
}
