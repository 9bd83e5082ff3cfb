use halfkey_core::{AttemptId, CeremonyId, EnvironmentId, Generation, UnixMillis, WalletId};
use serde::{Deserialize, Serialize};

/// Evidence that a generation of a wallet must never be used again, because the other half failed a
/// check that only a cheater fails (custody rule 13). Not secret.
///
/// `WalletStore` writes it into the vault tier by itself. A caller of the bare clients persists it
/// and gives it back at start-up with [`crate::WalletClient::restore_lock`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockToken {
    /// The environment.
    pub environment: EnvironmentId,
    /// The wallet.
    pub wallet: WalletId,
    /// The locked generation.
    pub generation: Generation,
    /// The attempt that made that generation.
    pub attempt: AttemptId,
    /// The ceremony in which the provider cheated.
    pub ceremony: CeremonyId,
    /// Which check failed.
    pub check: String,
    /// When.
    pub at: UnixMillis,
}
