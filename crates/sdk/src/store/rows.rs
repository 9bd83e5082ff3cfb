use halfkey_core::{ChainName, EnvironmentId};
use halfkey_vault::{Error as VaultError, Expect, RecordName, Rev, Vault, Versioned};

use super::WalletStore;
use super::listed::{Listed, UnreadableRow};
use super::row::StateRow;
use crate::{Error, Result};

impl WalletStore {
    /// The row of an address, where there is one.
    pub(super) async fn find_row(
        &self,
        chain: ChainName,
        address: &str,
    ) -> Result<Option<Versioned<StateRow>>> {
        let canonical = halfkey_chain::canonical_address(chain, address)?;
        let name = RecordName::state(&self.options.prefix, &canonical)?;
        self.read_row(&name).await
    }

    /// The row of a wallet that must be there.
    pub(super) async fn row(&self, chain: ChainName, address: &str) -> Result<Versioned<StateRow>> {
        self.find_row(chain, address)
            .await?
            .ok_or(Error::WalletNotFound)
    }

    pub(super) async fn read_row(&self, name: &RecordName) -> Result<Option<Versioned<StateRow>>> {
        let environment = self.client.environment();
        read_row(&self.vault, environment, &self.options.prefix, name).await
    }

    pub(super) async fn write_row(&self, row: &StateRow, expect: Expect) -> Result<Rev> {
        let name = RecordName::state(&self.options.prefix, &row.address)?;
        let bytes = serde_json::to_vec(row).map_err(|_| Error::Bug("a row does not encode"))?;
        Ok(self.vault.put_row(&name, &bytes, expect).await?)
    }

    /// Brings the cache up to the row of this wallet, which may have moved on since it was written.
    pub(super) async fn refresh_cache(&self, written: &StateRow) {
        let read = async || {
            let row = self.find_row(written.chain, &written.account_address);
            let row = row.await?.filter(|row| row.value.active().is_some());
            Ok(row.map(|row| row.value.properties()))
        };
        self.cache.refresh(&written.address, read).await;
    }

    /// Every row of this store that can be read, by name. One that is damaged or foreign stops
    /// nobody from reaching the others; an outage does.
    pub(super) async fn all_rows(&self) -> Result<Listed<Versioned<StateRow>>> {
        let prefix = format!("{}wallet:", self.options.prefix);
        let (mut rows, mut unreadable) = (Vec::new(), Vec::new());
        let mut after: Option<RecordName> = None;
        loop {
            let page = self.vault.list_names(&prefix, after.as_ref(), 1000).await?;
            for name in page
                .names
                .iter()
                .filter(|name| name.as_str().ends_with("/state"))
            {
                match self.read_row(name).await {
                    Ok(row) => rows.extend(row),
                    Err(
                        error @ (Error::VaultState(_) | Error::Vault(VaultError::Corrupt { .. })),
                    ) => {
                        tracing::error!(record = %name, %error, "a wallet's row is passed over");
                        let record = name.as_str().to_owned();
                        unreadable.push(UnreadableRow { record, error });
                    }
                    Err(error) => return Err(error),
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(Listed::new(rows, unreadable)),
            }
        }
    }
}

/// The row `name`, held against the environment and against its own name.
pub(super) async fn read_row(
    vault: &Vault,
    environment: &EnvironmentId,
    prefix: &str,
    name: &RecordName,
) -> Result<Option<Versioned<StateRow>>> {
    let Some(stored) = vault.get_row(name).await? else {
        return Ok(None);
    };
    let row = StateRow::parse(&stored.value)
        .ok_or_else(|| Error::VaultState(format!("{name} is damaged or of a newer version")))?;
    if row.environment != *environment {
        return Err(Error::VaultState(format!(
            "{name} belongs to another environment"
        )));
    }
    let canonical = halfkey_chain::canonical_address(row.chain, &row.account_address);
    if canonical.ok().as_ref() != Some(&row.address)
        || RecordName::state(prefix, &row.address)? != *name
    {
        return Err(Error::VaultState(format!(
            "{name} speaks of another wallet"
        )));
    }
    Ok(Some(Versioned {
        value: row,
        rev: stored.rev,
    }))
}
