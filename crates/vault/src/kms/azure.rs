//! Azure Key Vault and Managed HSM keys.
//!
//! Data keys are made here and wrapped by the vault's `wrapKey`; the KEK never leaves it.
//!
//! # Binding
//!
//! Neither algorithm takes associated data, so what is wrapped is the data key followed by the
//! digest of its [`BindCtx`]; after unwrapping, the digest must be that of the context asked for.
//!
//! | key | algorithm | what is wrapped | its length then |
//! |---|---|---|---|
//! | `RSA`, `RSA-HSM`, from 2048 bits | `RSA-OAEP-256` | data key 32, digest 32 | the modulus's |
//! | `oct-HSM` of 256 bits (Managed HSM) | `A256KW` | data key 32, digest 32, random 16 | 88 |
//!
//! `A256KW` is deterministic; the random bytes make two wraps of one key differ.
//!
//! # Versions
//!
//! A version is the id of the key version that wrapped, as the vault returned it; unwrapping names
//! it. New wraps go to the newest version, whoever made it.
//!
//! # Security
//!
//! The client library puts the data key, in text, into request and reply bodies; it does not wipe
//! them after use.

mod bound;
mod key;
mod manage;
mod remote;
mod wrap;

use core::fmt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use halfkey_core::EnvironmentId;
use serde::Deserialize;

use self::key::Shape;
use self::remote::Remote;
use crate::net::TlsConfig;
use crate::net::azure::{AzureCredential, DEFAULT_DEADLINE_MS, ENVIRONMENT_TAG, Failure};
use crate::{BindCtx, Error};

/// Where the KEK is. Everything but `vault_url`, `key_name` and `credential` has a default.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AzureKekConfig {
    /// `https://{name}.vault.azure.net`, or `https://{name}.managedhsm.azure.net`.
    pub vault_url: String,
    /// The key's name, without a version.
    pub key_name: String,
    /// Who is asking.
    pub credential: AzureCredential,
    /// Where tokens are given out; `https://login.microsoftonline.com` by default.
    #[serde(default)]
    pub authority_url: Option<String>,
    /// TLS 1.3 and the system's CAs by default; for the vault and for the authority.
    #[serde(default)]
    pub tls: TlsConfig,
    /// For each call to the vault, getting a token included, in milliseconds; 10 000 by default.
    #[serde(default = "default_deadline_ms")]
    pub deadline_ms: u64,
    /// Whether `vault_url` may be this machine, which is for tests: the vault is then not asked to
    /// prove by its challenge that it belongs to the domain that tokens are for. `false` by
    /// default.
    #[serde(default)]
    pub allow_loopback: bool,
}

const fn default_deadline_ms() -> u64 {
    DEFAULT_DEADLINE_MS
}

/// A key of Key Vault or Managed HSM as KEK of one environment.
pub struct AzureKek {
    remote: Remote,
    uri: String,
    environment: EnvironmentId,
    /// Of what was newest when this was opened.
    first: Arc<Shape>,
    /// By version; none of it ever changes.
    shapes: Mutex<BTreeMap<String, Arc<Shape>>>,
}

impl fmt::Debug for AzureKek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureKek")
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}

impl AzureKek {
    /// Connects, and checks the newest version of the key: enabled, may wrap and unwrap, long
    /// enough, and tagged `halfkey-environment` for this environment.
    ///
    /// # Errors
    /// [`Error::Config`] for what the configuration or the key lacks, [`Error::Environment`] for
    /// another environment's key, [`Error::KeyDisabled`], and what a failed call is.
    pub async fn open(config: &AzureKekConfig, environment: &EnvironmentId) -> Result<Self, Error> {
        let remote = Remote::connect(config)?;
        let newest = remote.facts(None).await.map_err(|error| match error {
            Error::NotFound(peer) => Error::Config(format!("there is no {peer}")),
            other => other,
        })?;
        newest.must_be_able_to_wrap(remote.calls.peer())?;
        let uri = format!("azure-kv:{}keys/{}", remote.vault, remote.key_name);
        must_be_marked(&uri, newest.environment.as_deref(), environment)?;
        let first = Arc::new(newest.shape);
        let known = (newest.version, Arc::clone(&first));
        Ok(Self {
            remote,
            uri,
            environment: environment.clone(),
            first,
            shapes: Mutex::new(BTreeMap::from([known])),
        })
    }

    /// The KEK's URI: `azure-kv:` and the key's id without a version.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// How a version wraps; asks the vault only the first time.
    async fn shape(&self, version: &str) -> Result<Arc<Shape>, Error> {
        if let Some(shape) = self.shapes().get(version) {
            return Ok(Arc::clone(shape));
        }
        let facts = self.remote.facts(Some(version)).await?;
        let shape = Arc::new(facts.shape);
        self.shapes().insert(facts.version, Arc::clone(&shape));
        Ok(shape)
    }

    fn shapes(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Shape>>> {
        self.shapes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another environment's record is refused before any call.
    fn must_serve(&self, ctx: &BindCtx) -> Result<(), Error> {
        if ctx.environment == self.environment {
            return Ok(());
        }
        Err(Error::Environment {
            what: self.uri.clone(),
            found: self.environment.to_string(),
            expected: ctx.environment.to_string(),
        })
    }

    /// A version that is not there never wrapped anything, unless the whole key is gone: then it
    /// may yet be recovered, and nothing is said against the record.
    async fn no_such_version(&self) -> Error {
        match self.remote.facts(None).await {
            Ok(_) => Error::corrupt(&*self.uri, "it is wrapped by an unknown KEK version"),
            Err(Error::NotFound(_)) => Error::KeyDisabled(self.uri.clone()),
            Err(other) => other,
        }
    }

    /// What a failed call with a named version is.
    async fn with_version(&self, failure: Failure) -> Error {
        match failure.status {
            Some(404) => self.no_such_version().await,
            _ => failure.error,
        }
    }
}

fn must_be_marked(
    uri: &str,
    found: Option<&str>,
    environment: &EnvironmentId,
) -> Result<(), Error> {
    match found {
        Some(found) if found == environment.as_str() => Ok(()),
        Some(found) => Err(Error::Environment {
            what: uri.to_owned(),
            found: found.to_owned(),
            expected: environment.to_string(),
        }),
        None => Err(Error::Config(format!(
            "{uri} has no tag {ENVIRONMENT_TAG}; `az keyvault key set-attributes --tags \
             {ENVIRONMENT_TAG}={environment}` with its --id sets it",
        ))),
    }
}
