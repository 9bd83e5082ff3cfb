//! Shredding earlier generations once no copy of the provider's half can need them any more
//! (custody rule 9).

use core::time::Duration;

use halfkey_core::{Generation, UnixMillis};
use halfkey_vault::{Error as VaultError, Expect, Purpose, RecordName, Versioned};

use super::WalletStore;
use super::row::{GenerationRow, GenerationState, StateRow};
use crate::{Error, Result};

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// The provider's horizon; without one nothing is shredded.
    pub horizon: Option<Duration>,
    /// What was shredded: address and generation.
    pub shredded: Vec<(String, Generation)>,
    /// Earlier generations that are kept.
    pub kept: usize,
}

impl WalletStore {
    /// Destroys the shares of generations that ended, or were aborted, longer ago than the horizon
    /// that the provider has signed: no copy of its half still needs them. Never those of an
    /// active, locked or pending generation. Every destruction is in the audit log. Safe to repeat.
    ///
    /// # Errors
    /// When the vault tier cannot be read or may not be destroyed from, or the provider cannot be
    /// asked.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn sweep(&self) -> Result<Swept> {
        self.pin().await?;
        let horizon = self.client.provider_horizon().await?;
        let mut swept = Swept {
            horizon,
            ..Swept::default()
        };
        for row in self.all_rows().await? {
            if let Some(horizon) = horizon {
                self.sweep_row(&row, horizon, &mut swept).await?;
            } else {
                swept.kept = swept.kept.saturating_add(row.value.kept().count());
            }
        }
        Ok(swept)
    }

    /// How many earlier generations this store keeps for the provider's horizon. Asks nobody.
    ///
    /// # Errors
    /// When the vault tier cannot be listed or a row is damaged.
    pub async fn kept_generations(&self) -> Result<usize> {
        let rows = self.all_rows().await?;
        Ok(rows.iter().map(|row| row.value.kept().count()).sum())
    }

    async fn sweep_row(
        &self,
        row: &Versioned<StateRow>,
        horizon: Duration,
        swept: &mut Swept,
    ) -> Result<()> {
        let now = self.client.clock().now();
        let mut next = row.value.clone();
        let mut gone = Vec::new();
        for generation in &mut next.generations {
            if !is_due(generation, horizon, now) {
                continue;
            }
            self.shred_records(generation).await?;
            generation.shredded = Some(now);
            gone.push((row.value.account_address.clone(), generation.generation));
        }
        swept.kept = swept.kept.saturating_add(next.kept().count());
        if gone.is_empty() {
            return Ok(());
        }
        match self.write_row(&next, Expect::Rev(row.rev)).await {
            // Somebody else moved the row: the next sweep finds nothing left to destroy.
            Ok(_) | Err(Error::Vault(VaultError::Conflict(_))) => {}
            Err(error) => return Err(error),
        }
        swept.shredded.extend(gone);
        Ok(())
    }

    /// Destroys the records of a generation. Safe to repeat.
    async fn shred_records(&self, generation: &GenerationRow) -> Result<()> {
        for party in &generation.parties {
            let name = RecordName::new(&*party.record)?;
            let access = self.access(Purpose::Change);
            match self.vault_of(party.party).destroy(&name, &access).await {
                Ok(()) | Err(VaultError::NotFound(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Whether no copy of the provider's half from within the horizon can match it.
fn is_due(generation: &GenerationRow, horizon: Duration, now: UnixMillis) -> bool {
    let has_ended = matches!(
        generation.state,
        GenerationState::Retired | GenerationState::Aborted
    );
    let horizon = i64::try_from(horizon.as_millis()).unwrap_or(i64::MAX);
    let end = generation.since.saturating_add_millis(horizon);
    has_ended && generation.shredded.is_none() && end < now
}
