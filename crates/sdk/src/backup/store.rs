//! Encrypting shares and giving them to the provider.

use std::collections::BTreeSet;
use std::sync::Arc;

use halfkey_core::crash_point::crash_point;
use halfkey_core::random::os_rng;
use halfkey_core::wire::{
    BackupLocationsReply, BackupLocationsRequest, BackupPlace, DropBackupsReply,
    DropBackupsRequest, StoreBackupReply, StoreBackupRequest,
};
use halfkey_core::{
    BackupId, BackupLocation, ChainName, KeyShareBackupInfo, SecretString, ServerKeyShare,
    WalletId, WalletProperties,
};
use halfkey_mpc::KeyShare;

use super::pointers::kept_here;
#[cfg(feature = "vault")]
use super::recover::Recovery;
use super::seal::{self, BackupFormat};
use super::secret::BackupSecret;
use crate::ceremony::pool::{self, Class};
use crate::client::Credential;
use crate::sign::share;
use crate::transport::Retry;
use crate::{Error, Result, WalletClient};

impl WalletClient {
    /// Encrypts the customer's shares under `password`, or under the text of a
    /// [`RecoveryKey`](super::RecoveryKey), and stores them with the provider. Gives the backup
    /// info to merge into the properties. The provider never sees password, key or shares; the
    /// same wallet can be backed up again at any time.
    ///
    /// A backup is of the shares' generation: after a refresh or reshare, make another.
    ///
    /// # Errors
    /// [`Error::PasswordRequired`] and [`Error::PasswordRefused`] for a password that protects
    /// nothing (custody rule 29), before anything is sent.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn store_encrypted_backup(
        &self,
        wallet_properties: &WalletProperties,
        external_server_key_shares: &[ServerKeyShare],
        password: &str,
    ) -> Result<KeyShareBackupInfo> {
        let (format, shares) = (BackupFormat::default(), external_server_key_shares);
        self.store_encrypted_backup_as(wallet_properties, shares, password, format)
            .await
    }

    /// The same, in another format: [`BackupFormat::V2`] where a published SDK has to read it.
    ///
    /// # Errors
    /// As [`Self::store_encrypted_backup`].
    #[tracing::instrument(level = "debug", skip_all, fields(format = format.as_str()))]
    pub async fn store_encrypted_backup_as(
        &self,
        wallet_properties: &WalletProperties,
        external_server_key_shares: &[ServerKeyShare],
        password: &str,
        format: BackupFormat,
    ) -> Result<KeyShareBackupInfo> {
        let secret = BackupSecret::for_writing(password, self.environment())?;
        let chain: ChainName = wallet_properties.chain_name.parse()?;
        let decode = |one| share::decode(one).map(Arc::new);
        let decoded = external_server_key_shares.iter().map(decode);
        let mut decoded = decoded.collect::<Result<Vec<_>>>()?;
        decoded.sort_by_key(|one| one.header().party);
        share::same_set(self, &decoded)?;
        share::all_belong(self, chain, wallet_properties, &decoded).await?;
        back_up(self, &decoded, &secret, format).await
    }

    /// Has the provider forget backups: of those it keeps itself the blob, of others where they
    /// are. `ids` are the keyShareIds of the backup info, or of [`Self::key_shares`]. Needs an API
    /// token with the scope `wallet.backup`. Nothing brings a dropped backup back.
    ///
    /// # Errors
    /// See [`Error`]; a backup that is not there any more is none. How many went is returned.
    #[tracing::instrument(level = "debug", skip_all, fields(address = account_address))]
    pub async fn drop_backups(&self, account_address: &str, ids: &[BackupId]) -> Result<u64> {
        let wallet = self.lookup(account_address).await?.wallet_id;
        let path = self.route(&[&wallet.to_string(), "keyShares", "backup", "drop"])?;
        let body = DropBackupsRequest {
            key_share_ids: ids.to_vec(),
        };
        let by = Credential::ApiToken;
        let reply: DropBackupsReply = self
            .post_by(by, &path, &body, None, Retry::Idempotent)
            .await?;
        Ok(reply.dropped)
    }
}

/// The secret for the backup that a create was asked for; all that may be wrong with it shows
/// before anything is made.
pub(crate) fn wanted(
    client: &WalletClient,
    password: Option<String>,
    back_up_to_provider: bool,
) -> Result<Option<BackupSecret>> {
    let password = password.map(SecretString::from);
    if !back_up_to_provider {
        return Ok(None);
    }
    let password = password.ok_or(Error::PasswordRequired)?;
    BackupSecret::for_writing(password.expose(), client.environment()).map(Some)
}

