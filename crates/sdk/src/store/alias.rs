//! Which wallet a caller's idempotency key stands for (custody rule 26).

use halfkey_core::{AttemptId, ChainName};
use halfkey_vault::{Error as VaultError, Expect, RecordName, Versioned};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::WalletStore;
use crate::{Error, Result};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Alias {
    pub(super) chain: ChainName,
    /// Canonical.
    pub(super) address: String,
    pub(super) attempt: AttemptId,
}

impl WalletStore {
    fn alias_name(&self, key: &str) -> Result<RecordName> {
        let environment = self.client.environment();
        let hash = hex::encode(Sha256::digest(key.as_bytes()));
        let prefix = &self.options.prefix;
        Ok(RecordName::new(format!(
            "{prefix}create/{environment}/{hash}"
        ))?)
    }

    pub(super) async fn find_alias(&self, key: &str) -> Result<Option<Versioned<Alias>>> {
        let name = self.alias_name(key)?;
        let Some(stored) = self.vault.get_row(&name).await? else {
            return Ok(None);
        };
        let alias = serde_json::from_slice(&stored.value)
            .map_err(|_| Error::VaultState(format!("{name} is damaged")))?;
        Ok(Some(Versioned {
            value: alias,
            rev: stored.rev,
        }))
    }

    pub(super) async fn write_alias(&self, key: &str, alias: &Alias, expect: Expect) -> Result<()> {
        let name = self.alias_name(key)?;
        let bytes =
            serde_json::to_vec(alias).map_err(|_| Error::Bug("an alias does not encode"))?;
        match self.vault.put_row(&name, &bytes, expect).await {
            Ok(_) => Ok(()),
            Err(VaultError::Conflict(_)) => Err(Error::VaultState(
                "another create under the same idempotency key is under way".to_owned(),
            )),
            Err(error) => Err(error.into()),
        }
    }
}
