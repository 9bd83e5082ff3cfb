//! What a keygen starts from: nothing, a key made elsewhere, or the shares of an earlier
//! generation.
//!
//! In the last two cases every party's polynomial has a known constant term: of the party that puts
//! the key in, its part of it; of everybody else, zero. What comes out is accepted only if it is
//! the same key.

use std::collections::BTreeMap;

use halfkey_core::wire::ChangeOperation;
use halfkey_core::{
    AttemptId, CeremonyId, CustodyOrigin, Generation, KeyOrigin, KeyType, PartyIndex, ShareSetId,
    ThresholdSignatureScheme, WalletId,
};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::KeygenParams;
use crate::transcript::Transcript;
use crate::{Error, KeyShare};

/// What both halves must agree on of the shares that a change starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// Refresh, reshare or the replacement of a lost share.
    pub operation: ChangeOperation,
    /// The wallet, which stays.
    pub wallet: WalletId,
    /// The scheme of the old shares.
    pub from_scheme: ThresholdSignatureScheme,
    /// The generation of the old shares.
    pub from_generation: Generation,
    /// The attempt that made them.
    pub from_attempt: AttemptId,
    /// The generation of the new ones.
    pub generation: Generation,
    /// Who puts in an old share, ascending.
    pub contributors: Vec<PartyIndex>,
    /// The root public key, which stays: SEC1 compressed (33 bytes) or Ed25519 (32 bytes).
    pub group_public_key: Vec<u8>,
    /// The root's chain code, which stays; empty where there is no derivation.
    pub chain_code: Vec<u8>,
    /// Every old party's public share of the root.
    pub verifying_shares: BTreeMap<PartyIndex, Vec<u8>>,
    /// What the key's history allowed anyone to claim before.
    pub custody_origin: CustodyOrigin,
}

/// What the new shares of a [`Change`] shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextShares {
    /// Refresh, reshare or the replacement of a lost share.
    pub operation: ChangeOperation,
    /// Their scheme.
    pub scheme: ThresholdSignatureScheme,
    /// Whose share is lost; for a replacement only.
    pub lost: Option<PartyIndex>,
    /// Their generation: above every number the wallet ever used.
    pub generation: Generation,
    /// The attempt that makes them.
    pub attempt: AttemptId,
    /// The set they belong to: the same for a refresh, a new one otherwise.
    pub share_set: ShareSetId,
    /// The ceremony.
    pub ceremony: CeremonyId,
}

impl Change {
    /// The change from the generation of `share`, which may be any party's.
    ///
    /// # Errors
    /// [`Error::Caller`] when scheme, loser or generation do not fit the operation.
    pub fn new(share: &KeyShare, next: &NextShares) -> Result<(KeygenParams, Self), Error> {
        let header = share.header();
        let contributors: Vec<PartyIndex> = PartyIndex::all(header.scheme)
            .iter()
            .copied()
            .filter(|party| party.is_in(next.scheme) && Some(*party) != next.lost)
            .collect();
        let fits = match next.operation {
            ChangeOperation::Refresh => next.scheme == header.scheme && next.lost.is_none(),
            ChangeOperation::Reshare => next.scheme != header.scheme && next.lost.is_none(),
            ChangeOperation::ReplaceShare => {
                next.scheme == header.scheme
                    && next.scheme == ThresholdSignatureScheme::TwoOfThree
                    && next.lost.is_some_and(|lost| lost != PartyIndex::PROVIDER)
            }
            _ => false,
        };
        if !fits || contributors.len() < usize::from(header.scheme.min_signers()) {
            return Err(Error::Caller("scheme or lost party do not fit the change"));
        }
        if next.generation <= header.generation {
            return Err(Error::Caller("a new generation has a higher number"));
        }
        if (next.share_set == header.share_set) != (next.operation == ChangeOperation::Refresh) {
            return Err(Error::Caller("only a refresh keeps the set of shares"));
        }
        let params = KeygenParams {
            environment: header.environment.clone(),
            chain: header.chain,
            key_type: header.key_type,
            scheme: next.scheme,
            derivation_path: header.derivation_path.clone(),
            attempt: next.attempt,
            share_set: next.share_set,
            ceremony: next.ceremony,
        };
        let change = Self {
            operation: next.operation,
            wallet: header.wallet,
            from_scheme: header.scheme,
            from_generation: header.generation,
            from_attempt: header.attempt,
            generation: next.generation,
            contributors,
            group_public_key: header.group_public_key.clone(),
            chain_code: share.material().chain_code().to_vec(),
            verifying_shares: share.verifying_shares()?,
            custody_origin: header.custody_origin,
        };
        Ok((params, change))
    }

