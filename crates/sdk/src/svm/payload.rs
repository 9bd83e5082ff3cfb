//! What each Solana operation sends, checked against what the bytes are.

use halfkey_core::ChainName;
use halfkey_core::wire::Operation;

use crate::sign::Payload;
use crate::{Error, Result};

/// Bytes that must not be a transaction message.
pub(crate) fn message(bytes: &[u8]) -> Result<Payload> {
    if bytes.is_empty() {
        return Err(Error::InvalidArgument("the message is empty".to_owned()));
    }
    let payload = classify(bytes)?;
    match payload.request().operation {
        Operation::SvmMessage => Ok(payload),
        _ => Err(Error::InvalidArgument(
            "these bytes are a transaction message; sign them as a transaction".to_owned(),
        )),
    }
}

/// Bytes that must be a transaction message, whole and nothing else.
pub(crate) fn transaction(bytes: &[u8]) -> Result<Payload> {
    if let Ok(payload) = classify(bytes)
        && payload.request().operation == Operation::SvmTransaction
    {
        return Ok(payload);
    }
    if is_whole_transaction(bytes) {
        return Err(Error::InvalidArgument(
            "these bytes are a whole serialized transaction, signature slots included; pass the \
             message alone (transaction.message.serialize())"
                .to_owned(),
        ));
    }
    Err(Error::InvalidArgument("these bytes are no Solana transaction message".to_owned()))
}

fn classify(bytes: &[u8]) -> Result<Payload> {
    Payload::classify(ChainName::Svm, hex::encode(bytes), false, None)
}

/// A count of signatures (a one-byte compact-u16, as a packet holds at most 19), that many 64-byte
/// slots, and a transaction message behind them.
fn is_whole_transaction(bytes: &[u8]) -> bool {
    let Some((count, rest)) = bytes.split_first() else { return false };
    let slots = usize::from(*count).saturating_mul(64);
    let Some((_, message)) = rest.split_at_checked(slots) else { return false };
    (1..=127).contains(count)
        && classify(message)
            .is_ok_and(|payload| payload.request().operation == Operation::SvmTransaction)
}
