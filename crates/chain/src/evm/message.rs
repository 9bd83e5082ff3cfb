//! EIP-191 personal messages.

use alloy_primitives::eip191_hash_message;
use halfkey_core::wire::Operation;
use serde_json::{Value, json};

use super::Found;
use crate::Error;
use crate::bytes::{excerpt, hex_0x, is_text_or_hex_of};
use crate::context::{Context, member};

/// Bytes of a message that a summary shows.
const SHOWN: usize = 4096;

/// Blind for 32 bytes: that is how contracts such as Safe take a hash that stands for a transaction
/// (custody rule 19).
pub(super) fn found(message: &[u8]) -> Found {
    let digest = eip191_hash_message(message).0;
    if message.len() == 32 {
        return Found::blind(
            digest,
            "a personal message of 32 bytes, which may be a hash",
        );
    }
    let shown = message.get(..SHOWN).unwrap_or(message);
    let summary = json!({
        "kind": Operation::EvmMessage.as_str(),
        "text": excerpt(message, SHOWN),
        "hex": excerpt(message, SHOWN).is_none().then(|| hex_0x(shown)),
        "bytes": message.len(),
        "truncated": message.len() > SHOWN,
    });
    Found {
        operation: Operation::EvmMessage,
        digest,
        summary,
    }
}

/// Requires that `evmMessage.raw`, where there is one, names this message as text or `0x` hex.
pub(super) fn agree(context: Context<'_>, message: &[u8]) -> Result<(), Error> {
    match raw(context) {
        None => Ok(()),
        Some(Value::String(raw)) if is_text_or_hex_of(raw, message) => Ok(()),
        Some(_) => Err(Error::Mismatch("evmMessage.raw".into())),
    }
}

/// The messages that the claim can mean: its text and, where it is `0x` hex, its bytes.
pub(super) fn claimed(context: Context<'_>) -> Vec<Vec<u8>> {
    let Some(Value::String(raw)) = raw(context) else {
        return Vec::new();
    };
    let bytes = raw
        .strip_prefix("0x")
        .and_then(|digits| hex::decode(digits).ok());
    core::iter::once(raw.clone().into_bytes())
        .chain(bytes)
        .collect()
}

fn raw(context: Context<'_>) -> Option<&Value> {
    member(context.claim("evmMessage")?, "raw")
}
