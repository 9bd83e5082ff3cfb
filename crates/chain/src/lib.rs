//! Addresses, signing payloads, transaction decoding and digests. No keys, no I/O.

pub mod evm;
pub mod svm;

use halfkey_core::wire::Operation;
use halfkey_core::{ChainName, SigningInput};

/// What is to be signed, as decided from the bytes (custody rule 19).
#[derive(Debug, Clone, PartialEq)]
pub struct SigningRequest {
    /// The chain.
    pub chain: ChainName,
    /// What the bytes are.
    pub operation: Operation,
    /// What the engine signs, recomputed here from the bytes.
    pub input: SigningInput,
    /// The decoded content for people, policies and the activity log; nothing secret.
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
}

/// Decides what `message` (in the wire's encoding, see `SignMessageRequest`) is, under the wallet's
/// own chain. `context` may only agree.
///
/// # Errors
/// See [`Error`]. Bytes without a meaning are no error: they come back as [`Operation::Blind`].
pub fn classify(
    _chain: ChainName,
    _message: &str,
    _is_formatted: bool,
    _context: Option<&serde_json::Value>,
) -> Result<SigningRequest, Error> {
    todo!()
}

/// The address of an account public key in its chain's display form (EIP-55; base58).
///
/// # Errors
/// When the key is not one of that chain's.
pub fn address(_chain: ChainName, _public_key: &[u8]) -> Result<String, Error> {
    todo!()
}

/// The form of an address that names records: EVM lower case, SVM unchanged.
///
/// # Errors
/// When it is not an address of that chain (EVM: 0x and 40 digits; mixed case must match EIP-55).
pub fn canonical_address(_chain: ChainName, _address: &str) -> Result<String, Error> {
    todo!()
}
