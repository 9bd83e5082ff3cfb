//! Secrets in AWS Secrets Manager.
//!
//! One secret per write, `{prefix}{environment}/{id}`; its value is the sealed bytes, as
//! `SecretBinary`. The manager encrypts them once more with a KMS key of its own; whoever
//! may read the secret still holds nothing but a sealed record.

mod calls;

use core::fmt;

use aws_sdk_secretsmanager::Client;
use halfkey_core::EnvironmentId;
use serde::Deserialize;

use crate::Error;
use crate::net::TlsConfig;
use crate::net::aws::{AwsAccess, AwsCredentials, DEFAULT_DEADLINE_MS, connect};
use crate::store::secret::{SecretId, SecretStore as _};

/// The longest value Secrets Manager takes, in bytes.
pub const MAX_SECRET_LEN: usize = 65_536;

/// The longest prefix: names have at most 512 characters.
const MAX_PREFIX_LEN: usize = 256;

/// Where the secrets are. Everything but `region` has a default.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsSecretsConfig {
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// What every name begins with, before the environment: empty, or letters, digits and
    /// `/_+=.@-` with a `/` at the end; `halfkey/` by default.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// The KMS key that Secrets Manager itself encrypts with; the account's
    /// `aws/secretsmanager` by default.
    #[serde(default)]
    pub manager_key_id: Option<String>,
    /// Instead of the region's own address; `http` only to this machine.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Instead of the default chain (environment, profile, web identity, ECS and EKS, EC2).
    #[serde(default)]
    pub credentials: Option<AwsCredentials>,
    /// TLS 1.3 and the system's CAs by default. `ca_file` is for `endpoint`, where that is set.
    #[serde(default)]
    pub tls: TlsConfig,
    /// For each call, in milliseconds; 5000 by default.
    #[serde(default = "default_deadline_ms")]
    pub deadline_ms: u64,
    /// Secrets on one page of a listing, 1 to 100; 100 by default.
    #[serde(default = "default_page_len")]
    pub page_len: u8,
}

fn default_prefix() -> String {
    "halfkey/".to_owned()
}

const fn default_deadline_ms() -> u64 {
    DEFAULT_DEADLINE_MS
}

const fn default_page_len() -> u8 {
    100
}

/// Secrets of one environment in one region.
pub struct AwsSecrets {
    client: Client,
    uri: String,
    /// `{prefix}{environment}/`.
    prefix: String,
    environment: EnvironmentId,
    manager_key_id: Option<String>,
    page_len: u8,
}

impl fmt::Debug for AwsSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsSecrets")
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}

impl AwsSecrets {
    /// Connects and reads a secret that does not exist, so that a missing right, credential or
    /// network shows now. Names carry the environment; nothing else needs a mark.
    ///
    /// # Errors
    /// [`Error::Config`], and what a failed call is.
    pub async fn open(
        config: &AwsSecretsConfig,
        environment: &EnvironmentId,
    ) -> Result<Self, Error> {
        check(config)?;
        let access = AwsAccess {
            region: &config.region,
            endpoint: config.endpoint.as_deref(),
            credentials: config.credentials.as_ref(),
            tls: &config.tls,
            deadline_ms: config.deadline_ms,
        };
        let prefix = format!("{}{environment}/", config.prefix);
        let secrets = Self {
            client: Client::new(&connect(&access).await?),
            uri: format!("aws-secrets:{}/{prefix}", config.region),
            prefix,
            environment: environment.clone(),
            manager_key_id: config.manager_key_id.clone(),
            page_len: config.page_len,
        };
        secrets.read(SecretId::from_bytes([0; 16])).await?;
        Ok(secrets)
    }

    fn name(&self, id: SecretId) -> String {
        format!("{}{id}", self.prefix)
    }
}

fn check(config: &AwsSecretsConfig) -> Result<(), Error> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte);
    // With the slash, no prefix and environment together are those of another pair.
    let ends = config.prefix.is_empty() || config.prefix.ends_with('/');
    let fits = config.prefix.len() <= MAX_PREFIX_LEN && config.prefix.bytes().all(is_fine);
    if !ends || !fits {
        return Err(Error::Config(
            "prefix: at most 256 letters, digits and /_+=.@-, the last one /".to_owned(),
        ));
    }
    if !(1..=100).contains(&config.page_len) {
        return Err(Error::Config("page_len must be 1 to 100".to_owned()));
    }
    Ok(())
}
