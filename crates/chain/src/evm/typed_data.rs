//! EIP-712 typed data: the digest is computed here from the structure, never taken from the caller.

mod domain;
mod limits;
mod types;
mod view;

use alloy_dyn_abi::TypedData;
use halfkey_core::wire::Operation;
use serde_json::{Map, Value, json};

use super::Found;
use crate::Error;
use crate::bytes::hex_0x;

/// Typed data whose structure was checked, and its digest.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedTypedData {
    /// Keccak-256 of `0x19 0x01 ‖ domain separator ‖ struct hash`.
    pub digest: [u8; 32],
    /// The domain, the type and the values that are hashed, and nothing beside them.
    pub summary: Value,
}

/// Computes the digest of `{domain, types, primaryType, message}`.
///
/// Members of `message` that its type does not declare are not signed and not in the summary.
///
/// # Errors
/// [`Error::Malformed`] when the structure is not EIP-712, leaves the digest to the reader's choice
/// (a domain type that does not list exactly the domain's members), or is beyond the limits: depth
/// 32, 4096 values, 128 KiB of text, 64 types, 512 members, 16 KiB of names and types; or holds a
/// number beyond 2^64 that is not text.
pub fn check(claim: &Value) -> Result<CheckedTypedData, Error> {
    let Value::Object(members) = claim else {
        return Err(Error::Malformed("typed data is not an object".into()));
    };
    limits::check(claim)?;
    types::check(members)?;
    domain::check(members)?;
    // Only what is checked above reaches the decoder.
    let known = ["domain", "types", "primaryType", "message"];
    let copy = |name: &str| Some((name.to_owned(), members.get(name)?.clone()));
    let known: Map<String, Value> = known.into_iter().filter_map(copy).collect();
    let parsed: TypedData = serde_json::from_value(Value::Object(known)).map_err(malformed)?;
    let message = parsed.coerce().map_err(malformed)?;
    let digest = parsed.eip712_signing_hash().map_err(malformed)?.0;
    let summary = json!({
        "kind": Operation::EvmTypedData.as_str(),
        "primaryType": parsed.primary_type,
        "encodeType": parsed.encode_type().map_err(malformed)?,
        "domain": view::domain(&parsed),
        "message": view::value(&message),
        "domainSeparator": hex_0x(parsed.domain.separator()),
    });
    Ok(CheckedTypedData { digest, summary })
}

pub(super) fn found(claim: &Value, digest: [u8; 32]) -> Result<Found, Error> {
    let checked = check(claim)?;
    if checked.digest != digest {
        return Err(Error::Mismatch(
            "evmTypedData does not hash to the payload".into(),
        ));
    }
    Ok(Found {
        operation: Operation::EvmTypedData,
        digest,
        summary: checked.summary,
    })
}

/// The decoder's own words may quote the caller's data, so they stay out.
fn malformed<E>(_error: E) -> Error {
    Error::Malformed("typed data: the message or the domain does not fit its type".into())
}
