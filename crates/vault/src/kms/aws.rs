//! AWS KMS.
//!
//! Data keys are made here and wrapped by `Encrypt`; the KEK never leaves KMS. The encryption
//! context of each call is the digest of the [`BindCtx`] and, in clear for IAM conditions and
//! `CloudTrail`, the environment. KMS authenticates both: it refuses a wrap in another context.
//!
//! # Versions
//!
//! A version is the id of the KMS key that wrapped. It changes when an alias is moved to another
//! key, which is how a KEK is rotated so that it can be seen and the old key taken out of use.
//! Automatic and on-demand rotation change the key material *inside* a key: KMS keeps all of it for
//! as long as the key lives, neither ciphertexts nor versions show it, and none of it can be
//! disabled alone.

mod arn;
mod key;
mod manage;
mod wrap;

use core::fmt;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_sdk_kms::Client;
use halfkey_core::EnvironmentId;
use serde::Deserialize;

use self::arn::{Account, KeyId};
use crate::net::TlsConfig;
use crate::net::aws::{AwsAccess, AwsCredentials, DEFAULT_DEADLINE_MS, connect};
use crate::{BindCtx, Error};

/// Where the KEK is. Everything but `key_id` and `region` has a default.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsKekConfig {
    /// The KEK: `alias/…` or an alias ARN (rotated by moving the alias), or a key's id or ARN.
    pub key_id: String,
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// Instead of the region's own address; `http` only to this machine.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Instead of the default chain (environment, profile, web identity, ECS and EKS, EC2).
    #[serde(default)]
    pub credentials: Option<AwsCredentials>,
    /// TLS 1.3 and the system's CAs by default. `ca_file` is for `endpoint`, where that is set.
    #[serde(default)]
    pub tls: TlsConfig,
    /// For each call to KMS, in milliseconds; 5000 by default.
    #[serde(default = "default_deadline_ms")]
    pub deadline_ms: u64,
}

const fn default_deadline_ms() -> u64 {
    DEFAULT_DEADLINE_MS
}

/// A symmetric KMS key, or an alias of one, as KEK of one environment.
pub struct AwsKek {
    client: Client,
    uri: String,
    /// The ARN calls that wrap are made with: of the alias, or of the key.
    target: String,
    account: Account,
    /// The one key, when it was not configured by an alias.
    only: Option<KeyId>,
    environment: EnvironmentId,
    /// Keys found to be marked for this environment.
    marked: Mutex<BTreeSet<KeyId>>,
}

impl fmt::Debug for AwsKek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsKek")
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}

impl AwsKek {
    /// Connects, and checks the key: enabled, symmetric, for encryption, its material does not
    /// expire, and it carries the tag `halfkey:environment` of this environment.
    ///
    /// # Errors
    /// [`Error::Config`] for what the configuration or the key lacks (with the command that marks
    /// it), [`Error::Environment`] for another environment's key, [`Error::KeyDisabled`],
    /// [`Error::NotDurable`] for material that expires, and what a failed call is.
    pub async fn open(config: &AwsKekConfig, environment: &EnvironmentId) -> Result<Self, Error> {
        arn::check_key_id(&config.key_id)?;
        let access = AwsAccess {
            region: &config.region,
            endpoint: config.endpoint.as_deref(),
            credentials: config.credentials.as_ref(),
            tls: &config.tls,
            deadline_ms: config.deadline_ms,
        };
        let client = Client::new(&connect(&access).await?);
        let peer = format!("KMS key {}", config.key_id);
        let key = key::describe(&client, &peer, &config.key_id)
            .await
            .map_err(|error| match error {
                Error::NotFound(_) => Error::Config(format!("{peer} is not in {}", config.region)),
                other => other,
            })?;
        key.must_be_able_to_wrap(&peer)?;
        let only = (!arn::is_alias(&config.key_id)).then(|| key.id.clone());
        let target = match &only {
            Some(id) => key.account.key_arn(id),
            None => key.account.alias_arn(&config.key_id),
        };
        let kek = Self {
            client,
            uri: format!("aws-kms:{target}"),
            target,
            account: key.account,
            only,
            environment: environment.clone(),
            marked: Mutex::default(),
        };
        kek.must_be_marked(&key.id).await?;
        Ok(kek)
    }

    /// The KEK's URI: `aws-kms:` and the ARN of the alias or key.
    pub fn uri(&self) -> &str {
        &self.uri
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

    fn marked(&self) -> MutexGuard<'_, BTreeSet<KeyId>> {
        self.marked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
