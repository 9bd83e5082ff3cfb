use serde::{Deserialize, Serialize};

use super::{ActivityRef, CeremonyOpen, ProofState, WalletState};
use crate::proof_message::ProofOperation;
use crate::{
    AttemptId, CustodyOrigin, Generation, ShareSetId, ThresholdSignatureScheme, Variant, WalletId,
};

/// Body of `POST /sdk/{env}/waas/create`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateRequest {
    /// `EVM` or `SVM`; text here so that an unknown chain is a specific error.
    pub chain: String,
    /// The published SDK's keygen ids; unused by our own clients.
    #[serde(default)]
    pub client_keygen_ids: Vec<String>,
    /// Parties and signers.
    #[serde(default)]
    pub threshold_signature_scheme: ThresholdSignatureScheme,
    /// The wallet's path; the chain's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derivation_path: Option<Vec<u32>>,
    /// The chain's address type, where it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_type: Option<String>,
    /// How an Ed25519 key is made.
    #[serde(default)]
    pub variant: Variant,
    /// A key made elsewhere, which is shared instead of drawn; its secret stays with the customer.
    /// Needs the API token and the scope `wallet.import`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<ImportedKey>,
    /// The set of shares this keygen draws, named by the customer.
    pub share_set_id: ShareSetId,
    /// The ceremony's first messages.
    pub ceremony: CeremonyOpen,
}

/// What the provider is told of a key made elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportedKey {
    /// Of the root (SEC1 compressed, or 32 bytes), as hex.
    pub public_key: String,
    /// BIP-32 chain code of the root, as hex; empty for Ed25519.
    #[serde(default)]
    pub chain_code: String,
}

/// A wallet as the last keygen reply describes it: pending until its attempt is committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreatedWallet {
    /// The provider's id of the wallet.
    pub wallet_id: WalletId,
    /// The attempt to prove and commit.
    pub attempt_id: AttemptId,
    /// The generation that is pending.
    pub generation: Generation,
    /// What the key's history allows anyone to claim.
    pub custody_origin: CustodyOrigin,
    /// The provider's restore epoch: an attempt that is `unknown` in a later one was forgotten by a
    /// restore (custody rule 6). Absent in replies of older providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_epoch: Option<u64>,
}

/// Where an attempt stands (custody rule 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// The provider holds its half and waits for the commit.
    Staged,
    /// Committed: the generation is the active one.
    Committed,
    /// Committed and the other half has said so too.
    Finalised,
    /// Ended for good by a tombstone that beats any later commit.
    Aborted,
    /// The provider has never heard of it (or was restored from before it).
    Unknown,
}

/// Reply of `GET …/attempts/{attempt}`, signed by the provider's identity key so that `aborted` and
/// `unknown` can be relied on (custody rules 6 and 17).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptReply {
    /// The attempt asked about.
    pub attempt_id: AttemptId,
    /// The wallet it belongs to, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wallet_id: Option<WalletId>,
    /// Where it stands.
    pub state: AttemptState,
    /// The provider's restore epoch: raised each time a restored database was accepted.
    pub restore_epoch: u64,
    /// Ed25519 signature by the provider's identity key over
    /// [`AttemptReply::signed_bytes`], as hex.
    pub signature: String,
}

impl AttemptReply {
    /// The bytes the provider signs: domain, environment, attempt, state, restore epoch.
    pub fn signed_bytes(
        environment: &crate::EnvironmentId,
        attempt: AttemptId,
        state: AttemptState,
        restore_epoch: u64,
    ) -> Vec<u8> {
        let state: u8 = match state {
            AttemptState::Staged => 0,
            AttemptState::Committed => 1,
            AttemptState::Finalised => 2,
            AttemptState::Aborted => 3,
            AttemptState::Unknown => 4,
        };
        let env = environment.as_str().as_bytes();
        let mut bytes = b"halfkey-attempt-v1".to_vec();
        // An environment id is at most 64 bytes by its type.
        bytes.push(u8::try_from(env.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(env);
        bytes.extend_from_slice(attempt.as_bytes());
        bytes.push(state);
        bytes.extend_from_slice(&restore_epoch.to_be_bytes());
        bytes
    }
}

/// Body of `POST …/{walletId}/attempts/{attempt}/prove`: opens the proof ceremony of custody
/// rule 7. The provider builds the message itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProveRequest {
    /// What is being proven.
    pub operation: ProofOperation,
    /// The ceremony's first messages; `from` names the customer party whose share is proven.
    pub ceremony: CeremonyOpen,
}

/// Body of `POST …/{walletId}/attempts/{attempt}/commit`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommitRequest {
    /// `true` activates without a proof, as `unproven` (custody rule 8). Only create may.
    #[serde(default)]
    pub unproven: bool,
    /// [`EscrowFile::digest`](super::EscrowFile::digest) of the escrow that the customer has
    /// stored, as hex: the acknowledgement without which a `TWO_OF_TWO` generation is not committed
    /// where the environment has an escrow key (custody rule 30).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escrow: Option<String>,
}

/// Reply of a commit; a repeat of a commit gets the same reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommitReply {
    /// The wallet's state after the commit.
    pub state: WalletState,
    /// Whether its shares were seen again.
    pub proof: ProofState,
    /// The address, in its chain's display form.
    pub account_address: String,
    /// What the key's history allows anyone to claim (custody rule 2); absent in replies of older
    /// providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custody_origin: Option<CustodyOrigin>,
    /// The generation that is active now; absent in replies of older providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// The attempt after the commit, signed; absent in replies of older providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<AttemptReply>,
    /// The activity entry.
    pub activity: ActivityRef,
}

/// Reply of `POST …/attempts/{attempt}/abort`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AbortReply {
    /// The attempt after the call, signed.
    pub attempt: AttemptReply,
    /// The activity entry.
    pub activity: ActivityRef,
}
