//! Shares that are not in the vault tier come from the provider's backup, where a password for it
//! is at hand.

use std::sync::Arc;

use async_trait::async_trait;
use halfkey_core::{BackupLocation, SecretString};
use halfkey_vault::{Error as VaultError, RecordName};

use super::row::GenerationState;
use super::{WalletStore, chain_of};
use crate::{Error, Result};

/// Tells the password, or the text of the recovery key, of a wallet's backup. Asked only when its
/// shares are missing.
#[async_trait]
pub trait PasswordSource: Send + Sync {
    /// The password of this wallet's backup; nothing when there is none for it.
    ///
    /// # Errors
    /// When it cannot be told now.
    async fn password(&self, account_address: &str) -> Result<Option<SecretString>>;
}

/// One for every wallet.
#[async_trait]
impl PasswordSource for SecretString {
    async fn password(&self, _account_address: &str) -> Result<Option<SecretString>> {
        Ok(Some(self.clone()))
    }
}

impl WalletStore {
    /// The same, getting shares that the vault tier does not hold back from the provider's backup,
    /// and putting them there, before it signs, exports or changes the wallet. Needs an API token
    /// with the scope `wallet.backup`. A process that holds the password has, with the token, all
    /// that the vault would keep from it: give it only to one that may have that.
    #[must_use]
    pub fn with_backup_fallback(mut self, passwords: Arc<dyn PasswordSource>) -> Self {
        self.passwords = Some(passwords);
        self
    }

    /// After `error`: puts the wallet's shares back if that is what it comes from. Otherwise the
    /// error, or one that says what is missing where.
    pub(super) async fn fall_back(&self, address: &str, error: Error) -> Result<()> {
        if !may_be_missing(&error) {
            return Err(error);
        }
        let _one_at_a_time = self.recovering.lock().await;
        let missing = match self.missing(address).await? {
            Missing::Nothing => return self.after_another(address, error).await,
            Missing::Record(name) => format!("the vault tier has no record {name}"),
            Missing::Wallet => "the vault tier does not know the wallet".to_owned(),
        };
        let found = self.client.key_shares(address).await;
        let backups = match found {
            Ok(pointers) => pointers
                .iter()
                .filter(|one| one.backup_location == BackupLocation::Provider)
                .count(),
            // Neither half knows it.
            Err(Error::WalletNotFound) => return Err(error),
            Err(failed) => return Err(failed),
        };
        let lost = |provider: String| {
            let vault = missing.clone();
            Err(Error::SharesMissing { vault, provider })
        };
        if backups == 0 {
            return lost("the provider keeps no backup of it".to_owned());
        }
        let password = match &self.passwords {
            Some(source) => source.password(address).await?,
            None => None,
        };
        let Some(password) = password else {
            return lost(format!(
                "the provider keeps {backups} of its backups, no password for them is configured"
            ));
        };
        self.recover_now(address, Some(password.expose())).await?;
        tracing::warn!(
            address,
            "shares missing in the vault tier came from the backup"
        );
        Ok(())
    }

    /// Nothing is missing: another task may have put it back while this one waited.
    async fn after_another(&self, address: &str, error: Error) -> Result<()> {
        let row = self.row(chain_of(address), address).await?;
        match (&error, row.value.active()) {
            (Error::WalletNotFound | Error::Vault(_), Some(_)) if self.passwords.is_some() => {
                Ok(())
            }
            _ => Err(error),
        }
    }

    async fn missing(&self, address: &str) -> Result<Missing> {
        let Some(row) = self.find_row(chain_of(address), address).await? else {
            return Ok(Missing::Wallet);
        };
        let state = &row.value;
        let pending = || state.in_state(GenerationState::Pending);
        let Some(generation) = state.active().or_else(pending) else {
            return Ok(Missing::Nothing);
        };
        for party in &generation.parties {
            let mut names = vec![RecordName::new(&*party.record)?];
            if generation.state == GenerationState::Active {
                let prefix = &self.options.prefix;
                names.push(RecordName::active_share(
                    prefix,
                    &state.address,
                    party.party,
                )?);
            }
            for name in names {
                if self.vault_of(party.party).get_row(&name).await?.is_none() {
                    return Ok(Missing::Record(name));
                }
            }
        }
        Ok(Missing::Nothing)
    }
}

enum Missing {
    Nothing,
    Record(RecordName),
    /// Its row, at least.
    Wallet,
}

/// Failures that missing shares explain; all of them from before anything was sent.
const fn may_be_missing(error: &Error) -> bool {
    matches!(
        error,
        Error::WalletNotFound | Error::LeftPending { .. } | Error::Vault(VaultError::NotFound(_))
    )
}