/// Encrypts, stores, and says where they are.
pub(crate) async fn back_up(
    client: &WalletClient,
    shares: &[Arc<KeyShare>],
    secret: &BackupSecret,
    format: BackupFormat,
) -> Result<KeyShareBackupInfo> {
    let first = shares.first().ok_or(Error::NoShare)?.header();
    let wallet = first.wallet;
    let ids = store(client, shares, secret, format, &[]).await?;
    locate(client, wallet, &ids, Vec::new()).await?;
    Ok(kept_here(&ids, true))
}

/// The same in the place of the wallet's backups that this secret opens already, where the provider
/// gives them out: then a wallet that is backed up every day has one of each party and secret.
#[cfg(feature = "vault")]
pub(crate) async fn back_up_again(
    client: &WalletClient,
    shares: &[Arc<KeyShare>],
    secret: &BackupSecret,
    format: BackupFormat,
    properties: &WalletProperties,
) -> Result<KeyShareBackupInfo> {
    let replaced = match Recovery::under(client, properties, secret).await {
        Ok(found) => found.protected(),
        // There is none, or none under this secret, or this process may not fetch them.
        Err(error) => {
            tracing::debug!(code = error.code(), "no backup is replaced");
            Vec::new()
        }
    };
    let wallet = shares.first().ok_or(Error::NoShare)?.header().wallet;
    let ids = store(client, shares, secret, format, &replaced).await?;
    let replaced = replaced
        .into_iter()
        .filter(|id| !ids.contains(id))
        .collect();
    locate(client, wallet, &ids, replaced).await?;
    Ok(kept_here(&ids, true))
}

/// Encrypts and stores: one blob per share. Storing never takes the place of anything; `replaces`
/// says what [`locate`] will.
pub(super) async fn store(
    client: &WalletClient,
    shares: &[Arc<KeyShare>],
    secret: &BackupSecret,
    format: BackupFormat,
    replaces: &[BackupId],
) -> Result<Vec<BackupId>> {
    let first = shares.first().ok_or(Error::NoShare)?.header();
    let parties: BTreeSet<_> = shares.iter().map(|one| one.header().party).collect();
    if parties.len() != shares.len() {
        return Err(Error::InvalidArgument(
            "the same share was given twice".to_owned(),
        ));
    }
    let mut blobs = Vec::new();
    for share in shares {
        let (share, secret) = (Arc::clone(share), secret.clone());
        let sealed = move || seal::seal(&share, &secret, format, &mut os_rng());
        blobs.push(pool::run(Class::Stretch, sealed).await?);
    }
    let path = client.route(&[&first.wallet.to_string(), "keyShares", "backup"])?;
    let body = StoreBackupRequest {
        encrypted_account_credentials: blobs,
        password_encrypted: true,
        encryption_version: Some(format.as_str().to_owned()),
        generation: Some(first.generation),
        replaces: replaces.to_vec(),
    };
    let by = if replaces.is_empty() {
        Credential::Session
    } else {
        Credential::ApiToken
    };
    crash_point("backup.before_store");
    // The same bytes again are the same blobs.
    let reply: StoreBackupReply = client
        .post_by(by, &path, &body, None, Retry::Idempotent)
        .await?;
    crash_point("backup.after_store");
    let ids: BTreeSet<_> = reply.key_share_ids.iter().collect();
    if ids.len() == shares.len() && reply.key_share_ids.len() == shares.len() {
        Ok(reply.key_share_ids)
    } else {
        Err(Error::Protocol("not one id for each stored backup"))
    }
}

/// Says where the backups are, and which they take the place of: only then are those gone.
pub(super) async fn locate(
    client: &WalletClient,
    wallet: WalletId,
    ids: &[BackupId],
    replaces: Vec<BackupId>,
) -> Result<()> {
    let place = |id: &BackupId| BackupPlace {
        location: BackupLocation::Provider,
        external_key_share_id: Some(id.to_string()),
        password_encrypted: true,
    };
    let by = if replaces.is_empty() {
        Credential::Session
    } else {
        Credential::ApiToken
    };
    let body = BackupLocationsRequest {
        locations: ids.iter().map(place).collect(),
        replaces,
    };
    let path = client.route(&[&wallet.to_string(), "keyShares", "backup", "locations"])?;
    let reply: BackupLocationsReply = client
        .post_by(by, &path, &body, None, Retry::Idempotent)
        .await?;
    crash_point("backup.after_locations");
    let is_named = |id: &BackupId| {
        let mut located = reply.locations_with_key_shares.iter();
        located.any(|one| one.key_share_id == *id)
    };
    if reply.wallet_id == wallet && ids.iter().all(is_named) {
        Ok(())
    } else {
        Err(Error::Protocol("not every backup has its place"))
    }
}
