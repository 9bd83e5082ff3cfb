use halfkey_core::WalletProperties;

use super::pointers::{Extent, Located};
use super::recover::{fetch, open_entry};
use super::secret::BackupSecret;
use crate::{Error, Result, WalletClient};

impl WalletClient {
    /// Whether `password` opens a backup of the wallet. Tried here: the provider only gives out the
    /// blobs, and counts that (see [`Self::recover_key_shares`]).
    ///
    /// # Errors
    /// As [`Self::recover_key_shares`], but for a wrong password.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn verify_password(
        &self,
        wallet_properties: &WalletProperties,
        password: &str,
    ) -> Result<bool> {
        let secret = BackupSecret::for_reading(password, self.environment())?;
        let located = Located::find(self, wallet_properties, Extent::Enough).await?;
        let wanted = located.wanted(self);
        let mut outcome = Err(Error::StaleWalletProperties(
            "the provider has no backup under their ids",
        ));
        for mut entry in fetch(self, &located).await? {
            // It is about this password, not about whether one is needed.
            entry.password_encrypted = true;
            match open_entry(self, &entry, Some(&secret), &wanted, &[]).await {
                Ok(_) => return Ok(true),
                Err(Error::WrongPassword) => outcome = Ok(false),
                Err(error) if outcome.is_err() => outcome = Err(error),
                Err(_) => {}
            }
        }
        outcome
    }
}
