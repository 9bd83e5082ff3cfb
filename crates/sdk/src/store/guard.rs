//! The sealed records that outrank the row: the high-water mark (custody rule 11) and the locks
//! (custody rule 13).

use halfkey_core::{AttemptId, Generation, SecretBytes, ShareSetId};
use halfkey_vault::{Error as VaultError, Expect, Purpose, RecordName, RecordPurpose, Versioned};
use serde::{Deserialize, Serialize};

use super::WalletStore;
use super::row::{GenerationRow, GenerationState, StateRow};
use crate::{Error, LockToken, Result};

/// The highest generation ever activated, and the shares that are it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct HighWater {
    generation: Generation,
    attempt: AttemptId,
    share_set: ShareSetId,
}

impl HighWater {
    const fn of(generation: &GenerationRow) -> Self {
        Self {
            generation: generation.generation,
            attempt: generation.attempt,
            share_set: generation.share_set,
        }
    }
}

impl WalletStore {
    /// Writes the first high-water mark of a wallet; one that is there already must be the same.
    pub(super) async fn raise_high_water(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
    ) -> Result<()> {
        let name = RecordName::high_water(&self.options.prefix, &row.address)?;
        let mark = serde_json::to_vec(&HighWater::of(generation))
            .map_err(|_| Error::Bug("a high-water mark does not encode"))?;
        let ctx = high_water_ctx(row);
        let plaintext = SecretBytes::new(mark);
        let access = self.access(Purpose::Guard);
        match self.vault.store(&name, &ctx, &plaintext, Expect::Absent, &access).await {
            Ok(_) => Ok(()),
            Err(VaultError::Conflict(_)) if self.vault.can_open() => {
                self.check_high_water(row, generation).await
            }
            Err(VaultError::Conflict(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Refuses a generation that is not exactly the one the high-water record names.
    pub(super) async fn check_high_water(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
    ) -> Result<()> {
        let name = RecordName::high_water(&self.options.prefix, &row.address)?;
        let access = self.access(Purpose::Guard);
        let stored = match self.vault.load(&name, &high_water_ctx(row), &access).await {
            Ok(stored) => stored,
            Err(VaultError::NotFound(_)) => {
                return Err(Error::VaultState(format!("{name} is missing")));
            }
            Err(error) => return Err(error.into()),
        };
        let mark: HighWater = serde_json::from_slice(stored.value.expose())
            .map_err(|_| Error::VaultState(format!("{name} cannot be read")))?;
        if mark == HighWater::of(generation) {
            return Ok(());
        }
        tracing::error!(wallet = %row.wallet, high_water = %mark.generation,
            active = %generation.generation, "the vault tier was rolled back or swapped");
        Err(Error::VaultState(format!(
            "generation {} is active but the high-water mark names generation {}; restore the \
             vault tier or run recover",
            generation.generation, mark.generation
        )))
    }

    /// Refuses a locked generation. That a lock record is there is enough.
    pub(super) async fn check_lock(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
    ) -> Result<()> {
        let name = RecordName::lock(&self.options.prefix, &row.address, generation.generation)?;
        if self.vault.get_row(&name).await?.is_some() {
            return Err(Error::WalletLocked { generation: generation.generation });
        }
        Ok(())
    }

    /// Writes the lock into the vault tier before the caller hears of it.
    pub(super) async fn keep_lock(&self, row: &Versioned<StateRow>, error: Error) -> Error {
        let Error::PeerMisbehaved { lock } = error else { return error };
        match self.write_lock(row, &lock).await {
            Ok(()) => Error::PeerMisbehaved { lock },
            Err(source) => Error::LockNotStored { lock, source: Box::new(source) },
        }
    }

    async fn write_lock(&self, row: &Versioned<StateRow>, lock: &LockToken) -> Result<()> {
        let state = &row.value;
        let name = RecordName::lock(&self.options.prefix, &state.address, lock.generation)?;
        let ctx = state.guard_ctx(RecordPurpose::Lock, lock.generation, lock.attempt);
        let token = serde_json::to_vec(lock).map_err(|_| Error::Bug("a lock does not encode"))?;
        let plaintext = SecretBytes::new(token);
        let access = self.access(Purpose::Guard);
        match self.vault.store(&name, &ctx, &plaintext, Expect::Absent, &access).await {
            Ok(_) | Err(VaultError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
        // The record decides; the row only says so sooner.
        let mut locked = state.clone();
        locked.set(lock.attempt, GenerationState::Locked, self.client.clock().now());
        if let Err(error) = self.write_row(&locked, Expect::Rev(row.rev)).await {
            tracing::warn!(%error, "lock stored, but the wallet's row does not say so yet");
        }
        Ok(())
    }
}

fn high_water_ctx(row: &StateRow) -> halfkey_vault::BindCtx {
    // The mark itself is the content: its context must not depend on it.
    row.guard_ctx(RecordPurpose::HighWater, Generation::default(), AttemptId::from_bytes([0; 16]))
}
