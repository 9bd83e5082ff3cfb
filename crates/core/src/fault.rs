//! Who is at fault when something fails, common to the errors of every crate.

use serde::{Deserialize, Serialize};

/// Who has to act for the same call to succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fault {
    /// The caller gave something that can never work as it stands.
    Caller,
    /// The other half of the ceremony broke the protocol, with proof.
    Peer,
    /// A back-end (store, KMS, network, provider) failed; the same call may succeed later.
    BackendTemporary,
    /// A back-end refuses or has lost what was asked for; trying again will not help.
    BackendPermanent,
    /// An invariant of Halfkey's own does not hold.
    Bug,
}

impl Fault {
    /// Whether repeating the unchanged call may succeed.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::BackendTemporary)
    }
}
