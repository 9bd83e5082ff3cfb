//! `svmTransaction`: where the caller repeats the transaction, it must be the one that is signed.

use serde_json::Value;

use super::reader::Reader;
use crate::Error;
use crate::bytes::readings;
use crate::context::member;

/// Requires that `serializedTransactions`, where there are any, has this message among them: bare,
/// or as a transaction behind its signatures, in hex, base58 or base64.
pub(super) fn agree(claim: &Value, message: &[u8]) -> Result<(), Error> {
    let transactions = match member(claim, "serializedTransactions") {
        None => return Ok(()),
        Some(Value::Array(transactions)) if transactions.is_empty() => return Ok(()),
        Some(Value::Array(transactions)) => transactions,
        Some(_) => return Err(mismatch()),
    };
    // Each takes decoding; no client signs more at once.
    let mut claimed = transactions.iter().take(64).filter_map(Value::as_str);
    let agrees = claimed.any(|text| {
        let is_it =
            |reading: &Vec<u8>| reading == message || behind_signatures(reading) == Some(message);
        readings(text).iter().any(is_it)
    });
    if agrees { Ok(()) } else { Err(mismatch()) }
}

fn mismatch() -> Error {
    Error::Mismatch("svmTransaction.serializedTransactions".into())
}

fn behind_signatures(transaction: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(transaction);
    let signatures = reader.compact_u16()?;
    reader.take(signatures.checked_mul(64)?)?;
    Some(reader.rest())
}
