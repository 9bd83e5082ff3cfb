//! No signature leaves this crate before it was verified against the wallet's key.

use alloy_primitives::{B256, Signature as EvmSignature, U256};
use ed25519_dalek::VerifyingKey;
use halfkey_core::{ChainName, Signature, SigningInput};
use halfkey_mpc::KeyShare;

use crate::{Error, Result};

/// Verifies `signature` over `input` against the account key of `share`: EVM by recovering the
/// address (low `s` required), Ed25519 strictly.
pub(crate) fn against_key(
    share: &KeyShare,
    input: &SigningInput,
    signature: &Signature,
) -> Result<()> {
    let key = share.account_public_key();
    match (input, signature) {
        (SigningInput::Digest(digest), Signature::Ecdsa { .. }) => {
            let signature = evm(signature)?;
            if signature.normalize_s().is_some() {
                return Err(Error::BadSignature);
            }
            let recovered = signature
                .recover_address_from_prehash(&B256::from(*digest))
                .map_err(|_| Error::BadSignature)?;
            let address = halfkey_chain::address(ChainName::Evm, key)?;
            if recovered.to_checksum(None) == address { Ok(()) } else { Err(Error::BadSignature) }
        }
        (SigningInput::Message(message), Signature::Ed25519(bytes)) => {
            let key: [u8; 32] = key.try_into().map_err(|_| Error::BadSignature)?;
            let key = VerifyingKey::from_bytes(&key).map_err(|_| Error::BadSignature)?;
            let signature = ed25519_dalek::Signature::from_bytes(bytes);
            key.verify_strict(message, &signature).map_err(|_| Error::BadSignature)
        }
        _ => Err(Error::BadSignature),
    }
}

/// The signature as alloy has it.
pub(crate) fn evm(signature: &Signature) -> Result<EvmSignature> {
    match signature {
        Signature::Ecdsa { r, s, recovery_id } if *recovery_id <= 1 => Ok(EvmSignature::new(
            U256::from_be_bytes(*r),
            U256::from_be_bytes(*s),
            *recovery_id == 1,
        )),
        _ => Err(Error::BadSignature),
    }
}
