use serde::{Deserialize, Serialize};

use crate::EnvironmentId;

/// Reply of `GET /environments/{env}/identity`. A client compares the key with the fingerprint it
/// was configured with; it never trusts what this route says by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityReply {
    /// The provider's Ed25519 identity key of this environment, 64 hex digits.
    pub public_key: String,
    /// The provider's restore epoch.
    pub restore_epoch: u64,
    /// How far back the provider's half can be restored, in milliseconds: the age of its oldest
    /// copy. The customer keeps earlier generations for so long (custody rule 9). Absent in replies
    /// of older providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_horizon_ms: Option<u64>,
    /// Ed25519 signature by the identity key over [`IdentityReply::signed_bytes`], as hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

impl IdentityReply {
    /// The bytes the provider signs: domain, then environment, restore epoch and horizon, each
    /// behind its length as a big-endian `u16`.
    pub fn signed_bytes(
        environment: &EnvironmentId,
        restore_epoch: u64,
        backup_horizon_ms: u64,
    ) -> Vec<u8> {
        let fields: [&[u8]; 3] = [
            environment.as_str().as_bytes(),
            &restore_epoch.to_be_bytes(),
            &backup_horizon_ms.to_be_bytes(),
        ];
        super::length_prefixed(b"halfkey-horizon-v1", &fields)
    }
}
