use serde::{Deserialize, Serialize};

use super::{CeremonyOpen, ShareProofBody};
use crate::AttemptId;

/// Body of `POST /sdk/{env}/waas/{walletId}/export`: takes the provider's part of the key to the
/// customer, in one round trip.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportRequest {
    /// The export, drawn by the customer; the start proof named it.
    pub export_id: AttemptId,
    /// Only where the active generation is locked; elsewhere the start is proven by a signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_proof: Option<ShareProofBody>,
    /// Who alone shall be able to put the key together: an age X25519 key (`age1…`) on the
    /// environment's list. The ceremony is bound to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// The ceremony's first message, under the active generation.
    pub ceremony: CeremonyOpen,
}
