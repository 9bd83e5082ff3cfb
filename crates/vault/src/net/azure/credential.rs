//! Who is asking: an identity of Entra ID.

use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::ClientOptions;
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertionCredentialOptions,
    ClientSecretCredential, ClientSecretCredentialOptions, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};
use serde::Deserialize;
use url::Url;

use super::no_retries;
use super::transport::{Reach, transport};
use crate::Error;
use crate::net::{SecretSource, TlsConfig};

/// Where the public cloud gives out tokens.
const PUBLIC_AUTHORITY: &str = "https://login.microsoftonline.com";

/// An identity of Entra ID. There is no default chain: it would try one source after the other and
/// end as whoever happens to be signed in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum AzureCredential {
    /// The identity of the virtual machine, App Service or Container App.
    ManagedIdentity {
        /// Of a user-assigned identity; without it, the system-assigned one.
        #[serde(default)]
        client_id: Option<String>,
    },
    /// A Kubernetes service account that Entra ID trusts. What is left out comes from the
    /// variables that AKS sets (`AZURE_TENANT_ID`, `AZURE_CLIENT_ID`,
    /// `AZURE_FEDERATED_TOKEN_FILE`).
    WorkloadIdentity {
        /// The directory.
        #[serde(default)]
        tenant_id: Option<String>,
        /// The application.
        #[serde(default)]
        client_id: Option<String>,
        /// The file with the service account's token.
        #[serde(default)]
        token_file: Option<PathBuf>,
    },
    /// An application with a secret.
    ClientSecret {
        /// The directory.
        tenant_id: String,
        /// The application.
        client_id: String,
        /// Where its secret is.
        secret: SecretSource,
    },
    /// Whoever is signed in with `az login`, for development.
    AzureCli {
        /// The directory, if not the default one.
        #[serde(default)]
        tenant_id: Option<String>,
    },
}

impl AzureCredential {
    /// Makes the credential; no token is asked for yet. Reads files, and blocks on them.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub(super) fn build(
        &self,
        authority: Option<&Url>,
        tls: &TlsConfig,
        deadline: Duration,
    ) -> Result<Arc<dyn TokenCredential>, Error> {
        let refused = |_| Error::Config(format!("{} cannot be used as configured", self.name()));
        let client_options = || client_options(authority, tls, deadline);
        Ok(match self {
            Self::ManagedIdentity { client_id } => {
                let options = ManagedIdentityCredentialOptions {
                    user_assigned_id: client_id.clone().map(UserAssignedId::ClientId),
                    client_options: ClientOptions {
                        transport: Some(transport(Reach::Metadata, tls, deadline)?),
                        ..no_retries()
                    },
                };
                ManagedIdentityCredential::new(Some(options)).map_err(refused)?
            }
            Self::WorkloadIdentity {
                tenant_id,
                client_id,
                token_file,
            } => {
                let options = WorkloadIdentityCredentialOptions {
                    credential_options: ClientAssertionCredentialOptions {
                        client_options: client_options()?,
                    },
                    client_id: client_id.clone(),
                    tenant_id: tenant_id.clone(),
                    token_file_path: token_file.clone(),
                };
                WorkloadIdentityCredential::new(Some(options)).map_err(refused)?
            }
            Self::ClientSecret {
                tenant_id,
                client_id,
                secret,
            } => {
                let secret = Secret::new(secret.read()?.expose().to_owned());
                let options = ClientSecretCredentialOptions {
                    client_options: client_options()?,
                };
                ClientSecretCredential::new(tenant_id, client_id.clone(), secret, Some(options))
                    .map_err(refused)?
            }
            Self::AzureCli { tenant_id } => {
                let options = AzureCliCredentialOptions {
                    tenant_id: tenant_id.clone(),
                    ..AzureCliCredentialOptions::default()
                };
                AzureCliCredential::new(Some(options)).map_err(refused)?
            }
        })
    }

    /// Its `kind`, for errors.
    const fn name(&self) -> &'static str {
        match self {
            Self::ManagedIdentity { .. } => "managed_identity",
            Self::WorkloadIdentity { .. } => "workload_identity",
            Self::ClientSecret { .. } => "client_secret",
            Self::AzureCli { .. } => "azure_cli",
        }
    }
}

/// For credentials that ask the authority.
fn client_options(
    authority: Option<&Url>,
    tls: &TlsConfig,
    deadline: Duration,
) -> Result<ClientOptions, Error> {
    let authority = match authority {
        Some(url) => url.clone(),
        None => Url::parse(PUBLIC_AUTHORITY)
            .map_err(|_| Error::Config("the public authority has no URL".to_owned()))?,
    };
    let mut cloud = CustomConfiguration::default();
    authority.as_str().clone_into(&mut cloud.authority_host);
    Ok(ClientOptions {
        transport: Some(transport(Reach::Origin(authority), tls, deadline)?),
        cloud: Some(Arc::new(CloudConfiguration::Custom(cloud))),
        ..no_retries()
    })
}
