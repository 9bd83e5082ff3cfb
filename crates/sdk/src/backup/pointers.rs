//! Where the backups of a wallet are: in the caller's properties, else with the provider.

use std::collections::BTreeMap;

use halfkey_core::wire::{KeySharePointer, WalletSummary};
use halfkey_core::{
    BackupId, BackupLocation, BackupLocationInfo, KeyShareBackupInfo, PartyIndex, ServerKeyShare,
    WalletProperties,
};

use super::bound::Wanted;
use crate::{Error, Result, WalletClient};

/// What a caller may want to do with a wallet, for
/// [`WalletClient::requires_password_for_operation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WalletOperation {
    /// Any signature.
    Sign,
    /// Taking the whole key out.
    Export,
    /// New shares of the same scheme.
    Refresh,
    /// New shares of another scheme.
    Reshare,
    /// Getting the shares back from a backup.
    Recover,
    /// Trying a password.
    VerifyPassword,
    /// Another password for the backups.
    UpdatePassword,
}

impl WalletClient {
    /// Whether the wallet's backups need a password to be opened: as the properties say, else as
    /// the provider does.
    ///
    /// # Errors
    /// [`Error::StaleWalletProperties`] when neither knows of a backup.
    pub async fn is_password_encrypted(&self, properties: &WalletProperties) -> Result<bool> {
        if let Some(info) = &properties.external_server_key_shares_backup_info {
            return Ok(info.password_encrypted);
        }
        let address = &properties.account_address;
        let found = info_of(&self.key_shares(address).await?);
        found
            .map(|info| info.password_encrypted)
            .ok_or(Error::StaleWalletProperties(NOWHERE))
    }

    /// Whether the backup's password is needed for `operation` by a caller who holds `shares`. With
    /// shares in hand only what opens a backup needs it; without, everything does.
    ///
    /// # Errors
    /// As [`Self::is_password_encrypted`], where it has to be asked.
    pub async fn requires_password_for_operation(
        &self,
        properties: &WalletProperties,
        shares: &[ServerKeyShare],
        operation: WalletOperation,
    ) -> Result<bool> {
        let opens_a_backup = match operation {
            WalletOperation::Recover
            | WalletOperation::VerifyPassword
            | WalletOperation::UpdatePassword => true,
            WalletOperation::Sign
            | WalletOperation::Export
            | WalletOperation::Refresh
            | WalletOperation::Reshare => shares.is_empty(),
        };
        Ok(opens_a_backup && self.is_password_encrypted(properties).await?)
    }
}

const NOWHERE: &str = "neither they nor the provider say where a backup is";

/// How many of a wallet's blobs are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Until there is one share of each party.
    Enough,
    /// All that the provider has of the active generation.
    Every,
}

/// The provider's word on a wallet and on its backups.
pub(super) struct Located {
    pub(super) summary: WalletSummary,
    /// Which blobs to fetch.
    pub(super) ids: Vec<BackupId>,
}

impl Located {
    /// # Errors
    /// [`Error::StaleWalletProperties`] when nobody knows of a backup;
    /// [`Error::ShareOfAnotherWallet`] when the properties are another wallet's.
    pub(super) async fn find(
        client: &WalletClient,
        properties: &WalletProperties,
        extent: Extent,
    ) -> Result<Self> {
        let reply = client.lookup_whole(&properties.account_address).await?;
        let wallet = reply.summary.wallet_id.to_string();
        if !wallet.eq_ignore_ascii_case(&properties.wallet_id) {
            return Err(Error::ShareOfAnotherWallet);
        }
        let kept_here = |one: &KeySharePointer| one.backup_location == BackupLocation::Provider;
        let pointers = reply.key_shares();
        let all: Vec<_> = pointers
            .iter()
            .filter(|one| kept_here(one))
            .map(|one| one.id)
            .collect();
        let stated = stated(properties);
        // Older properties may name blobs that were replaced, or are of an earlier generation.
        let few = extent == Extent::Enough && !stated.is_empty() && is_part(&stated, &all);
        let ids = if all.is_empty() || few { stated } else { all };
        if ids.is_empty() {
            return Err(Error::StaleWalletProperties(NOWHERE));
        }
        Ok(Self {
            summary: reply.summary,
            ids,
        })
    }

    /// What a blob has to be of.
    pub(super) fn wanted(&self, client: &WalletClient) -> Wanted {
        Wanted {
            environment: client.environment().clone(),
            wallet: self.summary.wallet_id,
            generation: self.summary.generation,
            attempt: self.summary.attempt_id,
            parties: PartyIndex::customers(self.summary.threshold_signature_scheme).to_vec(),
        }
    }
}

fn is_part(some: &[BackupId], all: &[BackupId]) -> bool {
    some.iter().all(|id| all.contains(id))
}

/// The blobs the properties name; what is no id of a blob kept here is passed over.
fn stated(properties: &WalletProperties) -> Vec<BackupId> {
    let info = properties.external_server_key_shares_backup_info.iter();
    info.flat_map(|info| info.backups.values().flatten())
        .filter(|one| one.location == BackupLocation::Provider)
        .filter_map(|one| one.key_share_id.parse().ok())
        .collect()
}

/// The same in the form that properties carry; none when there is no backup at all.
pub(crate) fn info_of(pointers: &[KeySharePointer]) -> Option<KeyShareBackupInfo> {
    let mut backups: BTreeMap<String, Vec<BackupLocationInfo>> = BTreeMap::new();
    for one in pointers {
        let name = String::from(one.backup_location.clone());
        let id = one.external_key_share_id.clone();
        backups.entry(name).or_default().push(BackupLocationInfo {
            location: one.backup_location.clone(),
            key_share_id: id.unwrap_or_else(|| one.id.to_string()),
        });
    }
    (!backups.is_empty()).then(|| KeyShareBackupInfo {
        password_encrypted: pointers.iter().any(|one| one.password_encrypted),
        backups,
    })
}

/// What the properties say of blobs that the provider keeps.
pub(super) fn kept_here(ids: &[BackupId], password_encrypted: bool) -> KeyShareBackupInfo {
    let one = |id: &BackupId| BackupLocationInfo {
        location: BackupLocation::Provider,
        key_share_id: id.to_string(),
    };
    let name = String::from(BackupLocation::Provider);
    KeyShareBackupInfo {
        password_encrypted,
        backups: BTreeMap::from([(name, ids.iter().map(one).collect())]),
    }
}
