//! `[records.secrets]`: opening the secret manager.

use std::sync::Arc;

use serde::Deserialize;

use super::info::BackendInfo;
#[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
use super::info::Tier;
use super::open::Opening;
use crate::Error;
#[cfg(feature = "aws")]
use crate::store::aws_secrets::{AwsSecrets, AwsSecretsConfig};
#[cfg(feature = "azure")]
use crate::store::azure_secrets::{AzureSecrets, AzureSecretsConfig};
#[cfg(feature = "gcp")]
use crate::store::gcp_secrets::{GcpSecrets, GcpSecretsConfig};
use crate::store::secret::SecretStore;

/// Which secret manager.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind")]
pub(super) enum SecretsConfig {
    /// AWS Secrets Manager.
    #[cfg(feature = "aws")]
    #[serde(rename = "aws-secrets")]
    Aws(AwsSecretsConfig),
    /// Azure Key Vault secrets.
    #[cfg(feature = "azure")]
    #[serde(rename = "azure-secrets")]
    Azure(AzureSecretsConfig),
    /// Google Secret Manager.
    #[cfg(feature = "gcp")]
    #[serde(rename = "gcp-secrets")]
    Gcp(GcpSecretsConfig),
}

/// Opens the secret manager, and says what it is.
#[cfg_attr(
    not(any(feature = "aws", feature = "azure", feature = "gcp")),
    expect(
        clippy::unused_async,
        unused_variables,
        reason = "there is no secret manager to open in this build"
    )
)]
pub(super) async fn open(
    config: &SecretsConfig,
    opening: &Opening<'_>,
) -> Result<(Arc<dyn SecretStore>, BackendInfo), Error> {
    #[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
    let info = |kind, place: &str, tls: &crate::net::TlsConfig| BackendInfo {
        tier: Tier::Secrets,
        kind,
        place: place.to_owned(),
        min_tls: Some(tls.min_tls),
        durable: true,
    };
    match *config {
        #[cfg(feature = "aws")]
        SecretsConfig::Aws(ref config) => {
            let store = AwsSecrets::open(config, opening.environment).await?;
            let info = info("aws-secrets", store.uri(), &config.tls);
            Ok((Arc::new(store), info))
        }
        #[cfg(feature = "azure")]
        SecretsConfig::Azure(ref config) => {
            let store = AzureSecrets::open(config, opening.environment).await?;
            let info = info("azure-secrets", store.uri(), &config.tls);
            Ok((Arc::new(store), info))
        }
        #[cfg(feature = "gcp")]
        SecretsConfig::Gcp(ref config) => {
            let store = GcpSecrets::open(config, opening.environment).await?;
            let info = info("gcp-secrets", store.uri(), &config.tls);
            Ok((Arc::new(store), info))
        }
    }
}
