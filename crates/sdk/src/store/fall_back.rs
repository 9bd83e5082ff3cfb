//! Shares that are not in the vault tier come from the provider's backup, where a password for it
//! is at hand.

use std::sync::Arc;

use async_trait::async_trait;
use halfkey_core::wire::KeySharePointer;
use halfkey_core::{BackupLocation, SecretString};
use halfkey_vault::{Error as VaultError, Purpose, RecordName};

use super::change::current;
use super::open::is_of_the_record;
use super::row::{GenerationRow, GenerationState, PartyRow, StateRow};
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
    /// The same, getting shares of which the vault tier holds no record that opens back from the
    /// provider's backup, and putting them there, before it signs, exports, delegates, backs up or
    /// changes the wallet. Needs an API token with the scope `wallet.backup`. A process that holds
    /// the password has, with the token, all that the vault would keep from it: give it only to one
    /// that may have that.
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
        let (missing, is_damaged) = match self.missing(address).await? {
            Missing::Nothing => return self.after_another(address, error).await,
            Missing::Record(name) => (format!("the vault tier has no record {name}"), false),
            Missing::Damaged(why) => (format!("the vault tier holds none that opens: {why}"), true),
            Missing::Wallet => ("the vault tier does not know the wallet".to_owned(), false),
        };
        let backups = match self.provider_backups(address).await {
            Ok(backups) => backups,
            // Neither half knows it, or what is wrong with the record says more.
            Err(failed) if is_damaged || matches!(failed, Error::WalletNotFound) => {
                return Err(error);
            }
            Err(failed) => return Err(failed),
        };
        let lost = |provider: String| {
            let vault = missing.clone();
            Err(Error::SharesMissing { vault, provider })
        };
        if backups == 0 {
            if is_damaged {
                return Err(error);
            }
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

    /// How many backups of the wallet's shares the provider itself keeps.
    pub(super) async fn provider_backups(&self, address: &str) -> Result<usize> {
        let pointers = self.client.key_shares(address).await?;
        let kept = |one: &&KeySharePointer| one.backup_location == BackupLocation::Provider;
        Ok(pointers.iter().filter(kept).count())
    }

    /// Nothing is missing: another task may have put it back while this one waited.
    async fn after_another(&self, address: &str, error: Error) -> Result<()> {
        let row = self.row(chain_of(address), address).await?;
        match (&error, current(&row.value).ok()) {
            (Error::WalletNotFound | Error::Vault(_) | Error::ShareDamaged, Some(_))
                if self.passwords.is_some() =>
            {
                Ok(())
            }
            _ => Err(error),
        }
    }

    /// A share of which neither record opens.
    async fn missing(&self, address: &str) -> Result<Missing> {
        let Some(row) = self.find_row(chain_of(address), address).await? else {
            return Ok(Missing::Wallet);
        };
        let state = &row.value;
        let pending = || state.in_state(GenerationState::Pending);
        let Some(generation) = current(state).ok().or_else(pending) else {
            return Ok(Missing::Nothing);
        };
        for party in &generation.parties {
            let missing = self.missing_of(state, generation, party).await?;
            if !matches!(missing, Missing::Nothing) {
                return Ok(missing);
            }
        }
        Ok(Missing::Nothing)
    }

    async fn missing_of(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
        party: &PartyRow,
    ) -> Result<Missing> {
        let mut missing = Missing::Nothing;
        for name in self.names_of(row, generation, party)? {
            let opened = self.open_share(row, generation, party, &name, Purpose::Backup);
            match opened.await {
                Ok(_) => return Ok(Missing::Nothing),
                Err(Error::Vault(VaultError::NotFound(_))) => {
                    if matches!(missing, Missing::Nothing) {
                        missing = Missing::Record(name);
                    }
                }
                Err(error) if is_of_the_record(&error) => {
                    missing = Missing::Damaged(error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(missing)
    }
}

enum Missing {
    Nothing,
    Record(RecordName),
    /// What stands there does not open, and why.
    Damaged(String),
    /// Its row, at least.
    Wallet,
}

/// Failures that missing or damaged shares explain; all of them from before anything was sent.
const fn may_be_missing(error: &Error) -> bool {
    matches!(
        error,
        Error::WalletNotFound
            | Error::LeftPending { .. }
            | Error::Vault(VaultError::NotFound(_) | VaultError::Corrupt { .. })
            | Error::ShareDamaged
    )
}
