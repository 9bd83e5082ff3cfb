//! The bytes of a share: `"HKSH" ‖ version ‖ postcard(header, channels, secret) ‖ SHA-256 tag`.
//!
//! The tag finds damage; it is no authentication, which is the vault's. Magic, version position and
//! the trailing tag stay the same in every version, so that damage is told from a newer format.

use std::collections::BTreeMap;

use halfkey_core::{PartyIndex, SecretBytes};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::KeyShare;
use super::header::StoredHeader;
use super::material::KeyMaterial;
use crate::Error;
use crate::channel::ChannelKey;
use crate::codec;
use crate::error::ShareError;

const MAGIC: &[u8; 4] = b"HKSH";
const VERSION: u8 = 1;
const TAG_DOMAIN: &[u8] = b"halfkey-share-v1";
const TAG_LEN: usize = 32;

#[derive(Serialize)]
struct StoredRef<'a> {
    header: StoredHeader,
    channels: BTreeMap<u8, &'a [u8; 32]>,
    #[serde(with = "serde_bytes")]
    secret: &'a [u8],
}

#[derive(Deserialize)]
struct Stored {
    header: StoredHeader,
    channels: BTreeMap<u8, [u8; 32]>,
    #[serde(with = "serde_bytes")]
    secret: Vec<u8>,
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.channels.values_mut().for_each(Zeroize::zeroize);
        self.secret.zeroize();
    }
}

fn tag(bytes: &[u8]) -> [u8; TAG_LEN] {
    Sha256::new()
        .chain_update(TAG_DOMAIN)
        .chain_update(bytes)
        .finalize()
        .into()
}

/// See [`KeyShare::encode`].
pub(super) fn encode(share: &KeyShare) -> Result<SecretBytes, Error> {
    let secret = share.material.encode(share.header.scheme)?;
    let stored = codec::encode(&StoredRef {
        header: StoredHeader::from(&share.header),
        channels: share
            .channels
            .iter()
            .map(|(p, key)| (p.as_u8(), key.expose()))
            .collect(),
        secret: &secret,
    })?;
    let body = Zeroizing::new([MAGIC.as_slice(), &[VERSION], &stored].concat());
    Ok(SecretBytes::new([body.as_slice(), &tag(&body)].concat()))
}

/// See [`KeyShare::decode`].
pub(super) fn decode(encoded: &SecretBytes) -> Result<KeyShare, ShareError> {
    let (body, found) = encoded
        .expose()
        .len()
        .checked_sub(TAG_LEN)
        .and_then(|at| encoded.expose().split_at_checked(at))
        .ok_or(ShareError::Damaged)?;
    if !bool::from(tag(body).ct_eq(found)) {
        return Err(ShareError::Damaged);
    }
    let (version, stored) = body
        .strip_prefix(MAGIC.as_slice())
        .and_then(<[u8]>::split_first)
        .ok_or(ShareError::Damaged)?;
    if *version != VERSION {
        return Err(ShareError::UnknownVersion(*version));
    }
    let mut stored: Stored = codec::decode(stored).ok_or(ShareError::Damaged)?;
    let header = super::ShareHeader::try_from(core::mem::take(&mut stored.header))?;
    let mut channels = BTreeMap::new();
    for (index, key) in &stored.channels {
        channels.insert(PartyIndex::try_from(*index)?, ChannelKey::from_bytes(*key));
    }
    let others = PartyIndex::all(header.scheme)
        .iter()
        .filter(|party| **party != header.party);
    if !channels.keys().eq(others) {
        return Err(ShareError::Damaged);
    }
    let material = KeyMaterial::decode(&stored.secret, &header)?;
    stored.secret.zeroize();
    let group = header.group_public_key.clone();
    let share = KeyShare::assemble(header, material, channels).map_err(|_| ShareError::Damaged)?;
    if share.header.group_public_key == group {
        Ok(share)
    } else {
        Err(ShareError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use halfkey_core::KeyType::Ed25519Standard;
    use halfkey_core::PartyIndex;
    use halfkey_core::ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};

    use crate::{Error, test_shares};

    /// A failure is never an empty share.
    #[test]
    fn a_share_that_does_not_encode_is_an_error() {
        let mut share =
            test_shares::load(Ed25519Standard, TwoOfTwo, PartyIndex::CUSTOMER_1).unwrap();
        assert!(!share.encode().unwrap().expose().is_empty());
        share.header.scheme = TwoOfThree;
        assert_eq!(share.encode(), Err(Error::Bug("no verifying share")));
    }
}