    /// Whether `old` is a share of the generation this starts from, of party `own`.
    pub(super) fn check_share(&self, own: PartyIndex, old: &KeyShare) -> Result<(), Error> {
        let header = old.header();
        let fits = header.party == own
            && header.wallet == self.wallet
            && header.scheme == self.from_scheme
            && header.generation == self.from_generation
            && header.attempt == self.from_attempt
            && header.custody_origin == self.custody_origin
            && header.group_public_key == self.group_public_key
            && old.material().chain_code() == self.chain_code
            && old.verifying_shares()? == self.verifying_shares;
        if fits {
            Ok(())
        } else {
            Err(Error::Caller(
                "the old share is not one the change starts from",
            ))
        }
    }
}

/// What both halves must know of a key made elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The root public key: SEC1 compressed (33 bytes) or Ed25519 (32 bytes).
    pub public_key: Vec<u8>,
    /// The root's chain code; empty for Ed25519.
    pub chain_code: Vec<u8>,
}

/// The secret of a key made elsewhere. The customer's first party has it, nobody else.
#[derive(Zeroize, ZeroizeOnDrop)]
pub enum ImportKey {
    /// A secp256k1 scalar, big-endian; the root of the wallet's derivation.
    Secp256k1 {
        /// 1 to n − 1.
        scalar: [u8; 32],
        /// BIP-32 chain code.
        chain_code: [u8; 32],
    },
    /// The seed of RFC 8032, as every standard wallet has it.
    Ed25519Seed([u8; 32]),
}

halfkey_core::redacted_debug!(ImportKey);

impl ImportKey {
    /// What may be known of it.
    ///
    /// # Errors
    /// [`Error::Caller`] for a scalar that is zero or not below the group's order.
    pub fn public(&self) -> Result<Import, Error> {
        match self {
            Self::Secp256k1 { scalar, chain_code } => Ok(Import {
                public_key: crate::ecdsa::constant::public_key(scalar)?,
                chain_code: chain_code.to_vec(),
            }),
            Self::Ed25519Seed(seed) => Ok(Import {
                public_key: ed25519_dalek::SigningKey::from_bytes(seed)
                    .verifying_key()
                    .to_bytes()
                    .to_vec(),
                chain_code: Vec::new(),
            }),
        }
    }

    /// The key types it can become.
    pub(super) const fn fits(&self, key_type: KeyType) -> bool {
        matches!(
            (self, key_type),
            (Self::Secp256k1 { .. }, KeyType::EcdsaSecp256k1)
                | (Self::Ed25519Seed(_), KeyType::Ed25519Exportable)
        )
    }
}

/// Where the key comes from, as both halves see it.
#[derive(Debug, Clone)]
pub(super) enum Start {
    /// Nowhere: it is drawn.
    Fresh,
    /// From outside.
    Import(Import),
    /// From shares of the same wallet.
    Change(Box<Change>),
}

impl Start {
    /// The key that must come out, and its chain code.
    pub(super) fn expected(&self) -> Option<(&[u8], &[u8])> {
        match self {
            Self::Fresh => None,
            Self::Import(import) => Some((&import.public_key, &import.chain_code)),
            Self::Change(change) => Some((&change.group_public_key, &change.chain_code)),
        }
    }

    pub(super) fn generation(&self) -> Generation {
        match self {
            Self::Change(change) => change.generation,
            _ => Generation::default(),
        }
    }

    /// Flags are only ever added (custody rule 2).
    pub(super) fn custody_origin(&self, params: &KeygenParams) -> CustodyOrigin {
        let origin = match self {
            Self::Fresh => CustodyOrigin::new(match params.key_type {
                KeyType::Ed25519Exportable => KeyOrigin::Dealt,
                _ => KeyOrigin::Dkg,
            }),
            Self::Import(_) => CustodyOrigin::new(KeyOrigin::Imported),
            Self::Change(change) => change.custody_origin,
        };
        match params.scheme {
            ThresholdSignatureScheme::TwoOfTwo => origin,
            ThresholdSignatureScheme::TwoOfThree => origin.with_was_2of3(),
        }
    }

    /// Adds what both sides must agree on; a fresh keygen adds nothing.
    pub(super) fn absorb(&self, hash: Transcript) -> Transcript {
        match self {
            Self::Fresh => hash,
            Self::Import(import) => hash
                .field(b"import")
                .field(&import.public_key)
                .field(&import.chain_code),
            Self::Change(change) => change.absorb(hash),
        }
    }
}

impl Change {
    fn absorb(&self, hash: Transcript) -> Transcript {
        let contributors: Vec<u8> = self
            .contributors
            .iter()
            .map(|party| party.as_u8())
            .collect();
        let mut hash = hash
            .field(self.operation.as_str().as_bytes())
            .field(self.wallet.as_bytes())
            .field(&[self.from_scheme.max_signers()])
            .field(&self.from_generation.0.to_be_bytes())
            .field(self.from_attempt.as_bytes())
            .field(&self.generation.0.to_be_bytes())
            .field(&contributors)
            .field(&self.group_public_key)
            .field(&self.chain_code)
            .field(&[self.custody_origin.to_bits()]);
        for (party, share) in &self.verifying_shares {
            hash = hash.field(&[party.as_u8()]).field(share);
        }
        hash
    }
}
