use halfkey_core::ServerKeyShare;
use halfkey_core::wire::EscrowFile;
use halfkey_mpc::age::Identity;
use halfkey_mpc::{KeyShare, RootKey, escrow as part};

use super::{EscrowError, check_label};
use crate::sign::share;
use crate::{Error, Result};

/// Makes the key of a `TWO_OF_TWO` wallet from the customer's `share` and the provider's in escrow:
/// no provider, no network, no vault. For when the provider is gone for good; whoever can do this
/// holds the key.
///
/// # Errors
/// [`Error::Escrow`], which says what does not fit; [`Error::ShareOfAnotherWallet`] when the two
/// make another address.
pub fn open_escrow(
    file: &EscrowFile,
    identity: &Identity,
    share: &ServerKeyShare,
) -> Result<RootKey> {
    open(file, identity, &share::decode(share)?)
}

pub(crate) fn open(file: &EscrowFile, identity: &Identity, own: &KeyShare) -> Result<RootKey> {
    check_label(file, own)?;
    let given = identity.recipient().to_string();
    if file.recipient != given {
        return Err(EscrowError::AnotherKey(file.recipient.clone()).into());
    }
    let key = part::open(identity, &file.sealed, own).map_err(|error| match error {
        // Label and key agree with what is outside: what is inside does not.
        halfkey_mpc::Error::Caller(_) | halfkey_mpc::Error::Refused { .. } => {
            Error::Escrow(EscrowError::Damaged)
        }
        other => other.into(),
    })?;
    let chain = own.header().chain;
    let found = halfkey_chain::address(chain, key.account_public_key())?;
    let canonical = |address: &str| halfkey_chain::canonical_address(chain, address);
    if canonical(&found)? == canonical(&file.account_address)? {
        Ok(key)
    } else {
        Err(Error::ShareOfAnotherWallet)
    }
}
