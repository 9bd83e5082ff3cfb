//! No signature leaves this crate before it was verified against the wallet's address.

use halfkey_core::{Signature, SigningInput};
use halfkey_mpc::KeyShare;

use crate::{Error, Result};

/// Verifies `signature` over `input` against the account of `share`, by a path that shares nothing
/// with the engine.
pub(crate) fn against_key(
    share: &KeyShare,
    input: &SigningInput,
    signature: &Signature,
) -> Result<()> {
    let chain = share.header().chain;
    let address = halfkey_chain::address(chain, share.account_public_key())?;
    halfkey_chain::verify_signature(chain, &address, input, signature)
        .map_err(|_| Error::BadSignature)
}

/// The signature as alloy has it.
pub(crate) fn evm(signature: &Signature) -> Result<alloy_primitives::Signature> {
    halfkey_chain::signature::to_alloy(signature).map_err(|_| Error::BadSignature)
}
