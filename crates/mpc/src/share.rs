//! A party's long-lived share and its versioned binary encoding.

mod belongs;
#[cfg(feature = "test-shares")]
mod canaries;
mod encoding;
mod header;
mod material;

use std::collections::BTreeMap;

use halfkey_core::{PartyIndex, SecretBytes};

pub use belongs::ExpectedShare;
pub use header::ShareHeader;
pub(crate) use header::{chain_code, key_type_code, scheme_code};
pub(crate) use material::KeyMaterial;

use crate::Error;
use crate::channel::ChannelKey;
use crate::error::ShareError;

/// A party's share of one generation of one wallet, bound to both.
///
/// Decode once and sign many times: decoding derives the account key. Wiped on drop.
///
/// # Security
/// One share signs nothing; two shares of one wallet are the key.
pub struct KeyShare {
    header: ShareHeader,
    account_public_key: Vec<u8>,
    material: KeyMaterial,
    channels: BTreeMap<PartyIndex, ChannelKey>,
}

halfkey_core::redacted_debug!(KeyShare);

impl KeyShare {
    /// The share that keygen ends with: derives the account key, notes both public keys.
    pub(crate) fn assemble(
        mut header: ShareHeader,
        material: KeyMaterial,
        channels: BTreeMap<PartyIndex, ChannelKey>,
    ) -> Result<Self, Error> {
        let material = material.at_path(&header.derivation_path)?;
        header.group_public_key = material.group_public_key()?;
        let account_public_key = match material.account_public_key() {
            Some(key) => key,
            None => header.group_public_key.clone(),
        };
        Ok(Self {
            header,
            account_public_key,
            material,
            channels,
        })
    }

    /// The public part.
    pub const fn header(&self) -> &ShareHeader {
        &self.header
    }

    /// The public key behind the wallet's address: the root's child at the registered path (ECDSA,
    /// SEC1 compressed, 33 bytes) or the key itself (Ed25519, 32 bytes).
    pub fn account_public_key(&self) -> &[u8] {
        &self.account_public_key
    }

    /// The versioned binary form.
    ///
    /// # Errors
    /// Only when an invariant of ours or the engines' does not hold.
    pub fn encode(&self) -> Result<SecretBytes, Error> {
        encoding::encode(self)
    }

    /// Reads the versioned binary form.
    ///
    /// # Errors
    /// [`ShareError::Damaged`] or [`ShareError::UnknownVersion`]; never quotes what it read.
    pub fn decode(encoded: &SecretBytes) -> Result<Self, ShareError> {
        encoding::decode(encoded)
    }

    /// Checks that the share is the one meant, before anything is done with it.
    ///
    /// # Errors
    /// [`ShareError::Mismatch`] naming the first field that differs, in the order environment,
    /// wallet, party, generation, chain.
    pub fn check_belongs(&self, expected: &ExpectedShare) -> Result<(), ShareError> {
        expected.check(&self.header)
    }

    /// The public share of every party, by party: what a discrete-log proof of custody rule 7 is
    /// checked against. SEC1 compressed (ECDSA) or 32 bytes (Ed25519), of the root key.
    ///
    /// # Errors
    /// Only when an invariant of the engines does not hold.
    pub fn verifying_shares(&self) -> Result<BTreeMap<PartyIndex, Vec<u8>>, Error> {
        self.material.verifying_shares(self.header.scheme)
    }

    pub(crate) const fn material(&self) -> &KeyMaterial {
        &self.material
    }

    #[cfg(test)]
    pub(crate) fn into_material(self) -> KeyMaterial {
        self.material
    }

    pub(crate) fn channel(&self, with: PartyIndex) -> Result<&ChannelKey, Error> {
        self.channels
            .get(&with)
            .ok_or(Error::Bug("a share without a channel key"))
    }
}
