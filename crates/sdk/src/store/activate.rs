use halfkey_core::AttemptId;
use halfkey_core::crash_point::crash_point;
use halfkey_core::wire::ProofState;
use halfkey_vault::{Error as VaultError, Expect, Versioned};

use super::WalletStore;
use super::row::StateRow;
use crate::{Error, Result};

impl WalletStore {
    /// Makes the generation of a committed attempt the active one: copies its records to the active
    /// names, writes the high-water mark, moves the row, fills the cache. Idempotent; the row comes
    /// after everything it promises. `epoch` is the provider's restore epoch.
    pub(super) async fn activate(
        &self,
        row: &Versioned<StateRow>,
        (attempt, proof): (AttemptId, ProofState),
        epoch: u64,
    ) -> Result<()> {
        let state = &row.value;
        let found = state.generations.iter().find(|one| one.attempt == attempt);
        let generation = found.ok_or(Error::Bug("activating an attempt that is not in the row"))?;
        self.copy_to_active(state, generation, false).await?;
        self.raise_high_water(state, generation, epoch).await?;
        crash_point("create.after_high_water");
        let mut active = state.clone();
        active.promote(attempt, self.client.clock().now());
        active.prove(attempt, proof);
        match self.write_row(&active, Expect::Rev(row.rev)).await {
            Ok(_) => {}
            Err(Error::Vault(VaultError::Conflict(_))) => {
                // Somebody else settled it: that is fine if they came to the same end.
                let now = self.row(state.chain, &state.account_address).await?;
                if now.value.active().is_none_or(|one| one.attempt != attempt) {
                    return Err(Error::VaultState(
                        "another process changed the row".to_owned(),
                    ));
                }
            }
            Err(error) => return Err(error),
        }
        crash_point("create.after_active_row");
        self.refresh_cache(&active).await;
        crash_point("create.after_cache");
        Ok(())
    }
}
