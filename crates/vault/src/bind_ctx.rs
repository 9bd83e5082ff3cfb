//! What a sealed record is bound to (custody rule 23).

use core::fmt;

use sha2::{Digest, Sha256};

use halfkey_core::{
    AttemptId, ChainName, EnvironmentId, Generation, KeyShareId, PartyIndex, ShareSetId,
    ThresholdSignatureScheme, WalletId,
};

use crate::Error;

/// What kind of record it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordPurpose {
    /// A key share.
    Share,
    /// The highest generation ever activated (custody rule 11).
    HighWater,
    /// A generation locked after proven cheating (custody rule 13).
    Lock,
    /// A provider half in escrow.
    Escrow,
    /// The probe record that proves keyring and environment fit.
    Probe,
    /// A provider's own secret: identity key, token key.
    Identity,
}

impl RecordPurpose {
    /// Every purpose, for tests and tables.
    pub const ALL: [Self; 6] = [
        Self::Share,
        Self::HighWater,
        Self::Lock,
        Self::Escrow,
        Self::Probe,
        Self::Identity,
    ];

    /// The name in the canonical bytes; never changed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::HighWater => "high-water",
            Self::Lock => "lock",
            Self::Escrow => "escrow",
            Self::Probe => "probe",
            Self::Identity => "identity",
        }
    }
}

/// Everything a record is bound to; see `SPEC.md` for the canonical bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindCtx {
    /// The environment (tenant).
    pub environment: EnvironmentId,
    /// The chain.
    pub chain: ChainName,
    /// The canonical address; empty while it is not known.
    pub account_address: String,
    /// The wallet.
    pub wallet: WalletId,
    /// The share.
    pub key_share: KeyShareId,
    /// The set of shares drawn together.
    pub share_set: ShareSetId,
    /// Whose.
    pub party: PartyIndex,
    /// Parties and signers.
    pub scheme: ThresholdSignatureScheme,
    /// What kind of record.
    pub purpose: RecordPurpose,
    /// Which generation.
    pub generation: Generation,
    /// The attempt that made it.
    pub attempt: AttemptId,
    /// SHA-256 of the root public key.
    pub group_public_key_hash: [u8; 32],
}

/// The longest account address that can be bound.
pub const MAX_ADDRESS_LEN: usize = 256;
/// Room for the longest canonical bytes.
pub(crate) const MAX_CANONICAL_LEN: usize = 512;

impl BindCtx {
    /// The canonical bytes: each field as a big-endian `u16` length and the field, in the order of
    /// `SPEC.md`. Two different contexts never have the same bytes.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for an address over [`MAX_ADDRESS_LEN`] bytes.
    pub fn canonical_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut out = Vec::with_capacity(MAX_CANONICAL_LEN);
        self.append_canonical(&mut out)?;
        Ok(out)
    }

    /// The same, after what is in `out` already.
    pub(crate) fn append_canonical(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        if self.account_address.len() > MAX_ADDRESS_LEN {
            return Err(Error::TooLarge {
                what: "account address",
                len: self.account_address.len(),
                limit: MAX_ADDRESS_LEN,
            });
        }
        push(out, self.environment.as_str().as_bytes());
        push(out, self.chain.as_str().as_bytes());
        push(out, self.account_address.as_bytes());
        push(out, self.wallet.as_bytes());
        push(out, self.key_share.as_bytes());
        push(out, self.share_set.as_bytes());
        push(out, &u16::from(self.party.as_u8()).to_be_bytes());
        push(out, self.scheme.as_str().as_bytes());
        push(out, self.purpose.as_str().as_bytes());
        push(out, &self.generation.0.to_be_bytes());
        push(out, self.attempt.as_bytes());
        push(out, &self.group_public_key_hash);
        Ok(())
    }

    /// SHA-256 of the canonical bytes: what a KEK provider binds a wrapped key to.
    ///
    /// # Errors
    /// As [`Self::canonical_bytes`].
    pub fn digest(&self) -> Result<[u8; 32], Error> {
        Ok(Sha256::digest(self.canonical_bytes()?).into())
    }
}

/// Appends one length-prefixed field; every field is shorter than 64 KiB by type or by check.
fn push(out: &mut Vec<u8>, field: &[u8]) {
    let len = u16::try_from(field.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(field);
}

/// For errors and audit events where no record name is known: purpose, wallet, party, generation.
impl fmt::Display for BindCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (purpose, generation) = (self.purpose.as_str(), self.generation);
        write!(f, "{purpose} {}/{}/{generation}", self.wallet, self.party)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::sample::{ctx, neighbours};

    #[test]
    fn canonical_bytes_are_what_spec_md_says() {
        let hex = hex::encode(ctx().canonical_bytes().unwrap());
        let expected = concat!(
            "0008656e762d74657374",
            "000345564d",
            "0004307861 62",
            "001001010101010101010101010101010101",
            "001002020202020202020202020202020202",
            "001003030303030303030303030303030303",
            "00020002",
            "000a54574f5f4f465f54574f",
            "00057368617265",
            "00080000000000000007",
            "001004040404040404040404040404040404",
            "00200505050505050505050505050505050505050505050505050505050505050505"
        );
        assert_eq!(hex, expected.replace(' ', ""));
    }

    #[test]
    fn every_field_changes_the_bytes() {
        let base = ctx();
        let mut seen = vec![base.canonical_bytes().unwrap()];
        for other in neighbours(&base) {
            let bytes = other.canonical_bytes().unwrap();
            assert!(!seen.contains(&bytes), "{other:?}");
            seen.push(bytes);
        }
        assert_eq!(seen.len(), 1 + 12 + RecordPurpose::ALL.len() - 1);
    }

    #[test]
    fn bind_ctx_rejects_a_long_address() {
        let mut long = ctx();
        long.account_address = "a".repeat(MAX_ADDRESS_LEN + 1);
        assert!(matches!(
            long.canonical_bytes(),
            Err(Error::TooLarge { .. })
        ));
    }
}
