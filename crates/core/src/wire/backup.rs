use serde::{Deserialize, Serialize};

use super::ActivityRef;
use crate::{BackupId, BackupLocation, Generation, WalletId};

/// Body of `POST /sdk/{env}/waas/{walletId}/keyShares/backup`: shares the customer has encrypted,
/// one per customer party. The provider cannot open them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreBackupRequest {
    /// The encrypted shares, each the base64 text the SDKs write.
    pub encrypted_account_credentials: Vec<String>,
    /// Whether a secret of the customer's protects them; `false` is refused (custody rule 29).
    #[serde(default)]
    pub password_encrypted: bool,
    /// The blobs' version; absent means `v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_version: Option<String>,
    /// The generation the shares belong to; the active one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// Backups that these will take the place of, by [`BackupLocationsRequest::replaces`]: they
    /// stay until then, and are not counted towards how many a generation may have. Needs the scope
    /// `wallet.backup`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<BackupId>,
}

/// Body of `POST …/{walletId}/keyShares/backup/drop`: backups that are wanted no more.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DropBackupsRequest {
    /// Which; one that is not there any more stays so.
    pub key_share_ids: Vec<BackupId>,
}

/// Reply of dropped backups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DropBackupsReply {
    /// How many went.
    pub dropped: u64,
    /// The activity entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<ActivityRef>,
}

/// Reply of a stored backup. Storing the same bytes again gives the same ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreBackupReply {
    /// The backups' ids, in the order they were sent.
    pub key_share_ids: Vec<BackupId>,
    /// The activity entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<ActivityRef>,
}

/// Body of `POST …/{walletId}/keyShares/recover`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoverRequest {
    /// Which backups; empty means every one of the active generation.
    #[serde(default)]
    pub key_share_ids: Vec<BackupId>,
}

/// One backup as it is given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveredShare {
    /// Its id.
    pub id: BackupId,
    /// Where it was kept.
    pub backup_location: BackupLocation,
    /// Whether a secret of the customer's protects it.
    pub password_encrypted: bool,
    /// The encrypted share, as it was stored.
    pub encrypted_account_credential: String,
    /// The generation it belongs to.
    pub generation: Generation,
}

/// Reply of a recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoverReply {
    /// The backups.
    pub key_shares: Vec<RecoveredShare>,
    /// The activity entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<ActivityRef>,
}

/// Where one backup of a share is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupPlace {
    /// What kind of place.
    pub location: BackupLocation,
    /// The id under which that place knows it, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_key_share_id: Option<String>,
    /// Whether a secret of the customer's protects it.
    #[serde(default)]
    pub password_encrypted: bool,
}

/// Body of `POST …/{walletId}/keyShares/backup/locations`: where the customer keeps backups.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupLocationsRequest {
    /// The places.
    pub locations: Vec<BackupPlace>,
    /// Backups kept by the provider that those at `locations` take the place of: it drops them
    /// once the new ones are there, and only then. Needs the scope `wallet.backup`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<BackupId>,
}

/// One place as the reply names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LocatedBackup {
    /// What kind of place.
    pub location: BackupLocation,
    /// The provider's id of the entry.
    pub key_share_id: BackupId,
    /// The id under which that place knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_key_share_id: Option<String>,
}

/// Reply of registered places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupLocationsReply {
    /// `ok`.
    pub message: String,
    /// The wallet.
    pub wallet_id: WalletId,
    /// Whether it signs.
    pub wallet_active: bool,
    /// The places.
    pub locations_with_key_shares: Vec<LocatedBackup>,
}
