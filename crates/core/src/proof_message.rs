//! The message a commit proof signs (custody rule 7).

use crate::{AttemptId, EnvironmentId, Generation, WalletId};

/// First byte and domain of every proof message. 0xFF starts no EIP-191, EIP-712, RLP or EIP-2718
/// payload and no Solana message, so no other operation can be mistaken for a proof.
pub const PROOF_PREFIX: &[u8] = b"\xFFhalfkey-proof-v1";

/// What a proof is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProofOperation {
    /// Commits a new wallet.
    Create,
    /// Shows after the fact that an `unproven` wallet's shares were stored.
    Prove,
    /// Starts a refresh: made under the active generation, naming the attempt to come.
    Refresh,
    /// Starts a reshare to another scheme; as [`ProofOperation::Refresh`].
    Reshare,
    /// Starts the replacement of a lost customer share; as [`ProofOperation::Refresh`].
    ReplaceShare,
    /// Starts an export of the key; as [`ProofOperation::Refresh`].
    Export,
    /// Starts a delegation: names its id as the attempt; as [`ProofOperation::Refresh`].
    Delegate,
    /// Falls back to an earlier generation: made under that one; as [`ProofOperation::Refresh`].
    Recover,
    /// Commits the generation that a refresh, reshare or replacement staged: made under it.
    Change,
}

impl ProofOperation {
    /// Every operation.
    pub const ALL: [Self; 9] = [
        Self::Create,
        Self::Prove,
        Self::Refresh,
        Self::Reshare,
        Self::ReplaceShare,
        Self::Export,
        Self::Delegate,
        Self::Recover,
        Self::Change,
    ];

    /// Whether it starts something: made under the active generation, naming an attempt to come.
    pub const fn is_start(self) -> bool {
        matches!(
            self,
            Self::Refresh
                | Self::Reshare
                | Self::ReplaceShare
                | Self::Export
                | Self::Delegate
                | Self::Recover
        )
    }

    /// The name inside the signed message.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Prove => "prove",
            Self::Refresh => "refresh",
            Self::Reshare => "reshare",
            Self::ReplaceShare => "replace_share",
            Self::Export => "export",
            Self::Delegate => "delegate",
            Self::Recover => "recover",
            Self::Change => "change",
        }
    }
}

/// `M = 0xFF ‖ "halfkey-proof-v1" ‖` length-prefixed (environment, wallet, generation, attempt,
/// operation); each length is a big-endian `u16`. ECDSA signs SHA-256(M), Ed25519 signs M itself.
pub fn proof_message(
    environment: &EnvironmentId,
    wallet: WalletId,
    generation: Generation,
    attempt: AttemptId,
    operation: ProofOperation,
) -> Vec<u8> {
    let fields: [&[u8]; 5] = [
        environment.as_str().as_bytes(),
        wallet.as_bytes(),
        &generation.0.to_be_bytes(),
        attempt.as_bytes(),
        operation.as_str().as_bytes(),
    ];
    let mut message = PROOF_PREFIX.to_vec();
    for field in fields {
        // Every field is at most 64 bytes by its type.
        let length = u16::try_from(field.len()).unwrap_or(u16::MAX);
        message.extend_from_slice(&length.to_be_bytes());
        message.extend_from_slice(field);
    }
    message
}

/// Whether `payload` belongs to the proof domain, which only the proof operation may sign.
pub fn is_proof_message(payload: &[u8]) -> bool {
    payload.starts_with(PROOF_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_changes_the_message() {
        let env: EnvironmentId = "e".parse().unwrap();
        let wallet = WalletId::from_bytes([1; 16]);
        let attempt = AttemptId::from_bytes([2; 16]);
        let base = proof_message(&env, wallet, Generation(0), attempt, ProofOperation::Create);
        assert!(is_proof_message(&base));
        let other: EnvironmentId = "f".parse().unwrap();
        let variants = [
            proof_message(
                &other,
                wallet,
                Generation(0),
                attempt,
                ProofOperation::Create,
            ),
            proof_message(&env, wallet, Generation(1), attempt, ProofOperation::Create),
            proof_message(&env, wallet, Generation(0), attempt, ProofOperation::Prove),
        ];
        assert!(variants.iter().all(|variant| *variant != base));
    }
}
