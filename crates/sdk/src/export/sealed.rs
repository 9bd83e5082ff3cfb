//! The file an export to a recipient comes to.

use halfkey_core::ChainName;
use halfkey_mpc::age::{Identity, Recipient};
use halfkey_mpc::{RootKey, SealedExport};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

const FORMAT: &str = "halfkey-export-v1";

/// A wallet's key that only its recipient can put together: two age files, one made by each half.
/// Nothing in it is secret from anybody but by its encryption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedKey {
    format: String,
    chain_name: String,
    /// The wallet's address, in its chain's display form.
    pub account_address: String,
    /// The key it is encrypted to: `age1…`.
    pub recipient: String,
    #[serde(flatten)]
    parts: SealedExport,
}

impl SealedKey {
    pub(crate) fn new(
        chain: ChainName,
        account_address: String,
        recipient: &Recipient,
        parts: SealedExport,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            chain_name: chain.to_string(),
            account_address,
            recipient: recipient.to_string(),
            parts,
        }
    }

    /// As text: JSON.
    ///
    /// # Errors
    /// None today.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self).map_err(|_| Error::Bug("an export does not encode"))
    }

    /// Reads what [`Self::to_json`] wrote.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for anything else.
    pub fn from_json(text: &str) -> Result<Self> {
        let found: Option<Self> = serde_json::from_str(text).ok();
        found
            .filter(|one| one.format == FORMAT)
            .ok_or_else(|| Error::InvalidArgument("not an export to a recipient".to_owned()))
    }

    /// Puts the key together, as its recipient: no provider, no network, no vault. The key is that
    /// of the address, or there is none.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when it is encrypted to another key or was changed;
    /// [`Error::ShareOfAnotherWallet`] when the parts make another address.
    pub fn open(&self, identity: &Identity) -> Result<RootKey> {
        let key = self.parts.open(identity)?;
        let chain: ChainName = self.chain_name.parse()?;
        let found = halfkey_chain::address(chain, key.account_public_key())?;
        let canonical = |address: &str| halfkey_chain::canonical_address(chain, address);
        if chain == key.header().chain && canonical(&found)? == canonical(&self.account_address)? {
            Ok(key)
        } else {
            Err(Error::ShareOfAnotherWallet)
        }
    }
}
