use std::sync::Arc;

use halfkey_core::{KeyShareBackupInfo, WalletProperties};

use super::BackupFormat;
use super::pointers::{Extent, kept_here};
use super::recover::Recovery;
use super::secret::BackupSecret;
use super::store::{locate, store};
use crate::{Result, WalletClient};

impl WalletClient {
    /// Encrypts the wallet's backups anew, on this side: fetches them, opens them with
    /// `existing_password` (none for ones that were never protected), and stores them under
    /// `new_password`. The old ones stay until the new ones are stored and located; then the
    /// provider drops them. Gives the backup info to merge into the properties.
    ///
    /// Whoever copied an old blob can still try the old password on it, for as long as its shares
    /// sign: if that password was seen, refresh the wallet with `compromised` as well.
    ///
    /// # Errors
    /// As [`Self::recover_key_shares`] and [`Self::store_encrypted_backup`]; the old backups are
    /// what they were.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn update_password(
        &self,
        wallet_properties: &WalletProperties,
        existing_password: Option<&str>,
        new_password: &str,
    ) -> Result<KeyShareBackupInfo> {
        self.update_password_as(
            wallet_properties,
            existing_password,
            new_password,
            BackupFormat::default(),
        )
        .await
    }

    /// The same, in another format.
    ///
    /// # Errors
    /// As [`Self::update_password`].
    #[tracing::instrument(level = "debug", skip_all, fields(format = format.as_str()))]
    pub async fn update_password_as(
        &self,
        wallet_properties: &WalletProperties,
        existing_password: Option<&str>,
        new_password: &str,
        format: BackupFormat,
    ) -> Result<KeyShareBackupInfo> {
        let secret = BackupSecret::for_writing(new_password, self.environment())?;
        let recovery =
            Recovery::run(self, wallet_properties, existing_password, Extent::Every).await?;
        let shares: Vec<_> = recovery
            .opened
            .iter()
            .map(|one| Arc::clone(&one.share))
            .collect();
        // Another secret's backups of the same wallet are not this call's business.
        let mut replaced = recovery.ids();
        replaced.extend(recovery.also.iter().map(|(id, _)| id));
        let ids = store(self, &shares, &secret, format, &replaced).await?;
        locate(self, recovery.located.summary.wallet_id, &ids, replaced).await?;
        Ok(kept_here(&ids, true))
    }
}
