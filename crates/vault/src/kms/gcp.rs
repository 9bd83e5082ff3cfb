//! Google Cloud KMS.
//!
//! A key of purpose `ENCRYPT_DECRYPT` that carries the label [`ENVIRONMENT_LABEL`] wraps data keys;
//! the context's digest is its additional authenticated data, and every byte string that goes to
//! Google or comes back has its CRC-32C checked.
//!
//! Google's ciphertext is opaque and its answer does not tell which version opened it. So a wrap is
//! `tag 16 ‖ ciphertext`, where the tag is derived from the data key itself and covers the KEK's
//! name, the version and the ciphertext: no record can name another version than the one that
//! wrapped it, and no other ciphertext is taken, however Google reads it. Checking it costs no
//! call, and the tag tells nothing about the data key.

mod manage;
mod messages;
mod name;
mod tag;
mod wrap;

use halfkey_core::EnvironmentId;
use serde::Deserialize;

use self::messages::CryptoKey;
use crate::net::TlsConfig;
use crate::net::gcp::{
    DEFAULT_DEADLINE_MS, ENVIRONMENT_LABEL, GcpCredentials, Place, Refusal, RestClient,
    environment_label,
};
use crate::{BindCtx, Error};

/// Its name in errors.
const PEER: &str = "Cloud KMS";

/// How a key in Cloud KMS is reached.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GcpKekConfig {
    /// `projects/…/locations/…/keyRings/…/cryptoKeys/…`, with the project's id.
    pub key: String,
    /// Another endpoint than `https://cloudkms.googleapis.com`: a regional one, Private Service
    /// Connect, a test server.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// TLS.
    #[serde(default)]
    pub tls: TlsConfig,
    /// Who we are; Google's default order unless set.
    #[serde(default)]
    pub credentials: GcpCredentials,
    /// How long one call may take, its token included, in milliseconds; 10 000 unless set.
    #[serde(default = "default_deadline_ms")]
    pub deadline_ms: u64,
}

const fn default_deadline_ms() -> u64 {
    DEFAULT_DEADLINE_MS
}

/// A key-encryption key in Cloud KMS.
pub struct GcpKek {
    client: RestClient,
    key: String,
    uri: String,
    environment: EnvironmentId,
}

impl core::fmt::Debug for GcpKek {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("GcpKek")
            .field("uri", &self.uri)
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

impl GcpKek {
    /// Connects, and checks that the key is one for `environment` and can be used. One call.
    ///
    /// # Errors
    /// [`Error::Config`] when there is no such key, its purpose is another or it has no label;
    /// [`Error::Environment`] when it is labelled for another environment, [`Error::KeyDisabled`]
    /// when its primary version is, [`Error::Denied`], [`Error::Timeout`].
    pub async fn open(config: &GcpKekConfig, environment: &EnvironmentId) -> Result<Self, Error> {
        name::check(&config.key)?;
        let client = RestClient::new(&Place {
            peer: PEER,
            default_endpoint: "https://cloudkms.googleapis.com",
            endpoint: config.endpoint.as_deref(),
            tls: &config.tls,
            credentials: &config.credentials,
            deadline_ms: config.deadline_ms,
        })?;
        let kek = Self {
            client,
            key: config.key.clone(),
            uri: format!("gcp-kms:{}", config.key),
            environment: environment.clone(),
        };
        kek.check(&kek.look_up().await?)?;
        Ok(kek)
    }

    /// The key as Google has it now.
    async fn look_up(&self) -> Result<CryptoKey, Error> {
        let found: CryptoKey = match self.client.get(&self.key, &[]).await {
            Err(Refusal::NotFound) => {
                return Err(Error::Config(format!("there is no key {}", self.key)));
            }
            other => other.map_err(|refusal| refusal.into_error(PEER, "reading the key"))?,
        };
        if found.name == self.key {
            Ok(found)
        } else {
            Err(Error::Config(format!(
                "key {}: Google calls it by another name; give the project's id, not its number",
                self.key
            )))
        }
    }

    fn check(&self, found: &CryptoKey) -> Result<(), Error> {
        let unusable = |why: &str| Err(Error::Config(format!("key {}: {why}", self.key)));
        if found.purpose != "ENCRYPT_DECRYPT" {
            return unusable("its purpose is not ENCRYPT_DECRYPT");
        }
        let expected = environment_label(&self.environment);
        match found.labels.get(ENVIRONMENT_LABEL) {
            Some(label) if *label == expected => {}
            Some(label) => {
                return Err(Error::Environment {
                    what: format!("key {}", self.key),
                    found: label.clone(),
                    expected,
                });
            }
            None => {
                return unusable(&format!("it has no label {ENVIRONMENT_LABEL}={expected}"));
            }
        }
        match &found.primary {
            Some(primary) if primary.state == "ENABLED" => Ok(()),
            Some(_) => Err(Error::KeyDisabled(self.uri.clone())),
            None => unusable("it has no primary version"),
        }
    }

    /// Refuses the records of another environment before anything is sent.
    fn check_environment(&self, ctx: &BindCtx) -> Result<(), Error> {
        if ctx.environment == self.environment {
            return Ok(());
        }
        Err(Error::Environment {
            what: self.uri.clone(),
            found: self.environment.to_string(),
            expected: ctx.environment.to_string(),
        })
    }
}
