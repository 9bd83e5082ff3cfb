//! Signed checkpoints: where every chain of a log stood, under a key that is not in the log
//! (custody rule 27). With one kept elsewhere, a complete rewrite is found out, and so is every cut
//! before it. `SPEC.md` section 6 has the bytes.

use std::path::Path;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use halfkey_core::{EnvironmentId, SecretBytes, UnixMillis};
use serde::{Deserialize, Serialize};

use super::chain::Standing;
use super::reader::AuditReader;
use super::sqlite::head_of;
use crate::Error;

const DOMAIN: &[u8] = b"halfkey-audit-checkpoint-v1";
const FORMAT: &str = "halfkey-audit-checkpoint-v1";

/// A signed statement of where an audit log stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    format: String,
    /// The environment.
    pub environment: EnvironmentId,
    /// When.
    pub at: UnixMillis,
    /// Ascending by chain.
    chains: Vec<SignedStanding>,
    /// The signing key, 64 hex digits. Compare it with the one that was noted when it was made.
    pub public_key: String,
    signature: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignedStanding {
    chain: String,
    entries: u64,
    head: String,
}

/// The key that signs checkpoints and reports.
pub struct SigningKey(Ed25519KeyPair);

impl core::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public()).finish()
    }
}

impl SigningKey {
    /// The key of a 32-byte seed (RFC 8032).
    ///
    /// # Errors
    /// [`Error::Corrupt`] when it is not one.
    pub fn from_seed(seed: &SecretBytes) -> Result<Self, Error> {
        Ed25519KeyPair::from_seed_unchecked(seed.expose())
            .map(Self)
            .map_err(|_| Error::corrupt("the signing key", "it is no Ed25519 seed"))
    }

    /// The public key, 64 hex digits.
    pub fn public(&self) -> String {
        hex::encode(self.0.public_key().as_ref())
    }

    /// Signs `message` under `domain`, so that no signature serves for two purposes; 128 hex
    /// digits.
    pub fn sign(&self, domain: &[u8], message: &[u8]) -> String {
        hex::encode(self.0.sign(&framed(domain, message)).as_ref())
    }
}

/// Whether `signature` (hex) is by `public_key` (hex) over `message` under `domain`.
pub fn is_signed(public_key: &str, domain: &[u8], message: &[u8], signature: &str) -> bool {
    let (Ok(key), Ok(signature)) = (hex::decode(public_key), hex::decode(signature)) else {
        return false;
    };
    UnparsedPublicKey::new(&ED25519, key)
        .verify(&framed(domain, message), &signature)
        .is_ok()
}

fn framed(domain: &[u8], message: &[u8]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(domain.len().saturating_add(message.len()));
    field(&mut framed, domain);
    framed.extend_from_slice(message);
    framed
}

fn field(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend_from_slice(&count(bytes.len()));
    to.extend_from_slice(bytes);
}

fn count(number: usize) -> [u8; 8] {
    u64::try_from(number).unwrap_or(u64::MAX).to_be_bytes()
}

fn message(environment: &EnvironmentId, at: UnixMillis, standings: &[Standing]) -> Vec<u8> {
    let mut message = Vec::new();
    field(&mut message, environment.as_str().as_bytes());
    message.extend_from_slice(&at.0.to_be_bytes());
    message.extend_from_slice(&count(standings.len()));
    for standing in standings {
        message.extend_from_slice(&standing.chain);
        message.extend_from_slice(&standing.entries.to_be_bytes());
        message.extend_from_slice(&standing.head);
    }
    message
}

impl Checkpoint {
    /// Signs where the log in `path` stands now.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn sign(
        path: &Path,
        environment: &EnvironmentId,
        at: UnixMillis,
        key: &SigningKey,
    ) -> Result<Self, Error> {
        Self::sign_all(&[path], environment, at, key).await
    }

    /// The same for several logs: their chains stand in one checkpoint.
    ///
    /// # Errors
    /// As [`Self::sign`].
    pub async fn sign_all(
        paths: &[&Path],
        environment: &EnvironmentId,
        at: UnixMillis,
        key: &SigningKey,
    ) -> Result<Self, Error> {
        let mut standings = Vec::new();
        for path in paths {
            let reader = AuditReader::open(path).await?;
            let found = reader.standings().await;
            reader.close().await;
            standings.extend(found?);
        }
        standings.sort_unstable_by_key(|standing| standing.chain);
        let signature = key.sign(DOMAIN, &message(environment, at, &standings));
        let chains = standings.iter().map(|standing| SignedStanding {
            chain: hex::encode(standing.chain),
            entries: standing.entries,
            head: hex::encode(standing.head),
        });
        Ok(Self {
            format: FORMAT.to_owned(),
            environment: environment.clone(),
            at,
            chains: chains.collect(),
            public_key: key.public(),
            signature,
        })
    }

    /// What does not agree between this checkpoint and the log in `path`; empty when the log goes
    /// at least this far, unchanged. The caller decides whether `public_key` is the right one.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn compare(&self, path: &Path) -> Result<Vec<&'static str>, Error> {
        self.compare_all(&[path]).await
    }

    /// The same for several logs together, as [`Self::sign_all`] takes them.
    ///
    /// # Errors
    /// As [`Self::compare`].
    pub async fn compare_all(&self, paths: &[&Path]) -> Result<Vec<&'static str>, Error> {
        let Some(standings) = self.standings() else {
            return Ok(vec!["the checkpoint is no checkpoint of this version"]);
        };
        let message = message(&self.environment, self.at, &standings);
        if !is_signed(&self.public_key, DOMAIN, &message, &self.signature) {
            return Ok(vec!["the checkpoint's signature does not verify"]);
        }
        let mut left = standings;
        let mut problems = Vec::new();
        for path in paths {
            let reader = AuditReader::open(path).await?;
            let found = compare(&reader, &mut left).await;
            reader.close().await;
            problems.extend(found?);
        }
        problems.extend(
            left.iter()
                .map(|_| "a chain that the checkpoint names is gone"),
        );
        Ok(problems)
    }

    fn standings(&self) -> Option<Vec<Standing>> {
        if self.format != FORMAT {
            return None;
        }
        let standing = |head: &SignedStanding| {
            Some(Standing {
                chain: hex::decode(&head.chain).ok()?.try_into().ok()?,
                entries: head.entries,
                head: hex::decode(&head.head).ok()?.try_into().ok()?,
            })
        };
        self.chains.iter().map(standing).collect()
    }
}

/// Takes out of `signed` what this log has.
async fn compare(
    reader: &AuditReader,
    signed: &mut Vec<Standing>,
) -> Result<Vec<&'static str>, Error> {
    let now = reader.standings().await?;
    let is_here = |one: &mut Standing| now.iter().any(|now| now.chain == one.chain);
    let mut problems = Vec::new();
    for standing in signed.extract_if(.., is_here).collect::<Vec<_>>() {
        let Some(found) = now.iter().find(|now| now.chain == standing.chain) else {
            continue;
        };
        let head = match standing.entries.checked_sub(1) {
            Some(last) => head_of(reader.pool(), &standing.chain, last).await?,
            // It had no entry: what it began from stands in its own hash.
            None if found.entries == 0 => Some(found.head),
            None => continue,
        };
        if head != Some(standing.head) {
            problems.push("a chain was cut or rewritten before the checkpoint");
        }
    }
    Ok(problems)
}
