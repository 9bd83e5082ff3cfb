//! The public part of a share, and its bytes.

use halfkey_core::{
    AttemptId, ChainName, CustodyOrigin, DerivationPath, EnvironmentId, Generation, KeyShareId,
    KeyType, PartyIndex, ShareSetId, ThresholdSignatureScheme, WalletId,
};
use serde::{Deserialize, Serialize};

use crate::error::ShareError;

/// Everything about a share that is not secret. One unkeyed hash covers it and the secret part: it
/// finds damage, and proves nothing about who wrote the share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareHeader {
    /// The environment (tenant).
    pub environment: EnvironmentId,
    /// The chain.
    pub chain: ChainName,
    /// The wallet.
    pub wallet: WalletId,
    /// The set of shares drawn together.
    pub share_set: ShareSetId,
    /// This share.
    pub key_share: KeyShareId,
    /// Parties and signers.
    pub scheme: ThresholdSignatureScheme,
    /// Engine and keygen.
    pub key_type: KeyType,
    /// Whose share this is.
    pub party: PartyIndex,
    /// Which generation.
    pub generation: Generation,
    /// The attempt that made it.
    pub attempt: AttemptId,
    /// What the key's history allows anyone to claim.
    pub custody_origin: CustodyOrigin,
    /// The wallet's registered path.
    pub derivation_path: DerivationPath,
    /// The root public key: SEC1 compressed (33 bytes) or Ed25519 (32 bytes).
    pub group_public_key: Vec<u8>,
}

/// The header's stored form: numbers of our own, so that no other crate's enum order leaks in.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct StoredHeader {
    environment: String,
    chain: u8,
    wallet: [u8; 16],
    share_set: [u8; 16],
    key_share: [u8; 16],
    scheme: u8,
    key_type: u8,
    party: u8,
    generation: u64,
    attempt: [u8; 16],
    custody_origin: u8,
    derivation_path: Vec<u32>,
    group_public_key: Vec<u8>,
}

/// The number of a chain in stored shares and transcripts.
pub(crate) const fn chain_code(chain: ChainName) -> u8 {
    match chain {
        ChainName::Evm => 1,
        ChainName::Svm => 2,
        _ => 0,
    }
}

/// The number of a key type in stored shares and transcripts.
pub(crate) const fn key_type_code(key_type: KeyType) -> u8 {
    match key_type {
        KeyType::EcdsaSecp256k1 => 1,
        KeyType::Ed25519Exportable => 2,
        KeyType::Ed25519Standard => 3,
        _ => 0,
    }
}

/// The number of a scheme in stored shares and transcripts: its parties.
pub(crate) const fn scheme_code(scheme: ThresholdSignatureScheme) -> u8 {
    scheme.max_signers()
}

impl From<&ShareHeader> for StoredHeader {
    fn from(header: &ShareHeader) -> Self {
        Self {
            environment: header.environment.as_str().to_owned(),
            chain: chain_code(header.chain),
            wallet: *header.wallet.as_bytes(),
            share_set: *header.share_set.as_bytes(),
            key_share: *header.key_share.as_bytes(),
            scheme: scheme_code(header.scheme),
            key_type: key_type_code(header.key_type),
            party: header.party.as_u8(),
            generation: header.generation.0,
            attempt: *header.attempt.as_bytes(),
            custody_origin: header.custody_origin.to_bits(),
            derivation_path: header.derivation_path.indices().to_vec(),
            group_public_key: header.group_public_key.clone(),
        }
    }
}

impl TryFrom<StoredHeader> for ShareHeader {
    type Error = ShareError;

    fn try_from(stored: StoredHeader) -> Result<Self, ShareError> {
        let header = Self {
            environment: stored.environment.try_into()?,
            chain: match stored.chain {
                1 => ChainName::Evm,
                2 => ChainName::Svm,
                _ => return Err(ShareError::Damaged),
            },
            wallet: WalletId::from_bytes(stored.wallet),
            share_set: ShareSetId::from_bytes(stored.share_set),
            key_share: KeyShareId::from_bytes(stored.key_share),
            scheme: match stored.scheme {
                2 => ThresholdSignatureScheme::TwoOfTwo,
                3 => ThresholdSignatureScheme::TwoOfThree,
                _ => return Err(ShareError::Damaged),
            },
            key_type: match stored.key_type {
                1 => KeyType::EcdsaSecp256k1,
                2 => KeyType::Ed25519Exportable,
                3 => KeyType::Ed25519Standard,
                _ => return Err(ShareError::Damaged),
            },
            party: stored.party.try_into()?,
            generation: Generation(stored.generation),
            attempt: AttemptId::from_bytes(stored.attempt),
            custody_origin: CustodyOrigin::from_bits(stored.custody_origin)?,
            derivation_path: stored.derivation_path.try_into()?,
            group_public_key: stored.group_public_key,
        };
        if header.party.is_in(header.scheme) {
            Ok(header)
        } else {
            Err(ShareError::Damaged)
        }
    }
}
