//! Looking after a KEK: what it is, a new version, an old version taken out of use.

use async_trait::async_trait;
use halfkey_core::{EnvironmentId, UnixMillis};

use crate::Error;

/// What a KEK version may still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KekState {
    /// Wraps and unwraps.
    Enabled,
    /// Does neither; can be enabled again.
    Disabled,
    /// Does neither and will be gone.
    PendingDeletion,
}

impl KekState {
    /// The name shown to people and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::PendingDeletion => "pending_deletion",
        }
    }
}

/// One version of a KEK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KekVersion {
    /// As it stands in [`Wrapped::kek_version`](crate::Wrapped).
    pub version: String,
    /// When it was made, where the provider tells.
    pub created_at: Option<UnixMillis>,
    /// What it may still do.
    pub state: KekState,
}

/// What a provider tells of a KEK. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KekInfo {
    /// As it stands in [`Wrapped::kek_uri`](crate::Wrapped).
    pub uri: String,
    /// The environment it is marked with.
    pub environment: EnvironmentId,
    /// Its versions, oldest first; the last one wraps. Where a provider shows none (its key
    /// material rotates inside), the one version it names in its wraps.
    pub versions: Vec<KekVersion>,
    /// Whether the wrapping key never leaves the provider.
    pub hardware_or_remote: bool,
}

impl KekInfo {
    /// The version that wraps.
    pub fn newest(&self) -> Option<&KekVersion> {
        self.versions.last()
    }
}

/// May look after a KEK (an operator's right, not a signer's). It can never destroy a version:
/// custody rule 24 has that wait until every horizon has passed.
#[async_trait]
pub trait ManageKey: Send + Sync {
    /// What the KEK is now; asks the provider each time.
    async fn info(&self) -> Result<KekInfo, Error>;

    /// Makes a new version; new wraps use it at once. Returns its name.
    async fn rotate(&self) -> Result<String, Error>;

    /// Takes an old version out of use, so that it can be brought back. [`Error::Caller`] for the
    /// newest one, [`Error::Forbidden`] where the provider cannot disable a single version.
    async fn disable(&self, version: &str) -> Result<(), Error>;

    /// Brings a disabled version back. As [`Self::disable`].
    async fn enable(&self, version: &str) -> Result<(), Error>;
}
