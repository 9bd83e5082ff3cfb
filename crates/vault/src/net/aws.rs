//! The way to AWS: credentials as its own tools find them, connections as everywhere in this crate.
//!
//! The SDK signs, serialises and parses; it never opens a connection. Every byte, to the service as
//! well as to whatever hands out credentials (STS, the metadata services of EC2, ECS and EKS), goes
//! through [`http_client`](super::http_client): one TLS policy, no redirects. The SDK's own retries
//! are off.

mod error;
mod http;

pub(crate) use self::error::error;

use core::fmt;
use core::future::Future;
use core::time::Duration;

use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use serde::Deserialize;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber as _;

use super::{SecretSource, TlsConfig, endpoint};
use crate::Error;

/// The tag that marks a KMS key, and each secret, with the one environment it serves.
pub const ENVIRONMENT_TAG: &str = "halfkey:environment";

/// How long a call may take when the configuration does not say.
pub(crate) const DEFAULT_DEADLINE_MS: u64 = 5_000;

/// The longest deadline that can be asked for: ten minutes.
const MAX_DEADLINE_MS: u64 = 600_000;

/// Where credentials come from instead of the default chain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AwsCredentials {
    /// A profile of the shared configuration files (`~/.aws/config`, `~/.aws/credentials`).
    Profile(String),
    /// A key pair of an IAM user, read once at open. Roles are better: they expire.
    Keys {
        /// The access key id.
        access_key_id: SecretSource,
        /// The secret access key.
        secret_access_key: SecretSource,
        /// The session token, with temporary credentials.
        #[serde(default)]
        session_token: Option<SecretSource>,
    },
}

/// What every AWS back-end's configuration says about its connection.
#[derive(Debug, Clone, Copy)]
pub struct AwsAccess<'a> {
    /// The region, such as `eu-central-1`.
    pub region: &'a str,
    /// Instead of the service's own address in that region.
    pub endpoint: Option<&'a str>,
    /// Instead of the default chain: environment, profile, web identity, ECS and EKS, EC2.
    pub credentials: Option<&'a AwsCredentials>,
    /// TLS to the endpoint, or without one to everything.
    pub tls: &'a TlsConfig,
    /// For a whole call, in milliseconds, credentials included.
    pub deadline_ms: u64,
}

/// A configuration the SDK's clients can be made of. Reads profiles and environment; makes no call.
///
/// # Errors
/// [`Error::Config`], or [`Error::Insecure`] for an endpoint without TLS that is not this machine.
pub async fn connect(access: &AwsAccess<'_>) -> Result<SdkConfig, Error> {
    if access.deadline_ms == 0 || access.deadline_ms > MAX_DEADLINE_MS {
        return Err(Error::Config(format!(
            "deadline_ms must be 1 to {MAX_DEADLINE_MS}"
        )));
    }
    let deadline = Duration::from_millis(access.deadline_ms);
    let endpoint = access.endpoint.map(endpoint::parse_http).transpose()?;
    let http = http::Http::new(endpoint.as_ref(), access.tls, deadline)?;
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .region(region(access.region)?)
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(deadline).build())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(url) = endpoint {
        loader = loader.endpoint_url(url);
    }
    if let Some(credentials) = access.credentials {
        loader = with_credentials(loader, credentials)?;
    }
    Ok(quiet(Box::pin(loader.load())).await)
}

/// It becomes part of a host name.
fn region(text: &str) -> Result<Region, Error> {
    let is_fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if text.is_empty() || text.len() > 32 || !text.bytes().all(is_fine) {
        return Err(Error::Config(
            "region must be an AWS region's name".to_owned(),
        ));
    }
    Ok(Region::new(text.to_owned()))
}

fn with_credentials(
    loader: ConfigLoader,
    credentials: &AwsCredentials,
) -> Result<ConfigLoader, Error> {
    match credentials {
        AwsCredentials::Profile(name) => Ok(loader.profile_name(name)),
        AwsCredentials::Keys {
            access_key_id,
            secret_access_key,
            session_token,
        } => {
            let token = session_token
                .as_ref()
                .map(SecretSource::read)
                .transpose()?
                .map(|token| token.expose().to_owned());
            Ok(loader.credentials_provider(Credentials::new(
                access_key_id.read()?.expose(),
                secret_access_key.read()?.expose(),
                token,
                None,
                "halfkey",
            )))
        }
    }
}

/// Runs a call of the SDK with logging off: at TRACE it writes whole requests, and with them the
/// data keys that are on their way to be wrapped.
pub(crate) async fn quiet<F: Future>(call: F) -> F::Output {
    call.with_subscriber(Dispatch::none()).await
}

/// The value, or a reply that lacks what it must have: as temporary as any broken reply.
pub(crate) fn must_have<T>(peer: impl fmt::Display, field: Option<T>) -> Result<T, Error> {
    field.ok_or_else(|| Error::temporary(format!("{peer}: its reply is incomplete")))
}
