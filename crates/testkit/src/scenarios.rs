//! What every signer must be able to do, whoever holds its key. The same bodies run with a local
//! key, which proves the payloads, and with two halves, which proves the ceremonies.
//!
//! A signer is an async closure from a [`WirePayload`] to a signature by the account's key: it may
//! sign `request.input` itself, or send `message`, `is_formatted` and `context` to a provider.
//!
//! [`WirePayload`]: halfkey_chain::WirePayload

pub mod evm;
pub mod svm;
