use serde::{Deserialize, Serialize};

use super::{ActivityRef, ShareProofBody};
use crate::{AttemptId, EnvironmentId, Generation, WalletId};

/// Body of `POST /sdk/{env}/waas/{walletId}/generations/recover`: the wallet falls back to an
/// earlier generation of its shares, because one half was restored from an older copy (custody rule
/// 11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FallBackRequest {
    /// The generation to fall back to.
    pub generation: Generation,
    /// The attempt that made it.
    pub attempt_id: AttemptId,
    /// The restore epoch in which the customer last moved the wallet forward: the provider must be
    /// in a later one, or its operator must have let the wallet fall back.
    pub known_epoch: u64,
    /// Names this recovery; the start proof named it.
    pub recovery_id: AttemptId,
    /// For keys with OT state; others have proven the share by a signature under that generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_proof: Option<ShareProofBody>,
}

/// Reply of `POST …/generations/recover`: the provider's word that the wallet has fallen back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FallBackReply {
    /// What the wallet stands at, signed.
    pub restore: RestoreEpoch,
    /// The activity entry.
    pub activity: ActivityRef,
}

/// What a wallet stands at since a restore epoch, signed by the provider's identity key (custody
/// rules 11 and 17).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreEpoch {
    /// The wallet.
    pub wallet_id: WalletId,
    /// The generation that is active.
    pub generation: Generation,
    /// The attempt that made it.
    pub attempt_id: AttemptId,
    /// The highest number a generation of the wallet ever had, as far as the provider knows.
    pub high_water: Generation,
    /// The number of the restore epoch. Only ever raised.
    pub restore_epoch: u64,
    /// Ed25519 signature over [`RestoreEpoch::signed_bytes`], as hex.
    pub signature: String,
}

impl RestoreEpoch {
    /// The bytes the provider signs: domain, then environment, wallet, generation, attempt,
    /// high-water mark and epoch, each behind its length as a big-endian `u16`.
    pub fn signed_bytes(&self, environment: &EnvironmentId) -> Vec<u8> {
        let fields: [&[u8]; 6] = [
            environment.as_str().as_bytes(),
            self.wallet_id.as_bytes(),
            &self.generation.0.to_be_bytes(),
            self.attempt_id.as_bytes(),
            &self.high_water.0.to_be_bytes(),
            &self.restore_epoch.to_be_bytes(),
        ];
        super::length_prefixed(b"halfkey-restore-epoch-v1", &fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_changes_what_is_signed() {
        let environment: EnvironmentId = "env".parse().unwrap();
        let base = RestoreEpoch {
            wallet_id: WalletId::from_bytes([1; 16]),
            generation: Generation(2),
            attempt_id: AttemptId::from_bytes([3; 16]),
            high_water: Generation(4),
            restore_epoch: 5,
            signature: String::new(),
        };
        let others = [
            RestoreEpoch {
                wallet_id: WalletId::from_bytes([9; 16]),
                ..base.clone()
            },
            RestoreEpoch {
                generation: Generation(9),
                ..base.clone()
            },
            RestoreEpoch {
                attempt_id: AttemptId::from_bytes([9; 16]),
                ..base.clone()
            },
            RestoreEpoch {
                high_water: Generation(9),
                ..base.clone()
            },
            RestoreEpoch {
                restore_epoch: 9,
                ..base.clone()
            },
        ];
        let signed = base.signed_bytes(&environment);
        for other in others {
            assert_ne!(other.signed_bytes(&environment), signed);
        }
        assert_ne!(base.signed_bytes(&"other".parse().unwrap()), signed);
    }
}
