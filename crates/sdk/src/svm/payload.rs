//! What each Solana operation sends.

use halfkey_chain::svm::TransactionMessage;
use halfkey_chain::{WirePayload, wire_payload};

use crate::{Error, Result};

/// Bytes that are no transaction message. Bytes that are no text go as blind; whether that is
/// signed is the provider's decision (custody rule 19).
pub(crate) fn message(bytes: &[u8]) -> Result<WirePayload> {
    Ok(wire_payload::svm_message(bytes)?)
}

/// A transaction message, whole and nothing else.
pub(crate) fn transaction(bytes: &[u8]) -> Result<WirePayload> {
    wire_payload::svm_transaction(bytes).map_err(|error| {
        if is_whole_transaction(bytes) {
            return Error::InvalidArgument(
                "these bytes are a whole serialized transaction, signature slots included; pass \
                 the message alone (transaction.message.serialize())"
                    .to_owned(),
            );
        }
        error.into()
    })
}

/// A count of signatures (a one-byte compact-u16: a packet holds at most 19), that many 64-byte
/// slots, and a transaction message behind them.
fn is_whole_transaction(bytes: &[u8]) -> bool {
    let Some((count, rest)) = bytes.split_first() else {
        return false;
    };
    let slots = usize::from(*count).saturating_mul(64);
    let Some((_, message)) = rest.split_at_checked(slots) else {
        return false;
    };
    (1..=127).contains(count) && TransactionMessage::decode(message).is_ok()
}
