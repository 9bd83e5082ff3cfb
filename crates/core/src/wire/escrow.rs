use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{ActivityRef, ExportRecipient};
use crate::{AttemptId, ChainName, EnvironmentId, Generation, WalletId};

/// The format of [`EscrowFile`].
pub const ESCROW_FORMAT: &str = "halfkey-escrow-v1";

/// The provider's share of one generation of a `TWO_OF_TWO` wallet, sealed to the customer's escrow
/// key (custody rule 30). Nothing in it is secret from anybody but by its encryption; its label
/// stands inside the encryption as well, and the provider's identity has signed the whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EscrowFile {
    /// [`ESCROW_FORMAT`].
    pub format: String,
    /// The environment.
    pub environment: EnvironmentId,
    /// The chain.
    pub chain_name: ChainName,
    /// The wallet's address, in its chain's display form.
    pub account_address: String,
    /// The wallet.
    pub wallet_id: WalletId,
    /// The generation of the share.
    pub generation: Generation,
    /// The attempt that made it.
    pub attempt_id: AttemptId,
    /// The public share that goes with the secret one, as hex.
    pub verifying_share: String,
    /// The key it is encrypted to: `age1…`.
    pub recipient: String,
    /// The armored age file.
    pub sealed: String,
    /// Ed25519 signature by the provider's identity over [`Self::signed_bytes`], as hex.
    pub signature: String,
}

impl EscrowFile {
    /// The bytes the provider signs: the format, and each field but the signature as a big-endian
    /// `u32` length and the field's text.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = ESCROW_FORMAT.as_bytes().to_vec();
        for field in [
            self.environment.as_str(),
            self.chain_name.as_str(),
            &self.account_address,
            &self.wallet_id.to_string(),
            &self.generation.to_string(),
            &self.attempt_id.to_string(),
            &self.verifying_share,
            &self.recipient,
            &self.sealed,
        ] {
            let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
            bytes.extend(length.to_be_bytes());
            bytes.extend(field.as_bytes());
        }
        bytes
    }

    /// What a commit acknowledges: SHA-256 of [`Self::signed_bytes`].
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.signed_bytes()).into()
    }
}

/// Reply of `POST …/{walletId}/attempts/{attempt}/escrow`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EscrowReply {
    /// The provider's share, sealed.
    pub escrow: EscrowFile,
    /// The activity entry; absent where it was sealed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<ActivityRef>,
}

/// Reply of `GET /environments/{env}/waas/escrowKeys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EscrowKeysReply {
    /// The registered keys, oldest first.
    pub keys: Vec<ExportRecipient>,
    /// The one that shares are sealed to now: the newest whose delay is over. Without one nothing
    /// is sealed, and commits go without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::os_rng;

    #[test]
    fn every_field_is_signed() {
        let file = EscrowFile {
            format: ESCROW_FORMAT.to_owned(),
            environment: "env".parse().unwrap(),
            chain_name: ChainName::Evm,
            account_address: "0xab".to_owned(),
            wallet_id: WalletId::generate(&mut os_rng()),
            generation: Generation(1),
            attempt_id: AttemptId::generate(&mut os_rng()),
            verifying_share: "02".to_owned(),
            recipient: "age1".to_owned(),
            sealed: "sealed".to_owned(),
            signature: String::new(),
        };
        let json = serde_json::to_value(&file).unwrap();
        let id = AttemptId::generate(&mut os_rng()).to_string();
        let mut seen = vec![file.digest()];
        for (field, value) in [
            ("environment", "other".into()),
            ("chainName", "SVM".into()),
            ("accountAddress", "0xabc".into()),
            ("walletId", id.clone().into()),
            ("generation", 2.into()),
            ("attemptId", id.into()),
            ("verifyingShare", "03".into()),
            ("recipient", "age2".into()),
            ("sealed", "changed".into()),
        ] {
            let mut other = json.clone();
            *other.get_mut(field).unwrap() = value;
            let other: EscrowFile = serde_json::from_value(other).unwrap();
            assert!(!seen.contains(&other.digest()), "{field}");
            seen.push(other.digest());
        }
        // Lengths keep one field's end out of the next.
        let mut moved = file.clone();
        moved.account_address.push_str("02");
        moved.verifying_share.clear();
        assert_ne!(moved.digest(), file.digest());
    }
}
