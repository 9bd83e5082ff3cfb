//! Locks: generations given up after proven cheating.

use halfkey_core::{CeremonyId, Generation, SecretBytes, UnixMillis};
use serde::{Deserialize, Serialize};

use super::{WalletGuard, exists};
use crate::{Access, Error, Expect, Vault};

/// Why a generation was locked. Not secret; sealed so that none can be made up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockRecord {
    /// When.
    pub at: UnixMillis,
    /// The ceremony in which the other half cheated.
    pub ceremony: CeremonyId,
    /// What was proven, in words.
    pub reason: String,
}

impl WalletGuard {
    /// Locks `generation`. A lock that stands already stays as it is; returns the lock that stands
    /// afterwards.
    ///
    /// # Errors
    /// As [`Vault::store`] and [`Vault::load`].
    pub async fn write_lock(
        &self,
        vault: &Vault,
        generation: Generation,
        lock: &LockRecord,
        access: &Access,
    ) -> Result<LockRecord, Error> {
        let name = self.lock_name(generation)?;
        let ctx = self.lock_ctx(generation);
        let json = serde_json::to_vec(lock).map(SecretBytes::new);
        let json = json.map_err(|_| Error::Caller("the lock cannot be written as JSON"))?;
        match vault
            .store(&name, &ctx, &json, Expect::Absent, access)
            .await
        {
            Ok(_) => Ok(lock.clone()),
            Err(Error::Conflict(_)) => {
                let standing = self.read_lock(vault, generation, access).await?;
                standing.ok_or_else(|| Error::Conflict(name.to_string()))
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the lock of `generation`; `None` when it is not locked. A lock that does not open is
    /// an error: to be treated as locked.
    ///
    /// # Errors
    /// As [`Vault::load`].
    pub async fn read_lock(
        &self,
        vault: &Vault,
        generation: Generation,
        access: &Access,
    ) -> Result<Option<LockRecord>, Error> {
        let name = self.lock_name(generation)?;
        if !exists(vault, &name).await? {
            return Ok(None);
        }
        let found = vault
            .load(&name, &self.lock_ctx(generation), access)
            .await?;
        serde_json::from_slice(found.value.expose())
            .map(Some)
            .map_err(|_| Error::corrupt(name.as_str(), "it is not a lock"))
    }

    /// Whether anything stands under the name of this generation's lock. Needs no right to open,
    /// so a process that cannot read locks still obeys them.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the right to read, or the store's.
    pub async fn is_locked(&self, vault: &Vault, generation: Generation) -> Result<bool, Error> {
        exists(vault, &self.lock_name(generation)?).await
    }
}
