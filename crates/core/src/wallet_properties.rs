//! Identity and backup pointers of a wallet: the state that belongs in the cache tier.

use serde::{Deserialize, Serialize};

use crate::{KeyShareBackupInfo, ThresholdSignatureScheme};

mod node_json;

/// A path as the published nested form carries it: a string holding JSON.
pub(crate) fn node_json_path(path: &[u32]) -> Option<String> {
    node_json::node_path(path).ok()
}

/// What a caller keeps per wallet and passes to every operation. Not secret.
///
/// The JSON form is `snake_case` with exactly the published names; unknown fields are ignored, so a
/// record written by a newer version still loads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletProperties {
    /// `EVM` or `SVM`.
    pub chain_name: String,
    /// The provider's id of the wallet (a UUID as text).
    pub wallet_id: String,
    /// The address: EIP-55 for EVM, base58 for SVM.
    pub account_address: String,
    /// Parties and signers.
    #[serde(default)]
    pub threshold_signature_scheme: ThresholdSignatureScheme,
    /// BIP-32 non-hardened child indices below the root.
    #[serde(default)]
    pub derivation_path: Option<Vec<u32>>,
    /// The chain's address type, where it has several.
    #[serde(default)]
    pub address_type: Option<String>,
    /// Where backups are, where known.
    #[serde(default)]
    pub external_server_key_shares_backup_info: Option<KeyShareBackupInfo>,
}

impl WalletProperties {
    /// Properties with the identity given and everything optional unset.
    pub fn new(
        chain_name: impl Into<String>,
        wallet_id: impl Into<String>,
        account_address: impl Into<String>,
    ) -> Self {
        Self {
            chain_name: chain_name.into(),
            wallet_id: wallet_id.into(),
            account_address: account_address.into(),
            threshold_signature_scheme: ThresholdSignatureScheme::default(),
            derivation_path: None,
            address_type: None,
            external_server_key_shares_backup_info: None,
        }
    }

    /// The same with this scheme.
    #[must_use]
    pub fn with_threshold(mut self, scheme: ThresholdSignatureScheme) -> Self {
        self.threshold_signature_scheme = scheme;
        self
    }

    /// The same with this derivation path.
    #[must_use]
    pub fn with_derivation_path(mut self, path: Vec<u32>) -> Self {
        self.derivation_path = Some(path);
        self
    }

    /// The same with this address type.
    #[must_use]
    pub fn with_address_type(mut self, address_type: impl Into<String>) -> Self {
        self.address_type = Some(address_type.into());
        self
    }

    /// The same with these backup pointers.
    #[must_use]
    pub fn with_backup_info(mut self, info: KeyShareBackupInfo) -> Self {
        self.external_server_key_shares_backup_info = Some(info);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_the_published_form() {
        let properties = WalletProperties::new("EVM", "w", "0xAb").with_derivation_path(vec![44]);
        let json = serde_json::to_string(&properties).unwrap();
        assert_eq!(
            json,
            concat!(
                r#"{"chain_name":"EVM","wallet_id":"w","account_address":"0xAb","#,
                r#""threshold_signature_scheme":"TWO_OF_TWO","derivation_path":[44],"#,
                r#""address_type":null,"external_server_key_shares_backup_info":null}"#
            )
        );
        let newer = r#"{"chain_name":"EVM","wallet_id":"w","account_address":"a","later":[]}"#;
        assert!(serde_json::from_str::<WalletProperties>(newer).is_ok());
    }
}
