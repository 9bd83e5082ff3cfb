//! Backups of a stored wallet's shares with the provider.

use halfkey_core::KeyShareBackupInfo;
use halfkey_core::crash_point::crash_point;
use halfkey_vault::{Error as VaultError, Expect, Purpose, Versioned};

use super::WalletStore;
use super::row::StateRow;
use crate::backup::{self, BackupSecret};
use crate::to_the_end::to_the_end;
use crate::{BackupFormat, Error, Result};

impl WalletStore {
    /// Opens every share of the wallet, encrypts them under `password`, or under the text of a
    /// [`crate::RecoveryKey`], and stores them with the provider, in the place of the backups that
    /// the same secret opens where the API token has the scope `wallet.backup`. A backup is of the
    /// active generation: after a refresh or reshare make another.
    ///
    /// # Errors
    /// [`Error::PasswordRequired`] and [`Error::PasswordRefused`] before anything is opened;
    /// [`Error::CannotOpen`] for a process without the right to open.
    pub async fn back_up(
        &self,
        address: &str,
        password: &str,
        format: BackupFormat,
    ) -> Result<KeyShareBackupInfo> {
        let secret = BackupSecret::for_writing(password, self.client.environment())?;
        let (store, address) = (self.clone(), address.to_owned());
        to_the_end(async move {
            match store.back_up_now(&address, &secret, format).await {
                Err(error) => {
                    store.fall_back(&address, error).await?;
                    store.back_up_now(&address, &secret, format).await
                }
                backed_up => backed_up,
            }
        })
        .await
    }

    #[tracing::instrument(level = "debug", skip_all, fields(address))]
    async fn back_up_now(
        &self,
        address: &str,
        secret: &BackupSecret,
        format: BackupFormat,
    ) -> Result<KeyShareBackupInfo> {
        self.pin().await?;
        let row = self.settled_row(address).await?;
        let state = &row.value;
        let generation = state.active().ok_or(Error::WalletNotFound)?;
        if !self.can_open(state.scheme_of(generation)) {
            return Err(Error::CannotOpen);
        }
        self.check_high_water(state, generation).await?;
        let shares = self.open_all(state, generation, Purpose::Backup).await?;
        let properties = state.properties();
        let info =
            backup::back_up_again(&self.client, &shares, secret, format, &properties).await?;
        self.note_backups(row, &info).await?;
        Ok(info)
    }

    /// Encrypts the wallet's backups anew, on this side; see
    /// [`WalletClient::update_password`](crate::WalletClient::update_password). Nothing is opened
    /// here: what is encrypted is what the old backups held.
    ///
    /// # Errors
    /// As there; the old backups are what they were.
    #[tracing::instrument(level = "debug", skip_all, fields(address))]
    pub async fn update_password(
        &self,
        address: &str,
        existing_password: Option<&str>,
        new_password: &str,
        format: BackupFormat,
    ) -> Result<KeyShareBackupInfo> {
        self.pin().await?;
        let properties = self.client.fetch_wallet_metadata(address).await?;
        let client = &self.client;
        let info = client
            .update_password_as(&properties, existing_password, new_password, format)
            .await?;
        let chain = super::chain_of(address);
        if let Some(row) = self.find_row(chain, address).await? {
            self.note_backups(row, &info).await?;
        }
        Ok(info)
    }

    /// Writes where the backups are into the row and the cache. The provider knows it too, so a
    /// crash before this loses nothing.
    pub(super) async fn note_backups(
        &self,
        mut row: Versioned<StateRow>,
        info: &KeyShareBackupInfo,
    ) -> Result<()> {
        let attempt = row.value.active().map(|one| one.attempt);
        for _ in 0..8 {
            let active = row.value.active().map(|one| one.attempt);
            if active.is_none() || active != attempt {
                // Changed meanwhile: they are of shares that sign no more.
                return Ok(());
            }
            row.value.backups = Some(info.clone());
            match self.write_row(&row.value, Expect::Rev(row.rev)).await {
                Ok(_) => {
                    crash_point("backup.after_row");
                    self.refresh_cache(&row.value).await;
                    return Ok(());
                }
                Err(Error::Vault(VaultError::Conflict(_))) => {
                    let (chain, address) = (row.value.chain, row.value.account_address.clone());
                    row = self.row(chain, &address).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::VaultState(
            "the wallet's row changes all the time".to_owned(),
        ))
    }
}
