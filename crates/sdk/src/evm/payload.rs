//! What each EVM operation sends, checked against what the bytes are.

use alloy_consensus::transaction::SignableTransaction;
use alloy_dyn_abi::TypedData;
use alloy_eips::eip7702::Authorization;
use alloy_primitives::Signature as EvmSignature;
use halfkey_core::wire::Operation;
use halfkey_core::{ChainName, SigningInput};

use crate::sign::Payload;
use crate::{Error, Result};

/// EIP-191: `0x19`, `Ethereum Signed Message:`, a line feed, the decimal length, the message.
pub(crate) fn message(message: &[u8]) -> Result<Payload> {
    let mut bytes = b"\x19Ethereum Signed Message:\n".to_vec();
    bytes.extend_from_slice(message.len().to_string().as_bytes());
    bytes.extend_from_slice(message);
    let payload = classify(&bytes)?;
    expect(&payload, Operation::EvmMessage, true)?;
    Ok(payload)
}

/// EIP-712: the digest, with the structure it comes from as context.
pub(crate) fn typed_data(data: &TypedData) -> Result<Payload> {
    let invalid = |_| Error::InvalidArgument("typed data: types and message do not fit".to_owned());
    let digest = data.eip712_signing_hash().map_err(invalid)?;
    let structure = serde_json::to_value(data)
        .map_err(|_| Error::InvalidArgument("typed data does not encode as JSON".to_owned()))?;
    let context = serde_json::json!({ "evmTypedData": structure });
    let text = hex::encode(digest);
    let payload = Payload::classify(ChainName::Evm, text, true, Some(context))?;
    expect(&payload, Operation::EvmTypedData, false)?;
    same_digest(&payload, digest.0)?;
    Ok(payload)
}

/// The unsigned transaction itself, never its hash.
pub(crate) fn transaction<T>(tx: &T) -> Result<Payload>
where
    T: SignableTransaction<EvmSignature> + ?Sized,
{
    let payload = classify(&tx.encoded_for_signing())?;
    expect(&payload, Operation::EvmTransaction, false)?;
    same_digest(&payload, tx.signature_hash().0)?;
    Ok(payload)
}

/// EIP-7702: `0x05 ‖ rlp([chain_id, address, nonce])`.
pub(crate) fn authorization(authorization: &Authorization) -> Result<Payload> {
    let mut bytes = vec![0x05];
    alloy_rlp::Encodable::encode(authorization, &mut bytes);
    let payload = classify(&bytes)?;
    expect(&payload, Operation::EvmAuthorization, false)?;
    same_digest(&payload, authorization.signature_hash().0)?;
    Ok(payload)
}

fn classify(bytes: &[u8]) -> Result<Payload> {
    Payload::classify(ChainName::Evm, format!("0x{}", hex::encode(bytes)), false, None)
}

/// The bytes must be what the caller called them. A message may be blind (32 bytes): whether that
/// is signed is the provider's decision.
fn expect(payload: &Payload, operation: Operation, or_blind: bool) -> Result<()> {
    let found = payload.request().operation;
    if found == operation || (or_blind && found == Operation::Blind) {
        return Ok(());
    }
    Err(Error::InvalidArgument(format!(
        "the payload is {}, not {}",
        found.as_str(),
        operation.as_str()
    )))
}

/// Both crates must agree on what is signed.
fn same_digest(payload: &Payload, digest: [u8; 32]) -> Result<()> {
    if *payload.input() == SigningInput::Digest(digest) {
        Ok(())
    } else {
        Err(Error::Bug("the payload's digest is not the transaction's"))
    }
}
