//! A transaction from its message and signatures.

use super::message::TransactionMessage;
use crate::Error;

/// Where the signature of a signer that has not signed yet goes.
const UNSIGNED: [u8; 64] = [0; 64];

/// The transaction as nodes take it: a count, one signature for each required signer in the
/// message's order, the message. A signer without a signature here leaves its place zero, for
/// another party to fill.
///
/// # Errors
/// When the bytes are no transaction message, or a signature is of no required signer.
pub fn attach(message: &[u8], signatures: &[([u8; 32], [u8; 64])]) -> Result<Vec<u8>, Error> {
    let decoded = TransactionMessage::decode(message).map_err(|reason| {
        Error::Refused(format!(
            "not exactly a legacy or v0 transaction message: {reason}"
        ))
    })?;
    if !signatures
        .iter()
        .all(|(key, _)| decoded.signers().any(|signer| signer == key))
    {
        return Err(Error::Signature("not one of the transaction's signers"));
    }
    // A message of 1232 bytes has at most 38 signers, so the compact count is one byte.
    let mut transaction = vec![decoded.header.required_signatures];
    for signer in decoded.signers() {
        let signature = signatures.iter().find(|(key, _)| key == signer);
        transaction.extend_from_slice(signature.map_or(&UNSIGNED, |(_, signature)| signature));
    }
    transaction.extend_from_slice(message);
    Ok(transaction)
}
