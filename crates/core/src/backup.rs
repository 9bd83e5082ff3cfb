//! Pointers to where backups of the customer's shares are kept. Not secret.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A place that holds a backup of a share, by its published name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum BackupLocation {
    /// The provider (published name `dynamic`).
    Provider,
    /// The end user's Google Drive.
    GoogleDrive,
    /// The end user's iCloud.
    ICloud,
    /// The end user.
    User,
    /// Somewhere the customer looks after.
    External,
    /// Handed to a delegate.
    Delegated,
    /// A place this version does not know; kept as it came.
    Other(String),
}

impl From<String> for BackupLocation {
    fn from(name: String) -> Self {
        match name.as_str() {
            "dynamic" => Self::Provider,
            "googleDrive" => Self::GoogleDrive,
            "iCloud" => Self::ICloud,
            "user" => Self::User,
            "external" => Self::External,
            "delegated" => Self::Delegated,
            _ => Self::Other(name),
        }
    }
}

impl From<BackupLocation> for String {
    fn from(location: BackupLocation) -> Self {
        match location {
            BackupLocation::Provider => "dynamic".to_owned(),
            BackupLocation::GoogleDrive => "googleDrive".to_owned(),
            BackupLocation::ICloud => "iCloud".to_owned(),
            BackupLocation::User => "user".to_owned(),
            BackupLocation::External => "external".to_owned(),
            BackupLocation::Delegated => "delegated".to_owned(),
            BackupLocation::Other(name) => name,
        }
    }
}

/// One backup of one share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupLocationInfo {
    /// Where it is.
    pub location: BackupLocation,
    /// The id under which that place knows it.
    pub key_share_id: String,
}

/// Where the backups of a wallet's shares are, keyed by location name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyShareBackupInfo {
    /// Whether the backups need a password to be opened.
    #[serde(default)]
    pub password_encrypted: bool,
    /// The backups by location name.
    #[serde(default)]
    pub backups: BTreeMap<String, Vec<BackupLocationInfo>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_the_published_form_and_keeps_unknown_locations() {
        let json = r#"{"password_encrypted":true,"backups":{"dynamic":[{"location":"dynamic","key_share_id":"a"}],"moon":[{"location":"moon","key_share_id":"b","x":1}]},"y":2}"#;
        let info: KeyShareBackupInfo = serde_json::from_str(json).unwrap();
        assert_eq!(
            info.backups["dynamic"][0].location,
            BackupLocation::Provider
        );
        let again = serde_json::to_string(&info).unwrap();
        assert!(again.contains(r#""location":"moon""#), "{again}");
    }
}
