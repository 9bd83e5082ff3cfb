use serde::{Deserialize, Serialize};

use super::{Blob, CeremonyOpen};
use crate::proof_message::ProofOperation;
use crate::{AttemptId, Generation, PartyIndex, ShareSetId, ThresholdSignatureScheme};

/// How a wallet's shares change. The key and the address never do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChangeOperation {
    /// New shares for the same parties.
    Refresh,
    /// New shares for another scheme's parties.
    Reshare,
    /// New shares for the same parties, one of which lost its own.
    ReplaceShare,
}

impl ChangeOperation {
    /// The name in the API, in proofs and in stored rows.
    pub const fn as_str(self) -> &'static str {
        self.start_proof().as_str()
    }

    /// The proof under the active generation that starts it (custody rule 7).
    pub const fn start_proof(self) -> ProofOperation {
        match self {
            Self::Refresh => ProofOperation::Refresh,
            Self::Reshare => ProofOperation::Reshare,
            Self::ReplaceShare => ProofOperation::ReplaceShare,
        }
    }
}

/// How a locked generation, under which no OT ceremony runs, starts its change: a proof of
/// knowledge of one customer share (custody rule 7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShareProofBody {
    /// Whose share.
    pub party: PartyIndex,
    /// The proof's encoding.
    pub proof: Blob,
}

/// Body of `POST /sdk/{env}/waas/{walletId}/refresh` and `…/reshare`. `ceremony` names the active
/// generation and its attempt; the rest says what shall follow it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeRequest {
    /// What is wanted.
    pub operation: ChangeOperation,
    /// Parties and signers of the new generation.
    pub new_threshold_signature_scheme: ThresholdSignatureScheme,
    /// Whose share is lost; for a replacement only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<PartyIndex>,
    /// The new generation: above every number the wallet ever used.
    pub new_generation: Generation,
    /// The attempt that makes it, drawn by the customer; the start proof named it.
    pub new_attempt_id: AttemptId,
    /// The set the new shares belong to: the same for a refresh, a new one otherwise.
    pub share_set_id: ShareSetId,
    /// Old shares may be in the wrong hands: after the commit every earlier generation is shredded
    /// instead of kept (custody rule 10).
    #[serde(default)]
    pub compromised: bool,
    /// How far back the customer's half can be restored, in milliseconds: the age of its oldest
    /// copy. The provider keeps the generation that ends for so long, or for ever where it is not
    /// told (custody rule 9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_horizon_ms: Option<u64>,
    /// Only where the active generation is locked; elsewhere the start is proven by a signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_proof: Option<ShareProofBody>,
    /// The ceremony's first messages.
    pub ceremony: CeremonyOpen,
}
