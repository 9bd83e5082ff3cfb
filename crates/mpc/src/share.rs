//! A party's long-lived share and its versioned binary encoding.

use halfkey_core::{
    AttemptId, ChainName, CustodyOrigin, DerivationPath, EnvironmentId, Generation, KeyShareId,
    KeyType, PartyIndex, SecretBytes, ShareSetId, ThresholdSignatureScheme, WalletId,
};

use crate::error::ShareError;

/// Everything about a share that is not secret; authenticated together with the secret part.
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

/// A party's share of one generation of one wallet, bound to both.
pub struct KeyShare {
    header: ShareHeader,
}

halfkey_core::redacted_debug!(KeyShare);

impl KeyShare {
    /// The public part.
    pub const fn header(&self) -> &ShareHeader {
        &self.header
    }

    /// The public key behind the wallet's address: the root's child at the registered path (ECDSA,
    /// SEC1 compressed, 33 bytes) or the key itself (Ed25519, 32 bytes).
    pub fn account_public_key(&self) -> &[u8] {
        todo!()
    }

    /// The versioned binary form.
    pub fn encode(&self) -> SecretBytes {
        todo!()
    }

    /// Reads the versioned binary form.
    ///
    /// # Errors
    /// [`ShareError::Damaged`] or [`ShareError::UnknownVersion`]; never quotes what it read.
    pub fn decode(_encoded: &SecretBytes) -> Result<Self, ShareError> {
        todo!()
    }
}
