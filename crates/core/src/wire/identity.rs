use serde::{Deserialize, Serialize};

/// Reply of `GET /environments/{env}/identity`. A client compares it with the fingerprint it was
/// configured with; it never trusts what this route says by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityReply {
    /// The provider's Ed25519 identity key of this environment, 64 hex digits.
    pub public_key: String,
    /// The provider's restore epoch.
    pub restore_epoch: u64,
}
