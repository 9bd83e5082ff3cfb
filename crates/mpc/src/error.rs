//! Why a ceremony ended without a result, and who is at fault.

use halfkey_core::{Fault, ParseError, PartyIndex};

/// Why a ceremony ended without a result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Proven cheating: a check that only a cheating `culprit` can fail, on OT state in reuse.
    /// The wallet must be locked before anything is answered (custody rule 13).
    #[error("party {culprit} misbehaved: {check} failed")]
    PeerMisbehaved {
        /// Who cheated.
        culprit: PartyIndex,
        /// Which check.
        check: &'static str,
    },
    /// A message that is malformed, badly MACed, of another session or out of place. Benign: never
    /// a lock (custody rule 15).
    #[error("message of party {from} refused: {what}")]
    Refused {
        /// Whose message.
        from: PartyIndex,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The final signature does not verify, or a denominator is zero, with nobody provably at fault
    /// (custody rule 14 counts these as `suspect`).
    #[error("the signature does not verify")]
    Suspect,
    /// The parties do not agree on the new key.
    #[error("keygen confirmation failed: {0}")]
    Disagreement(&'static str),
    /// A parameter that does not fit the share or the scheme.
    #[error("{0}")]
    Caller(&'static str),
    /// A share that cannot be used here.
    #[error("key share: {0}")]
    Share(#[from] ShareError),
    /// This machine failed: it has no randomness, or the state it keeps of this ceremony is not what
    /// it put there. Nothing is known of the peer.
    #[error("this machine failed: {0}")]
    Local(&'static str),
    /// An invariant of ours or the engine's does not hold.
    #[error("internal: {0}")]
    Bug(&'static str),
}

/// Why a share encoding was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
    /// Too short, too long or damaged.
    #[error("damaged or truncated")]
    Damaged,
    /// A version this build does not read.
    #[error("unknown version {0}")]
    UnknownVersion(u8),
    /// It belongs elsewhere: `what` names the field that differs (wallet, party, generation …).
    #[error("belongs to another {what}")]
    Mismatch {
        /// Which field.
        what: &'static str,
    },
    /// A field inside is out of range.
    #[error(transparent)]
    Parse(#[from] ParseError),
}

impl Error {
    /// Who has to act.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::PeerMisbehaved { .. } => Fault::Peer,
            Self::Refused { .. } | Self::Suspect | Self::Disagreement(_) | Self::Local(_) => {
                Fault::BackendTemporary
            }
            Self::Caller(_) | Self::Share(_) => Fault::Caller,
            Self::Bug(_) => Fault::Bug,
        }
    }
}
