//! The Node SDK's camelCase form of [`WalletProperties`].
//!
//! Node's `derivationPath` is a string that holds JSON, either an object keyed by depth
//! (`{"0":44,"1":60}`) or an array; its backup entries call the id `externalKeyShareId` or
//! `keyShareId`, sometimes both.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::WalletProperties;
use crate::{
    BackupLocation, BackupLocationInfo, KeyShareBackupInfo, ParseError, ThresholdSignatureScheme,
};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeProperties {
    chain_name: String,
    wallet_id: String,
    account_address: String,
    #[serde(default)]
    threshold_signature_scheme: ThresholdSignatureScheme,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    derivation_path: Option<NodePath>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external_server_key_shares_backup_info: Option<NodeBackupInfo>,
}

/// The path as Node writes it (a string holding JSON) or as an older blob may have it (the JSON).
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum NodePath {
    Text(String),
    Indices(PathIndices),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum PathIndices {
    ByDepth(BTreeMap<String, u32>),
    List(Vec<u32>),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeBackupInfo {
    #[serde(default)]
    password_encrypted: bool,
    #[serde(default)]
    backups: BTreeMap<String, Vec<NodeBackup>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeBackup {
    location: BackupLocation,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_share_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external_key_share_id: Option<String>,
}

impl WalletProperties {
    /// Parses a Node SDK wallet metadata blob.
    ///
    /// # Errors
    /// When it is not such a blob, or its derivation path is not a list of indices.
    pub fn from_node_json(json: &str) -> Result<Self, ParseError> {
        let node: NodeProperties = serde_json::from_str(json)
            .map_err(|_| ParseError::new("Node wallet metadata", "camelCase wallet JSON"))?;
        Ok(Self {
            chain_name: node.chain_name,
            wallet_id: node.wallet_id,
            account_address: node.account_address,
            threshold_signature_scheme: node.threshold_signature_scheme,
            derivation_path: node.derivation_path.map(path_from_node).transpose()?,
            address_type: node.address_type,
            external_server_key_shares_backup_info: node
                .external_server_key_shares_backup_info
                .map(backup_from_node),
        })
    }

    /// The blob as the Node SDK writes it.
    ///
    /// # Errors
    /// Never in practice; a serializer error is passed on.
    pub fn to_node_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&NodeProperties {
            chain_name: self.chain_name.clone(),
            wallet_id: self.wallet_id.clone(),
            account_address: self.account_address.clone(),
            threshold_signature_scheme: self.threshold_signature_scheme,
            derivation_path: self
                .derivation_path
                .as_deref()
                .map(|path| node_path(path).map(NodePath::Text))
                .transpose()?,
            address_type: self.address_type.clone(),
            external_server_key_shares_backup_info: self
                .external_server_key_shares_backup_info
                .clone()
                .map(backup_to_node),
        })
    }
}

/// `{"0":44,"1":60}`, the form in which the published system's metadata carries a path.
pub(crate) fn node_path(path: &[u32]) -> Result<String, serde_json::Error> {
    serde_json::to_string(
        &(0_u8..)
            .zip(path.iter().copied())
            .collect::<BTreeMap<_, _>>(),
    )
}

fn path_from_node(path: NodePath) -> Result<Vec<u32>, ParseError> {
    const FORM: ParseError = ParseError::new("derivationPath", "a JSON list or map of indices");
    let indices = match path {
        NodePath::Indices(indices) => indices,
        NodePath::Text(text) => serde_json::from_str(&text).map_err(|_| FORM)?,
    };
    match indices {
        PathIndices::List(list) => Ok(list),
        PathIndices::ByDepth(map) => (0..map.len())
            .map(|depth| map.get(&depth.to_string()).copied().ok_or(FORM))
            .collect(),
    }
}

fn backup_from_node(node: NodeBackupInfo) -> KeyShareBackupInfo {
    let entry = |backup: NodeBackup| BackupLocationInfo {
        location: backup.location,
        key_share_id: backup
            .external_key_share_id
            .or(backup.key_share_id)
            .unwrap_or_default(),
    };
    KeyShareBackupInfo {
        password_encrypted: node.password_encrypted,
        backups: node
            .backups
            .into_iter()
            .map(|(name, list)| (name, list.into_iter().map(entry).collect()))
            .collect(),
    }
}

fn backup_to_node(info: KeyShareBackupInfo) -> NodeBackupInfo {
    let entry = |backup: BackupLocationInfo| NodeBackup {
        location: backup.location,
        key_share_id: None,
        external_key_share_id: Some(backup.key_share_id),
    };
    NodeBackupInfo {
        password_encrypted: info.password_encrypted,
        backups: info
            .backups
            .into_iter()
            .map(|(name, list)| (name, list.into_iter().map(entry).collect()))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = r#"{
        "chainName":"EVM","walletId":"w","accountAddress":"0xAb",
        "thresholdSignatureScheme":"TWO_OF_TWO",
        "derivationPath":"{\"0\":44,\"1\":60,\"2\":0,\"3\":0,\"4\":0}",
        "externalServerKeySharesBackupInfo":{"passwordEncrypted":true,
          "backups":{"dynamic":[{"location":"dynamic","keyShareId":"k","externalKeyShareId":"e"}]}},
        "somethingNewer":{}}"#;

    #[test]
    fn node_blob_round_trips() {
        let properties = WalletProperties::from_node_json(NODE).unwrap();
        assert_eq!(
            properties.derivation_path.as_deref(),
            Some(&[44, 60, 0, 0, 0][..])
        );
        let info = properties
            .external_server_key_shares_backup_info
            .as_ref()
            .unwrap();
        assert_eq!(info.backups["dynamic"][0].key_share_id, "e");
        let again = properties.to_node_json().unwrap();
        assert_eq!(
            WalletProperties::from_node_json(&again).unwrap(),
            properties
        );
        assert!(again.contains(r#""derivationPath":"{\"0\":44"#), "{again}");
    }

    #[test]
    fn node_blob_rejects_a_path_with_a_gap() {
        let gap = NODE.replace(r#"\"1\":60"#, r#"\"9\":60"#);
        assert!(WalletProperties::from_node_json(&gap).is_err());
    }
}
