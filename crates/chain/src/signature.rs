//! Signatures in their chain's form, and their check by a path that shares nothing with the engine.

use alloy_primitives::{B256, U256};
use halfkey_core::{ChainName, Signature, SigningInput};

use crate::{Error, address, bytes::hex_0x};

const WRONG_KIND: Error = Error::Signature("not of this chain's kind");

/// The signature as the chain's clients expect it: EVM `0x` and 65 bytes r ‖ s ‖ v (27 or 28); SVM
/// base58 of 64 bytes.
///
/// # Errors
/// When the signature is of the other chain's kind, or no valid pair of scalars.
pub fn signature_text(chain: ChainName, signature: &Signature) -> Result<String, Error> {
    match (chain, signature) {
        (ChainName::Evm, Signature::Ecdsa { .. }) => Ok(hex_0x(to_alloy(signature)?.as_bytes())),
        (ChainName::Svm, Signature::Ed25519(bytes)) => Ok(bs58::encode(bytes).into_string()),
        _ => Err(WRONG_KIND),
    }
}

/// The signature in alloy's form.
///
/// # Errors
/// When it is no ECDSA signature, r or s is zero or not below the group order, s is high (EIP-2),
/// or the recovery id is not 0 or 1.
pub fn to_alloy(signature: &Signature) -> Result<alloy_primitives::Signature, Error> {
    let Signature::Ecdsa { r, s, recovery_id } = signature else {
        return Err(WRONG_KIND);
    };
    let scalars = k256::ecdsa::Signature::from_scalars(*r, *s)
        .map_err(|_| Error::Signature("r or s out of range"))?;
    if scalars.normalize_s().is_some() {
        return Err(Error::Signature("s is high"));
    }
    let y_parity = match recovery_id {
        0 => false,
        1 => true,
        _ => return Err(Error::Signature("recovery id is not 0 or 1")),
    };
    let (r, s) = (U256::from_be_bytes(*r), U256::from_be_bytes(*s));
    Ok(alloy_primitives::Signature::new(r, s, y_parity))
}

/// Checks that `signature` is one of the wallet at `address` over `input`: EVM by recovering the
/// signer, SVM by RFC 8032's strict rules.
///
/// # Errors
/// [`Error::Signature`] when it is not, [`Error::Address`] for a wrong address.
pub fn verify_signature(
    chain: ChainName,
    address: &str,
    input: &SigningInput,
    signature: &Signature,
) -> Result<(), Error> {
    match (chain, input, signature) {
        (ChainName::Evm, SigningInput::Digest(digest), Signature::Ecdsa { .. }) => {
            let expected = address::parse_evm(address)?;
            let recovered = to_alloy(signature)?.recover_address_from_prehash(&B256::from(*digest));
            if recovered.is_ok_and(|recovered| recovered == expected) {
                Ok(())
            } else {
                Err(Error::Signature("recovers to another address"))
            }
        }
        (ChainName::Svm, SigningInput::Message(message), Signature::Ed25519(bytes)) => {
            let key = ed25519_dalek::VerifyingKey::from_bytes(&address::svm_bytes(address)?)
                .map_err(|_| Error::Address)?;
            key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(bytes))
                .map_err(|_| Error::Signature("does not verify under this address"))
        }
        _ => Err(WRONG_KIND),
    }
}
