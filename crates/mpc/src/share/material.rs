//! The secret part of a share, by engine.

use std::collections::BTreeMap;

use halfkey_core::{DerivationPath, KeyType, PartyIndex, ThresholdSignatureScheme};
use zeroize::Zeroizing;

use crate::Error;
use crate::ecdsa::share::EcdsaShare;
use crate::ed25519::share::Ed25519Share;
use crate::error::ShareError;
use crate::share::ShareHeader;

/// What an engine signs with.
pub(crate) enum KeyMaterial {
    /// DKLs23.
    Ecdsa(EcdsaShare),
    /// FROST.
    Ed25519(Ed25519Share),
}

impl KeyMaterial {
    pub(super) fn at_path(self, path: &DerivationPath) -> Result<Self, Error> {
        match self {
            Self::Ecdsa(share) => share.at_path(path).map(Self::Ecdsa),
            // One key per wallet: its path is recorded and not used.
            Self::Ed25519(_) => Ok(self),
        }
    }

    pub(crate) fn group_public_key(&self) -> Result<Vec<u8>, Error> {
        match self {
            Self::Ecdsa(share) => Ok(share.group_public_key()),
            Self::Ed25519(share) => share.public_key().map(|key| key.to_vec()),
        }
    }

    /// The account's key, where it is another than the group's.
    pub(super) fn account_public_key(&self) -> Option<Vec<u8>> {
        match self {
            Self::Ecdsa(share) => Some(share.account_public_key()),
            Self::Ed25519(_) => None,
        }
    }

    /// The root's chain code; empty where there is no derivation.
    pub(crate) fn chain_code(&self) -> &[u8] {
        match self {
            Self::Ecdsa(share) => share.chain_code(),
            Self::Ed25519(_) => &[],
        }
    }

    pub(crate) fn verifying_shares(
        &self,
        scheme: ThresholdSignatureScheme,
    ) -> Result<BTreeMap<PartyIndex, Vec<u8>>, Error> {
        match self {
            Self::Ecdsa(share) => Ok(share.verifying_shares()),
            Self::Ed25519(share) => Ok(share
                .verifying_shares(scheme)?
                .into_iter()
                .map(|(party, share)| (party, share.to_vec()))
                .collect()),
        }
    }

    pub(super) fn encode(
        &self,
        scheme: ThresholdSignatureScheme,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        match self {
            Self::Ecdsa(share) => share.encode(),
            Self::Ed25519(share) => share.encode(scheme),
        }
    }

    pub(super) fn decode(bytes: &[u8], header: &ShareHeader) -> Result<Self, ShareError> {
        let (scheme, own) = (header.scheme, header.party);
        match header.key_type {
            KeyType::EcdsaSecp256k1 => EcdsaShare::decode(bytes, scheme, own).map(Self::Ecdsa),
            KeyType::Ed25519Exportable | KeyType::Ed25519Standard => {
                let share = Ed25519Share::decode(bytes, scheme, own)?;
                let dealt = header.key_type == KeyType::Ed25519Exportable;
                if share.seed.is_some() != dealt {
                    return Err(ShareError::Damaged);
                }
                Ok(Self::Ed25519(share))
            }
            _ => Err(ShareError::Damaged),
        }
    }
}
