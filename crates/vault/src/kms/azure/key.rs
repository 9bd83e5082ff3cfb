//! What a key is, as the vault tells it.

use azure_core::time::OffsetDateTime;
use azure_security_keyvault_keys::models::{EncryptionAlgorithm, Key, KeyType};
use url::Url;

use super::bound;
use crate::Error;
use crate::net::azure::{ENVIRONMENT_TAG, is_version, object_id};

/// The shortest modulus, in bytes: 2048 bits.
const MIN_MODULUS_LEN: usize = 256;

/// How one version wraps.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// RSA-OAEP with SHA-256, under a key with this modulus, without leading zeros.
    Rsa {
        /// Big-endian.
        modulus: Vec<u8>,
    },
    /// AES key wrap (RFC 3394) under a key of 256 bits.
    Symmetric,
}

impl Shape {
    /// The algorithm to ask for.
    pub(super) const fn algorithm(&self) -> EncryptionAlgorithm {
        match self {
            Self::Rsa { .. } => EncryptionAlgorithm::RsaOaep256,
            Self::Symmetric => EncryptionAlgorithm::A256Kw,
        }
    }

    /// How many random bytes follow the bound key.
    pub(super) const fn filler_len(&self) -> usize {
        match self {
            Self::Rsa { .. } => 0,
            Self::Symmetric => bound::FILLER_LEN,
        }
    }

    /// Whether these bytes can be what this version gave out: the right length, and for RSA a
    /// number below the modulus. An implementation that forgives either would give one wrap several
    /// texts.
    pub(super) fn can_have_made(&self, wrapped: &[u8]) -> bool {
        match self {
            Self::Rsa { modulus } => wrapped.len() == modulus.len() && wrapped < &**modulus,
            Self::Symmetric => wrapped.len() == bound::SYMMETRIC_WRAP_LEN,
        }
    }
}

/// One version of the key.
#[derive(Debug)]
pub(super) struct KeyFacts {
    pub(super) version: String,
    pub(super) shape: Shape,
    /// Seconds since 1970.
    pub(super) created_at: Option<i64>,
    pub(super) enabled: bool,
    /// Its tag.
    pub(super) environment: Option<String>,
    operations: Vec<String>,
}

impl KeyFacts {
    /// Reads the reply to a question about `name` in `vault`; errors name `peer`.
    ///
    /// # Errors
    /// [`Error::Config`] for a type that cannot wrap, [`Error::Backend`] for a reply about
    /// something else.
    pub(super) fn new(vault: &Url, name: &str, peer: &str, key: Key) -> Result<Self, Error> {
        let other = || Error::permanent(format!("{peer}: it answered for another key"));
        let jwk = key.key.ok_or_else(other)?;
        let kid = jwk.kid.as_deref().unwrap_or_default();
        let version = version_of(vault, name, kid).ok_or_else(other)?.to_owned();
        let shape = match jwk.kty {
            Some(KeyType::Rsa | KeyType::RsaHsm) => Shape::Rsa {
                modulus: without_leading_zeros(&jwk.n.unwrap_or_default()),
            },
            Some(KeyType::OctHsm) => Shape::Symmetric,
            _ => {
                return Err(Error::Config(format!(
                    "{peer} is neither RSA nor RSA-HSM nor oct-HSM"
                )));
            }
        };
        let attributes = key.attributes.unwrap_or_default();
        Ok(Self {
            version,
            shape,
            created_at: attributes.created.map(OffsetDateTime::unix_timestamp),
            enabled: attributes.enabled.unwrap_or(true),
            environment: key.tags.and_then(|mut tags| tags.remove(ENVIRONMENT_TAG)),
            operations: jwk.key_ops.unwrap_or_default(),
        })
    }

    /// # Errors
    /// [`Error::KeyDisabled`], or [`Error::Config`] with what it lacks.
    pub(super) fn must_be_able_to_wrap(&self, peer: &str) -> Result<(), Error> {
        if !self.enabled {
            return Err(Error::KeyDisabled(peer.to_owned()));
        }
        for operation in ["wrapKey", "unwrapKey"] {
            if !self.operations.iter().any(|found| found == operation) {
                return Err(Error::Config(format!(
                    "{peer} is not for {operation} (key_ops)"
                )));
            }
        }
        match &self.shape {
            Shape::Rsa { modulus } if modulus.len() < MIN_MODULUS_LEN => {
                Err(Error::Config(format!("{peer} is shorter than 2048 bits")))
            }
            Shape::Rsa { .. } | Shape::Symmetric => Ok(()),
        }
    }
}

/// The version in the id of key `name` of this vault. Key Vault's names ignore case.
pub(super) fn version_of<'a>(vault: &Url, name: &str, kid: &'a str) -> Option<&'a str> {
    let (found, version) = object_id(vault, "keys", kid)?;
    let version = version.filter(|version| is_version(version))?;
    found.eq_ignore_ascii_case(name).then_some(version)
}

fn without_leading_zeros(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .copied()
        .skip_while(|byte| *byte == 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape_rejects_other_lengths_and_numbers_beyond_the_modulus() {
        let rsa = Shape::Rsa {
            modulus: vec![0xC0; 256],
        };
        assert!(rsa.can_have_made(&[0xBF; 256]));
        assert!(rsa.can_have_made(&[0; 256]));
        assert!(!rsa.can_have_made(&[0xC0; 256]));
        assert!(!rsa.can_have_made(&[0xC1; 256]));
        assert!(!rsa.can_have_made(&[1; 255]));
        assert!(!rsa.can_have_made(&[0; 257]));
        assert!(Shape::Symmetric.can_have_made(&[0xFF; 88]));
        assert!(!Shape::Symmetric.can_have_made(&[0xFF; 72]));
    }
}
