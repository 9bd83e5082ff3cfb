//! The count of signatures that did not verify, kept in the vault tier so that a restart does not
//! forget it (custody rule 14).

use halfkey_core::random::os_rng;
use halfkey_core::{CeremonyId, Generation};
use halfkey_mpc::ShareHeader;
use halfkey_vault::{Error as VaultError, Expect, RecordName, Versioned};

use super::WalletStore;
use super::row::StateRow;
use crate::sign::{misbehaviour, suspects};
use crate::{Error, Result};

/// How often another process may come between.
const ROUNDS: u32 = 16;

impl WalletStore {
    /// Counts `error` if it is a suspect, and keeps whatever lock follows from it.
    pub(super) async fn keep_account(
        &self,
        row: &Versioned<StateRow>,
        header: &ShareHeader,
        error: Error,
    ) -> Error {
        let suspect = match &error {
            Error::OutcomeUnknown { source, .. } => suspects::is_suspect(source),
            other => suspects::is_suspect(other),
        };
        if !suspect || !header.key_type.uses_ot() {
            return self.keep_lock(row, error).await;
        }
        match self.count_suspect(&row.value, header.generation).await {
            Ok(count) if count >= suspects::LIMIT => {
                let ceremony = CeremonyId::generate(&mut os_rng());
                let lock = misbehaviour::lock(&self.client, header, ceremony, suspects::CHECK);
                self.keep_lock(row, lock).await
            }
            Ok(_) => error,
            Err(failure) => {
                tracing::error!(error = %failure, "a suspect signature was not counted");
                error
            }
        }
    }

    async fn count_suspect(&self, row: &StateRow, generation: Generation) -> Result<u32> {
        let prefix = &self.options.prefix;
        let name = RecordName::new(format!(
            "{prefix}wallet:{}/suspect/{generation}",
            row.address
        ))?;
        for _ in 0..ROUNDS {
            let found = self.vault.get_row(&name).await?;
            let (count, expect) = match &found {
                None => (0, Expect::Absent),
                // One that cannot be read counts as full.
                Some(found) => (
                    read(&found.value).unwrap_or(u32::MAX),
                    Expect::Rev(found.rev),
                ),
            };
            let count = count.saturating_add(1);
            match self
                .vault
                .put_row(&name, count.to_string().as_bytes(), expect)
                .await
            {
                Ok(_) => return Ok(count),
                Err(VaultError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(VaultError::Conflict(name.to_string()).into())
    }
}

fn read(bytes: &[u8]) -> Option<u32> {
    core::str::from_utf8(bytes).ok()?.parse().ok()
}
