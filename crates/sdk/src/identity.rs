//! The provider's identity: what was configured, and what it has to have signed.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use ed25519_dalek::{Signature, VerifyingKey};
#[cfg(feature = "vault")]
use halfkey_core::wire::RestoreEpoch;
use halfkey_core::wire::{AttemptReply, IdentityReply};
use halfkey_core::{AttemptId, EnvironmentId, ParseError};
use sha2::{Digest as _, Sha256};

use crate::{Error, Result};

/// The provider as configured: its key, or the fingerprint of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderIdentity {
    /// The Ed25519 key itself.
    Key(VerifyingKey),
    /// SHA-256 of the 32 key bytes.
    Fingerprint([u8; 32]),
}

const FORM: ParseError = ParseError::new(
    "provider identity",
    "64 hex digits, or sha256: and 64 hex digits",
);

impl FromStr for ProviderIdentity {
    type Err = ParseError;

    fn from_str(text: &str) -> core::result::Result<Self, ParseError> {
        let text = text.trim();
        let (is_fingerprint, digits) = match text.split_once(':') {
            Some((scheme, digits)) if scheme.eq_ignore_ascii_case("sha256") => (true, digits),
            Some(_) => return Err(FORM),
            None => (false, text),
        };
        let mut bytes = [0_u8; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| FORM)?;
        if is_fingerprint {
            return Ok(Self::Fingerprint(bytes));
        }
        VerifyingKey::from_bytes(&bytes)
            .map(Self::Key)
            .map_err(|_| FORM)
    }
}

impl fmt::Display for ProviderIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.write_str(&hex::encode(key.as_bytes())),
            Self::Fingerprint(hash) => write!(f, "sha256:{}", hex::encode(hash)),
        }
    }
}

impl ProviderIdentity {
    /// Whether `key` is the one meant.
    pub fn is(&self, key: &VerifyingKey) -> bool {
        match self {
            Self::Key(expected) => expected == key,
            Self::Fingerprint(hash) => <[u8; 32]>::from(Sha256::digest(key.as_bytes())) == *hash,
        }
    }
}

/// A key's fingerprint as the provider prints it.
pub fn fingerprint(key: &VerifyingKey) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(key.as_bytes())))
}

/// The key of an identity reply.
pub(crate) fn reply_key(reply: &IdentityReply) -> Result<VerifyingKey> {
    let mut bytes = [0_u8; 32];
    hex::decode_to_slice(&reply.public_key, &mut bytes)
        .map_err(|_| Error::Protocol("identity key is not 64 hex digits"))?;
    VerifyingKey::from_bytes(&bytes).map_err(|_| Error::Protocol("identity key is no Ed25519 key"))
}

/// How far back the provider can be restored, as its identity has signed it; nothing where it does
/// not say.
pub(crate) fn verify_horizon(
    reply: &IdentityReply,
    environment: &EnvironmentId,
    identity: &VerifyingKey,
) -> Result<Option<Duration>> {
    let (Some(horizon), Some(signature)) = (reply.backup_horizon_ms, &reply.signature) else {
        return Ok(None);
    };
    let signed = IdentityReply::signed_bytes(environment, reply.restore_epoch, horizon);
    verify_hex(identity, &signed, signature)?;
    Ok(Some(Duration::from_millis(horizon)))
}

/// Checks that a restore epoch is signed by `identity` (custody rules 11 and 17).
#[cfg(feature = "vault")]
pub(crate) fn verify_restore(
    restore: &RestoreEpoch,
    environment: &EnvironmentId,
    identity: &VerifyingKey,
) -> Result<()> {
    verify_hex(
        identity,
        &restore.signed_bytes(environment),
        &restore.signature,
    )
}

fn verify_hex(identity: &VerifyingKey, signed: &[u8], signature: &str) -> Result<()> {
    let mut bytes = [0_u8; 64];
    hex::decode_to_slice(signature, &mut bytes)
        .map_err(|_| Error::Protocol("the provider's signature is not 128 hex digits"))?;
    identity
        .verify_strict(signed, &Signature::from_bytes(&bytes))
        .map_err(|_| Error::ProviderIdentityMismatch)
}

/// Checks that `reply` is about `attempt` and signed by `identity` (custody rules 6 and 17).
pub(crate) fn verify_attempt(
    reply: &AttemptReply,
    attempt: AttemptId,
    environment: &EnvironmentId,
    identity: &VerifyingKey,
) -> Result<()> {
    if reply.attempt_id != attempt {
        return Err(Error::Protocol("answer is about another attempt"));
    }
    let signed = AttemptReply::signed_bytes(environment, attempt, reply.state, reply.restore_epoch);
    verify_hex(identity, &signed, &reply.signature)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};
    use halfkey_core::wire::AttemptState;

    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    #[test]
    fn identity_is_read_as_key_or_as_fingerprint() {
        let verifying = key(1).verifying_key();
        let as_key: ProviderIdentity = hex::encode(verifying.as_bytes()).parse().unwrap();
        let as_print: ProviderIdentity = fingerprint(&verifying).parse().unwrap();
        assert!(as_key.is(&verifying) && as_print.is(&verifying));
        let other = key(2).verifying_key();
        assert!(!as_key.is(&other) && !as_print.is(&other));
        assert_eq!(as_print.to_string(), fingerprint(&verifying));
    }

    #[test]
    fn identity_rejects_other_forms() {
        for text in [
            "",
            "00",
            "md5:00",
            &"z".repeat(64),
            &format!("sha256:{}", "0".repeat(63)),
        ] {
            assert!(text.parse::<ProviderIdentity>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn attempt_reply_rejects_other_states_keys_and_attempts() {
        let environment: EnvironmentId = "env".parse().unwrap();
        let attempt = AttemptId::from_bytes([7; 16]);
        let state = AttemptState::Aborted;
        let signed = AttemptReply::signed_bytes(&environment, attempt, state, 3);
        let good = AttemptReply {
            attempt_id: attempt,
            wallet_id: None,
            state,
            restore_epoch: 3,
            signature: hex::encode(key(1).sign(&signed).to_bytes()),
        };
        let identity = key(1).verifying_key();
        assert!(verify_attempt(&good, attempt, &environment, &identity).is_ok());
        let unknown = AttemptReply {
            state: AttemptState::Unknown,
            ..good.clone()
        };
        assert!(verify_attempt(&unknown, attempt, &environment, &identity).is_err());
        let epoch = AttemptReply {
            restore_epoch: 4,
            ..good.clone()
        };
        assert!(verify_attempt(&epoch, attempt, &environment, &identity).is_err());
        let other = AttemptId::from_bytes([8; 16]);
        assert!(verify_attempt(&good, other, &environment, &identity).is_err());
        let stranger = key(2).verifying_key();
        assert!(verify_attempt(&good, attempt, &environment, &stranger).is_err());
    }
}
