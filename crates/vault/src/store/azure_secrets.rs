//! Secrets in Azure Key Vault.
//!
//! One secret of one version per write, under a random name, as base64url text, tagged
//! `halfkey-environment` and `halfkey-record` (the record's name, for people).
//!
//! # What the medium does not promise
//!
//! * Key Vault has no write that fails when the name is taken: `set` makes a new version instead.
//!   So [`create`](SecretStore::create) looks first. Two writers of one name at the same moment
//!   would both succeed; names are random, so there are none but a repeat, which writes the same.
//! * A deleted secret stays recoverable for the vault's retention, 7 to 90 days, unless it is
//!   purged. [`remove`](SecretStore::remove) purges where it may; with purge protection nobody may.
//!   Until it is purged the name cannot be used again.
//! * Key Vault finishes deletions and purges after it has answered, within seconds as a rule.
//! * It cannot list by a prefix: a listing walks through every secret of the vault.

mod list;
mod name;
mod remove;

use core::fmt;
use std::collections::HashMap;

use async_trait::async_trait;
use azure_core::base64;
use azure_security_keyvault_secrets::models::SetSecretParameters;
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use halfkey_core::EnvironmentId;
use serde::Deserialize;
use url::Url;

use self::name::Names;
use super::secret::{SecretId, SecretPage, SecretStore};
use crate::net::TlsConfig;
use crate::net::azure::{
    AzureCredential, Calls, DEFAULT_DEADLINE_MS, ENVIRONMENT_TAG, VaultAccess, connect, object_id,
};
use crate::{Error, RecordName};

/// The longest text Key Vault takes is 25 000 characters; base64url makes 4 of 3 bytes.
const LIMIT: usize = 18_750;

/// What the text is, shown in the portal.
const CONTENT_TYPE: &str = "application/vnd.halfkey.sealed+base64url";

/// The tag with the record's name.
const RECORD_TAG: &str = "halfkey-record";

/// The longest value of a tag.
const MAX_TAG_LEN: usize = 256;

/// Where the secrets are. Everything but `vault_url` and `credential` has a default.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AzureSecretsConfig {
    /// `https://{name}.vault.azure.net`.
    pub vault_url: String,
    /// Who is asking.
    pub credential: AzureCredential,
    /// What names begin with: 1 to 20 of `a-z 0-9`; `halfkey` by default.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// Whether deleted secrets are purged where that is permitted; `true` by default.
    #[serde(default = "default_purge")]
    pub purge: bool,
    /// Where tokens are given out; `https://login.microsoftonline.com` by default.
    #[serde(default)]
    pub authority_url: Option<String>,
    /// TLS 1.3 and the system's CAs by default; for the vault and for the authority.
    #[serde(default)]
    pub tls: TlsConfig,
    /// For each operation, all its calls together, in milliseconds; 10 000 by default.
    #[serde(default = "default_deadline_ms")]
    pub deadline_ms: u64,
    /// As in [`AzureKekConfig`](crate::kms::azure::AzureKekConfig); `false` by default.
    #[serde(default)]
    pub allow_loopback: bool,
}

fn default_prefix() -> String {
    "halfkey".to_owned()
}

const fn default_purge() -> bool {
    true
}

const fn default_deadline_ms() -> u64 {
    DEFAULT_DEADLINE_MS
}

/// The secrets of one prefix and environment in one vault.
pub struct AzureSecrets {
    client: SecretClient,
    calls: Calls,
    vault: Url,
    uri: String,
    names: Names,
    environment: EnvironmentId,
    purge: bool,
}

impl fmt::Debug for AzureSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureSecrets")
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}

impl AzureSecrets {
    /// Connects, and reads a secret that is not there: so the vault is one, and lets this process
    /// read.
    ///
    /// # Errors
    /// [`Error::Config`], also for an environment whose name is too long once it is spelt as Key
    /// Vault's names must be, and what a failed call is.
    pub async fn open(
        config: &AzureSecretsConfig,
        environment: &EnvironmentId,
    ) -> Result<Self, Error> {
        let access = VaultAccess {
            vault_url: &config.vault_url,
            credential: &config.credential,
            authority_url: config.authority_url.as_deref(),
            tls: &config.tls,
            deadline_ms: config.deadline_ms,
            allow_loopback: config.allow_loopback,
        };
        let names = Names::new(&config.prefix, environment)?;
        let connection = connect(&access, format!("secrets in {}", config.vault_url))?;
        let options = SecretClientOptions {
            client_options: connection.client_options,
            verify_challenge_resource: Some(connection.verify_challenge),
            ..SecretClientOptions::default()
        };
        let vault = connection.vault;
        let client = SecretClient::new(vault.as_str(), connection.credential, Some(options))
            .map_err(|_| Error::Config("vault_url cannot be used".to_owned()))?;
        let secrets = Self {
            client,
            calls: connection.calls,
            uri: format!("azure-kv:{vault}secrets/{}", names.start()),
            vault,
            names,
            environment: environment.clone(),
            purge: config.purge,
        };
        secrets.value(SecretId::generate()?).await?;
        Ok(secrets)
    }

