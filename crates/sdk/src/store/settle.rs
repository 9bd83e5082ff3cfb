use core::time::Duration;

use halfkey_core::WalletProperties;
use halfkey_core::wire::{AttemptState, ProofState};
use halfkey_vault::{Expect, Purpose, RecordName, Versioned};

use super::WalletStore;
use super::resume::Settled;
use super::row::{GenerationRow, GenerationState, StateRow};
use crate::{Error, Result, pending_wallet};

impl WalletStore {
    /// Settles a pending generation by the provider's signed word on its attempt (custody rule 6).
    /// An entry without stored shares is aborted once it is older than `abort_after`.
    pub(super) async fn settle(
        &self,
        row: Versioned<StateRow>,
        abort_after: Duration,
    ) -> Result<Settled> {
        let state = &row.value;
        let Some(generation) = state.in_state(GenerationState::Pending) else {
            return settled_before(state);
        };
        if self.is_locked(state, generation).await? {
            return Err(Error::WalletLocked {
                generation: generation.generation,
            });
        }
        let reply = self.client.attempt(generation.attempt).await?;
        match reply.state {
            AttemptState::Committed | AttemptState::Finalised => {
                let epoch = reply.restore_epoch;
                self.activate_committed(&row, generation, epoch).await
            }
            AttemptState::Staged if self.is_stored(generation).await? => {
                match self.finish(&row).await {
                    Ok(()) => Ok(active(state)),
                    // Aborted between the question and the commit.
                    Err(Error::AttemptAborted(_)) => self.mark_aborted(&row, generation).await,
                    Err(error) => Err(error),
                }
            }
            AttemptState::Staged if self.is_older(generation, abort_after) => {
                self.give_up(&row, generation).await
            }
            AttemptState::Staged => Ok(Settled::Pending),
            AttemptState::Aborted => self.mark_aborted(&row, generation).await,
            // It was restored from before the attempt, and has signed that: the pin ends (custody
            // rule 6). The sealed shares stay for the horizon.
            AttemptState::Unknown
                if generation
                    .restore_epoch
                    .is_some_and(|begun| reply.restore_epoch > begun) =>
            {
                tracing::warn!(attempt = %generation.attempt, "forgotten by a restored provider");
                self.mark_aborted(&row, generation).await
            }
            AttemptState::Unknown => Ok(Settled::Unknown),
        }
    }

    async fn activate_committed(
        &self,
        row: &Versioned<StateRow>,
        generation: &GenerationRow,
        epoch: u64,
    ) -> Result<Settled> {
        if !self.can_open(row.value.scheme_of(generation)) {
            // What is made active must open and be what it says.
            return Err(Error::CannotOpen);
        }
        let state = &row.value;
        self.open_all(state, generation, Purpose::Resume).await?;
        // Whoever committed may have done so without a proof (custody rule 8).
        let proof = match self.client.lookup(&state.account_address).await {
            Ok(summary) if summary.attempt_id == generation.attempt => summary.proof,
            _ => ProofState::Unproven,
        };
        self.activate(row, (generation.attempt, proof), epoch)
            .await?;
        Ok(active(state))
    }

    /// Ends the attempt on both sides: its shares were never stored, or the caller wants it ended.
    pub(super) async fn give_up(
        &self,
        row: &Versioned<StateRow>,
        generation: &GenerationRow,
    ) -> Result<Settled> {
        let wallet = row.value.wallet;
        let of = (generation.generation, generation.attempt);
        let reply = pending_wallet::abort(&self.client, wallet, of).await?;
        match reply.state {
            AttemptState::Aborted => self.mark_aborted(row, generation).await,
            AttemptState::Committed | AttemptState::Finalised => {
                let epoch = reply.restore_epoch;
                self.activate_committed(row, generation, epoch).await
            }
            AttemptState::Staged | AttemptState::Unknown => Ok(Settled::Pending),
        }
    }

    /// A tombstone here too; the sealed shares stay for the horizon (custody rule 6).
    async fn mark_aborted(
        &self,
        row: &Versioned<StateRow>,
        generation: &GenerationRow,
    ) -> Result<Settled> {
        let mut aborted = row.value.clone();
        let now = self.client.clock().now();
        aborted.set(generation.attempt, GenerationState::Aborted, now);
        self.write_row(&aborted, Expect::Rev(row.rev)).await?;
        Ok(Settled::Aborted)
    }

    pub(super) async fn is_stored(&self, generation: &GenerationRow) -> Result<bool> {
        for party in &generation.parties {
            let name = RecordName::new(&*party.record)?;
            if self.vault_of(party.party).get_row(&name).await?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_older(&self, generation: &GenerationRow, age: Duration) -> bool {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        self.client.clock().now() >= generation.since.saturating_add_millis(age)
    }
}

fn active(row: &StateRow) -> Settled {
    let properties: WalletProperties = row.properties();
    Settled::Active(Box::new(properties))
}

/// What a row without a pending generation came to.
pub(super) fn settled_before(row: &StateRow) -> Result<Settled> {
    if row.active().is_some() {
        return Ok(active(row));
    }
    if let Some(locked) = row.in_state(GenerationState::Locked) {
        return Err(Error::WalletLocked {
            generation: locked.generation,
        });
    }
    if row.in_state(GenerationState::Aborted).is_some() {
        return Ok(Settled::Aborted);
    }
    Err(Error::VaultState(
        "the wallet has no generation that signs".to_owned(),
    ))
}
