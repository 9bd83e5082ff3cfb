//! What a sealed record is bound to (custody rule 23).

use halfkey_core::{
    AttemptId, ChainName, EnvironmentId, Generation, KeyShareId, PartyIndex, ShareSetId,
    ThresholdSignatureScheme, WalletId,
};

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