    /// The text of a secret; `None` when there is none.
    async fn value(&self, id: SecretId) -> Result<Option<String>, Error> {
        let name = self.names.of(id);
        let call = async {
            let reply = self.client.get_secret(&name, None).await?;
            reply.into_model()
        };
        let secret = match self.calls.run(call).await {
            Ok(secret) => secret,
            // Other answers with that status come from something else than a vault.
            Err(failure) if failure.status == Some(404) && failure.has_code("SecretNotFound") => {
                return Ok(None);
            }
            Err(failure) => return Err(self.no_answer_of_a_vault(failure.error)),
        };
        self.must_be_about(&name, secret.id.as_deref())?;
        let value = secret.value;
        value
            .map(Some)
            .ok_or_else(|| self.calls.unexpected("a secret without a value"))
    }

    fn no_answer_of_a_vault(&self, error: Error) -> Error {
        match error {
            Error::NotFound(_) => self.calls.unexpected("it does not answer like a vault"),
            other => other,
        }
    }

    fn must_be_about(&self, name: &str, id: Option<&str>) -> Result<(), Error> {
        let found = id.and_then(|id| object_id(&self.vault, "secrets", id));
        if found.is_some_and(|(found, _)| found.eq_ignore_ascii_case(name)) {
            return Ok(());
        }
        Err(self.calls.unexpected("it answered for another secret"))
    }

    async fn set(&self, id: SecretId, record: &RecordName, text: String) -> Result<(), Error> {
        let name = self.names.of(id);
        let label: String = record.as_str().chars().take(MAX_TAG_LEN).collect();
        let tags = HashMap::from([
            (ENVIRONMENT_TAG.to_owned(), self.environment.to_string()),
            (RECORD_TAG.to_owned(), label),
        ]);
        let call = async {
            let parameters = SetSecretParameters {
                content_type: Some(CONTENT_TYPE.to_owned()),
                tags: Some(tags),
                value: Some(text.clone()),
                ..SetSecretParameters::default()
            };
            let reply = self
                .client
                .set_secret(&name, parameters.try_into()?, None)
                .await?;
            reply.into_model()
        };
        let made = match self.calls.run(call).await {
            Ok(made) => made,
            // Deleted and not purged: an id that was used before.
            Err(failure) if failure.status == Some(409) => {
                return Err(Error::Conflict(id.to_string()));
            }
            Err(failure) => return Err(self.no_answer_of_a_vault(failure.error)),
        };
        self.must_be_about(&name, made.id.as_deref())?;
        if made.value.as_deref() == Some(&*text) {
            Ok(())
        } else {
            Err(Error::ReadBack(id.to_string()))
        }
    }
}

#[async_trait]
impl SecretStore for AzureSecrets {
    fn uri(&self) -> &str {
        &self.uri
    }

    fn limit(&self) -> usize {
        LIMIT
    }

    async fn create(&self, id: SecretId, name: &RecordName, value: &[u8]) -> Result<(), Error> {
        if value.len() > LIMIT {
            return Err(Error::TooLarge {
                what: "secret",
                len: value.len(),
                limit: LIMIT,
            });
        }
        let text = base64::encode_url_safe(value);
        let work = async {
            match self.value(id).await? {
                None => self.set(id, name, text).await,
                Some(found) if found == text => Ok(()),
                Some(_) => Err(Error::Conflict(id.to_string())),
            }
        };
        self.calls.within(work).await
    }

    async fn read(&self, id: SecretId) -> Result<Option<Vec<u8>>, Error> {
        let Some(text) = self.value(id).await? else {
            return Ok(None);
        };
        base64::decode_url_safe(&text)
            .ok()
            // One value has one text: no padding, no stray bits.
            .filter(|value| base64::encode_url_safe(value) == text)
            .map(Some)
            .ok_or_else(|| Error::corrupt(self.names.of(id), "its text is not base64url"))
    }

    async fn remove(&self, id: SecretId) -> Result<(), Error> {
        self.calls.within(self.delete_and_purge(id)).await
    }

    async fn list(&self, after: Option<&str>) -> Result<SecretPage, Error> {
        self.page(after).await
    }
}
