//! Verification by code that had no part in the signing: other curve implementations than the
//! engines', starting from the encoded result.

use alloy_consensus::TxEnvelope;
use alloy_consensus::transaction::SignerRecoverable as _;
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{Address, Signature, hex};
use ed25519_dalek::VerifyingKey;

use crate::exit_code::Failure;

/// Decodes the raw transaction and recovers its sender.
pub(super) fn evm_transaction(raw: &str, address: &str) -> Result<String, Failure> {
    let bytes = hex::decode(raw).map_err(|_| wrong("raw transaction is not hex"))?;
    let envelope = TxEnvelope::decode_2718(&mut bytes.as_slice())
        .map_err(|_| wrong("raw transaction does not decode"))?;
    let sender = envelope
        .recover_signer()
        .map_err(|_| wrong("no sender can be recovered"))?;
    same(sender, address)?;
    Ok("sender recovery (k256)".to_owned())
}

/// Recovers the signer of a personal message.
pub(super) fn evm_message(signature: &str, text: &str, address: &str) -> Result<String, Failure> {
    let signature: Signature = signature
        .parse()
        .map_err(|_| wrong("signature is not r‖s‖v in hex"))?;
    let signer = signature
        .recover_address_from_msg(text.as_bytes())
        .map_err(|_| wrong("no signer can be recovered"))?;
    same(signer, address)?;
    Ok("signer recovery (k256)".to_owned())
}

/// Verifies a Solana signature strictly.
pub(super) fn solana(signature: &str, message: &[u8], address: &str) -> Result<String, Failure> {
    let array = |text: &str| bs58::decode(text).into_vec().ok();
    let key: [u8; 32] = array(address)
        .and_then(|b| b.try_into().ok())
        .ok_or(wrong("address is not base58"))?;
    let signature: [u8; 64] = array(signature)
        .and_then(|b| b.try_into().ok())
        .ok_or(wrong("signature is not base58"))?;
    VerifyingKey::from_bytes(&key)
        .and_then(|key| key.verify_strict(message, &signature.into()))
        .map_err(|_| wrong("Ed25519 signature does not verify"))?;
    Ok("verify_strict (ed25519-dalek)".to_owned())
}

fn same(found: Address, expected: &str) -> Result<(), Failure> {
    if expected
        .parse::<Address>()
        .is_ok_and(|expected| expected == found)
    {
        Ok(())
    } else {
        Err(wrong("the signature is another key's"))
    }
}

fn wrong(what: &str) -> Failure {
    Failure::internal(format!("verification failed: {what}"))
}
