use serde::{Deserialize, Serialize};

use crate::{
    AttemptId, BackupId, BackupLocation, CustodyOrigin, Generation, ThresholdSignatureScheme,
    Variant, WalletId,
};

/// Where a wallet stands at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WalletState {
    /// Created, not committed: does not sign.
    Pending,
    /// Signs.
    Active,
    /// Proven cheating under this generation: does not sign until a complete refresh.
    Locked,
    /// Its OT state may have been reused (a restored database, lost slots): does not sign until a
    /// complete refresh.
    NeedsCompleteRefresh,
    /// Its only attempt was aborted; there is no key behind it.
    Aborted,
}

/// Whether the customer's shares were ever seen again after keygen (custody rule 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofState {
    /// Activated without a proof.
    Unproven,
    /// A signature was made from shares presented in a later call.
    Proven,
}

/// One wallet, as lookup and list return it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WalletSummary {
    /// The provider's id.
    pub wallet_id: WalletId,
    /// The address, in its chain's display form.
    pub account_address: String,
    /// `EVM` or `SVM`.
    pub chain_name: String,
    /// Registered BIP-32 indices.
    #[serde(default)]
    pub derivation_path: Option<Vec<u32>>,
    /// Parties and signers.
    pub threshold_signature_scheme: ThresholdSignatureScheme,
    /// How an Ed25519 key was made; absent for ECDSA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<Variant>,
    /// The group public key (SEC1 compressed, or 32 bytes), as hex.
    pub public_key: String,
    /// Where it stands.
    pub state: WalletState,
    /// Why it does not sign and what ends that, in words; absent while it signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_reason: Option<String>,
    /// Whether its shares were seen again.
    pub proof: ProofState,
    /// What the key's history allows anyone to claim.
    pub custody_origin: CustodyOrigin,
    /// The active generation.
    pub generation: Generation,
    /// The attempt that made it.
    pub attempt_id: AttemptId,
    /// The lowest number a next generation may have; told by lookups, not by lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_generation: Option<Generation>,
    /// RFC 3339.
    pub created_at: String,
}

/// Where one backup of a share of the active generation is, in the published form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeySharePointer {
    /// The provider's id of the backup.
    pub id: BackupId,
    /// What kind of place it is in.
    pub backup_location: BackupLocation,
    /// Whether a secret of the customer's protects it.
    pub password_encrypted: bool,
    /// The id under which the place knows it; of a backup kept by the provider, its own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_key_share_id: Option<String>,
}

/// Reply of `GET /sdk/{env}/waas/byWalletAddress/{addr}`: the published nested form and, flattened
/// beside it, the form its Rust client reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletReply {
    /// The top-level form.
    #[serde(flatten)]
    pub summary: WalletSummary,
    /// The nested form, whose `derivationPath` is a string holding JSON.
    pub wallet: serde_json::Value,
}

impl WalletReply {
    /// Both forms of `summary`, with the backups of its shares.
    pub fn new(summary: WalletSummary, key_shares: &[KeySharePointer]) -> Self {
        let path = summary.derivation_path.as_deref().unwrap_or_default();
        let wallet = serde_json::json!({
            "walletId": summary.wallet_id,
            "accountAddress": summary.account_address,
            "chainName": summary.chain_name,
            "derivationPath":
                crate::wallet_properties::node_json_path(path),
            "thresholdSignatureScheme": summary.threshold_signature_scheme,
            "keyShares": key_shares,
        });
        Self { summary, wallet }
    }

    /// The backups of the active generation's shares; what this version cannot read is left out.
    pub fn key_shares(&self) -> Vec<KeySharePointer> {
        let listed = self
            .wallet
            .get("keyShares")
            .and_then(|list| list.as_array());
        listed
            .into_iter()
            .flatten()
            .filter_map(|entry| KeySharePointer::deserialize(entry).ok())
            .collect()
    }
}

/// Reply of `GET /environments/{env}/waas/wallets?cursor=&limit=`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListReply {
    /// One page, oldest first.
    pub wallets: Vec<WalletSummary>,
    /// Pass as `cursor` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
