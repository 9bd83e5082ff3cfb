use std::sync::Arc;

use halfkey_core::crash_point::crash_point;
use halfkey_core::wire::ProofState;
use halfkey_mpc::KeyShare;
use halfkey_vault::{Purpose, Versioned};

use super::WalletStore;
use super::row::{GenerationState, StateRow};
use crate::to_the_end::to_the_end;
use crate::{Error, Result, prove};

impl WalletStore {
    /// Takes a pending generation whose shares are stored all the way: opens them by a real unwrap,
    /// proves every pair, commits, activates. Can be repeated from the start at any point.
    pub(super) async fn finish(&self, row: &Versioned<StateRow>) -> Result<()> {
        let state = &row.value;
        let generation = state
            .in_state(GenerationState::Pending)
            .ok_or(Error::Bug("nothing pending to finish"))?;
        if !self.can_open(state.scheme_of(generation)) {
            return Err(Error::CannotOpen);
        }
        if self.is_locked(state, generation).await? {
            return Err(Error::WalletLocked {
                generation: generation.generation,
            });
        }
        let shares = self.open_all(state, generation, Purpose::Proof).await?;
        self.check_can_activate(state, generation).await?;
        crash_point("create.after_reopen");
        self.prove(row, shares.clone()).await?;
        let first = shares.first().ok_or(Error::NoShare)?;
        let epoch = self.commit_escrowed(state, generation, first).await?;
        let proven = (generation.attempt, ProofState::Proven);
        self.activate(row, proven, epoch.unwrap_or_default()).await
    }

    async fn prove(&self, row: &Versioned<StateRow>, shares: Vec<Arc<KeyShare>>) -> Result<()> {
        let (store, row) = (self.clone(), row.clone());
        to_the_end(async move {
            let first = shares.first().ok_or(Error::NoShare)?;
            let operation = prove::commit_operation(first.header());
            match prove::prove(&store.client, &shares, operation).await {
                Ok(()) => Ok(()),
                Err(error) => Err(store.keep_lock(&row, error).await),
            }
        })
        .await
    }
}
