//! What each EVM operation sends.

use alloy_consensus::transaction::SignableTransaction;
use alloy_dyn_abi::TypedData;
use alloy_eips::eip7702::Authorization;
use alloy_primitives::{B256, Signature as EvmSignature};
use halfkey_chain::{WirePayload, wire_payload};
use halfkey_core::SigningInput;

use crate::{Error, Result};

/// EIP-191. 32 bytes look like a hash and go as blind; whether that is signed is the provider's
/// decision (custody rule 19).
pub(crate) fn message(message: &[u8]) -> Result<WirePayload> {
    Ok(wire_payload::evm_message(message)?)
}

/// EIP-712: the digest, with the structure it comes from.
pub(crate) fn typed_data(data: &TypedData) -> Result<WirePayload> {
    let payload = wire_payload::evm_typed_data(data)?;
    let digest = data.eip712_signing_hash().map_err(|_| {
        Error::InvalidArgument("typed data: types and message do not fit".to_owned())
    })?;
    same_digest(payload, digest)
}

/// The unsigned transaction itself, never its hash.
pub(crate) fn transaction<T>(tx: &T) -> Result<WirePayload>
where
    T: SignableTransaction<EvmSignature> + ?Sized,
{
    let payload = wire_payload::evm_transaction(&tx.encoded_for_signing())?;
    same_digest(payload, tx.signature_hash())
}

/// EIP-7702: `0x05 ‖ rlp([chain_id, address, nonce])`.
pub(crate) fn authorization(authorization: &Authorization) -> Result<WirePayload> {
    let payload = wire_payload::evm_authorization(authorization)?;
    same_digest(payload, authorization.signature_hash())
}

/// What we decided from the bytes and what alloy will attach the signature to must be one digest.
fn same_digest(payload: WirePayload, digest: B256) -> Result<WirePayload> {
    if payload.request.input == SigningInput::Digest(digest.0) {
        Ok(payload)
    } else {
        Err(Error::Bug("the payload's digest is not the transaction's"))
    }
}

#[cfg(test)]
mod tests {
    use alloy_consensus::TxEip1559;
    use halfkey_core::wire::Operation;

    use super::*;

    #[test]
    fn a_transaction_is_sent_whole() {
        let tx = TxEip1559 {
            chain_id: 1,
            gas_limit: 21_000,
            ..TxEip1559::default()
        };
        let payload = transaction(&tx).unwrap();
        assert_eq!(payload.request.operation, Operation::EvmTransaction);
        assert_eq!(
            payload.message,
            format!("0x{}", hex::encode(tx.encoded_for_signing()))
        );
        assert!(!payload.is_formatted);
    }

    #[test]
    fn a_message_that_looks_like_a_hash_is_blind() {
        assert_eq!(
            message(&[7; 32]).unwrap().request.operation,
            Operation::Blind
        );
        assert_eq!(
            message(b"hello").unwrap().request.operation,
            Operation::EvmMessage
        );
    }
}
