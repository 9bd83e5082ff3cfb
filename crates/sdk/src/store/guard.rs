//! The sealed records that outrank the row: the high-water mark (custody rule 11) and the locks
//! (custody rule 13).

use halfkey_core::wire::RestoreEpoch;
use halfkey_vault::guard::{HighWater, LockRecord, WalletGuard};
use halfkey_vault::{Expect, Purpose, Versioned};

use super::WalletStore;
use super::row::{GenerationRow, GenerationState, StateRow};
use crate::sign::locks;
use crate::{Error, LockToken, Result};

impl WalletStore {
    fn guard(&self, row: &StateRow, generation: &GenerationRow) -> Result<WalletGuard> {
        let party = generation.parties.first();
        let party = party.ok_or_else(|| Error::VaultState("the row names no share".to_owned()))?;
        Ok(WalletGuard::new(
            &self.options.prefix,
            &row.share_ctx(generation, party),
        ))
    }

    /// Raises the high-water mark to a generation that is being activated.
    pub(super) async fn raise_high_water(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
        epoch: u64,
    ) -> Result<()> {
        let guard = self.guard(row, generation)?;
        let access = self.access(Purpose::Guard);
        let to = (generation.generation, epoch);
        let mark = guard.raise_mark(&self.vault, to, &access).await?;
        same_mark(row, generation, Some(mark))
    }

    /// The wallet's high-water mark, where there is one.
    pub(super) async fn mark(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
    ) -> Result<Option<HighWater>> {
        let guard = self.guard(row, generation)?;
        let access = self.access(Purpose::Guard);
        Ok(guard.read_mark(&self.vault, &access).await?)
    }

    /// Lets a generation below the mark be active, on the provider's signed word.
    pub(super) async fn lower_active(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
        restore: &RestoreEpoch,
    ) -> Result<()> {
        let guard = self.guard(row, generation)?;
        let access = self.access(Purpose::Guard);
        let to = (
            generation.generation,
            restore.high_water,
            restore.restore_epoch,
        );
        let mark = guard.fall_back(&self.vault, to, &access).await?;
        same_mark(row, generation, Some(mark))
    }

    /// Refuses a generation that is below the high-water mark; one that is to be activated may be
    /// above it, or at it where a crash came after the mark.
    pub(super) async fn check_not_below_mark(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
    ) -> Result<()> {
        match self.mark(row, generation).await? {
            Some(mark) if mark.active > generation.generation => {
                same_mark(row, generation, Some(mark))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a generation that is not exactly the one at the high-water mark.
    pub(super) async fn check_high_water(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
    ) -> Result<()> {
        let mark = self.mark(row, generation).await?;
        same_mark(row, generation, mark)?;
        match mark {
            Some(mark) if mark.fell_back() => Err(Error::FellBack {
                generation: mark.active,
                high_water: mark.generation,
            }),
            _ => Ok(()),
        }
    }

    /// Whether anything stands under the name of the generation's lock, or this process was given a
    /// lock that the vault tier has not taken yet.
    pub(super) async fn is_locked(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
    ) -> Result<bool> {
        if locks::is_locked(&row.environment, row.wallet, generation.generation) {
            return Ok(true);
        }
        let guard = self.guard(row, generation)?;
        Ok(guard.is_locked(&self.vault, generation.generation).await?)
    }

    /// Writes the lock into the vault tier before the caller hears of it.
    pub(super) async fn keep_lock(&self, row: &Versioned<StateRow>, error: Error) -> Error {
        let Error::PeerMisbehaved { lock } = error else {
            return error;
        };
        match self.write_lock(row, &lock).await {
            Ok(()) => Error::PeerMisbehaved { lock },
            Err(source) => Error::LockNotStored {
                lock,
                source: Box::new(source),
            },
        }
    }

    pub(super) async fn write_lock(
        &self,
        row: &Versioned<StateRow>,
        lock: &LockToken,
    ) -> Result<()> {
        let state = &row.value;
        let found = state
            .generations
            .iter()
            .find(|one| one.attempt == lock.attempt);
        let generation =
            found.ok_or(Error::Bug("a lock of a generation that is not in the row"))?;
        let record = LockRecord {
            at: lock.at,
            ceremony: lock.ceremony,
            reason: lock.check.clone(),
        };
        let guard = self.guard(state, generation)?;
        let access = self.access(Purpose::Guard);
        match guard
            .write_lock(&self.vault, lock.generation, &record, &access)
            .await
        {
            Ok(_) => {}
            // It stands, even if this process cannot read what it says.
            Err(error) => match guard.is_locked(&self.vault, lock.generation).await {
                Ok(true) => {}
                _ => return Err(error.into()),
            },
        }
        // The record decides; the row only says so sooner.
        let mut locked = state.clone();
        locked.set(
            lock.attempt,
            GenerationState::Locked,
            self.client.clock().now(),
        );
        if let Err(error) = self.write_row(&locked, Expect::Rev(row.rev)).await {
            tracing::warn!(%error, "lock stored, but the wallet's row does not say so yet");
        }
        Ok(())
    }
}

fn same_mark(row: &StateRow, generation: &GenerationRow, mark: Option<HighWater>) -> Result<()> {
    let active = generation.generation;
    if mark.is_some_and(|mark| mark.active == active) {
        return Ok(());
    }
    let mark = mark.map(|mark| mark.active);
    tracing::error!(wallet = %row.wallet, ?mark, %active, "the vault tier was rolled back");
    Err(Error::VaultState(match mark {
        Some(mark) => format!(
            "generation {active} is active here but {mark} is the high-water mark; the store was \
             rolled back"
        ),
        None => "the high-water mark of the wallet is missing".to_owned(),
    }))
}
