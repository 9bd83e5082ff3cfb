//! Secrets in Google Secret Manager.
//!
//! One secret per [`SecretId`], named `{prefix}-{environment}-{id}`, with one version that is never
//! replaced. Version 1 is read by its number: that is the one read which Google makes strongly
//! consistent with the write before it, and whatever else is added later does not change it. A
//! secret without a version, which a crash between the two calls of a creation leaves, reads as
//! absent, is completed by the next creation of that id and listed until then.

mod create;
mod messages;

use async_trait::async_trait;
use halfkey_core::EnvironmentId;
use serde::Deserialize;

use self::messages::{Accessed, SecretList};
use super::secret::{SecretId, SecretPage, SecretStore};
use crate::net::TlsConfig;
use crate::net::gcp::{
    DEFAULT_DEADLINE_MS, GcpCredentials, Place, Refusal, RestClient, environment_label, is_segment,
};
use crate::{Error, RecordName};

/// Its name in errors.
const PEER: &str = "Secret Manager";

/// The longest value, in bytes: Google's own limit.
const LIMIT: usize = 65_536;

/// The longest prefix; the whole name may have 255 characters.
const MAX_PREFIX: usize = 64;

/// How Secret Manager is reached.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GcpSecretsConfig {
    /// The project's id.
    pub project: String,
    /// What the secrets' names begin with, 1 to 64 of `a-z`, `A-Z`, `0-9` and `_`; `halfkey` unless
    /// set.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// How many secrets a page of a listing holds, 1 to 500; 500 unless set.
    #[serde(default = "default_page_size")]
    pub page_size: u16,
    /// Another endpoint than `https://secretmanager.googleapis.com`: Private Service Connect, a
    /// test server.
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

fn default_prefix() -> String {
    "halfkey".to_owned()
}

const fn default_page_size() -> u16 {
    500
}

const fn default_deadline_ms() -> u64 {
    DEFAULT_DEADLINE_MS
}

/// Secret Manager, seen through one prefix and environment.
pub struct GcpSecrets {
    client: RestClient,
    project: String,
    /// The environment as labels have it.
    label: String,
    /// What the names of these secrets begin with.
    stem: String,
    page_size: String,
    uri: String,
}

impl core::fmt::Debug for GcpSecrets {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("GcpSecrets")
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}

impl GcpSecrets {
    /// Connects, and reads a secret that is not there: so Google is reached, the project exists,
    /// and secrets of this prefix may be read. One call.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Denied`], [`Error::Timeout`].
    pub async fn open(
        config: &GcpSecretsConfig,
        environment: &EnvironmentId,
    ) -> Result<Self, Error> {
        let in_prefix = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let prefix_fits = (1..=MAX_PREFIX).contains(&config.prefix.len())
            // A dash ends it, so that no two pairs of prefix and environment share a name.
            && config.prefix.bytes().all(in_prefix);
        if !prefix_fits || !is_segment(&config.project) || !(1..=500).contains(&config.page_size) {
            return Err(Error::Config(
                "project, prefix or page_size of Secret Manager".to_owned(),
            ));
        }
        let client = RestClient::new(&Place {
            peer: PEER,
            default_endpoint: "https://secretmanager.googleapis.com",
            endpoint: config.endpoint.as_deref(),
            tls: &config.tls,
            credentials: &config.credentials,
            deadline_ms: config.deadline_ms,
        })?;
        let label = environment_label(environment);
        let stem = format!("{}-{label}-", config.prefix);
        let store = Self {
            client,
            uri: format!(
                "gcp-secrets:projects/{}/secrets/{}",
                config.project,
                stem.trim_end_matches('-')
            ),
            project: config.project.clone(),
            label,
            stem,
            page_size: config.page_size.to_string(),
        };
        store.read(SecretId::from_bytes([0; 16])).await?;
        Ok(store)
    }

    fn secret_id(&self, id: SecretId) -> String {
        format!("{}{id}", self.stem)
    }

    fn path(&self, id: SecretId) -> String {
        format!("projects/{}/secrets/{}", self.project, self.secret_id(id))
    }

    /// The id in a resource name; `None` for secrets of others. Google puts the project's number
    /// where the id was asked for, so only the last part is looked at.
    fn id_in(&self, name: &str) -> Option<SecretId> {
        let (_, secret) = name.rsplit_once('/')?;
        SecretId::parse(secret.strip_prefix(&self.stem)?)
    }
}

#[async_trait]
impl SecretStore for GcpSecrets {
    fn uri(&self) -> &str {
        &self.uri
    }

    fn limit(&self) -> usize {
        LIMIT
    }

    async fn create(&self, id: SecretId, name: &RecordName, value: &[u8]) -> Result<(), Error> {
        self.create_and_fill(id, name, value).await
    }

    async fn read(&self, id: SecretId) -> Result<Option<Vec<u8>>, Error> {
        let path = format!("{}/versions/1:access", self.path(id));
        let found: Accessed = match self.client.get(&path, &[]).await {
            Err(Refusal::NotFound) => return Ok(None),
            other => other.map_err(|refusal| refusal.into_error(PEER, "reading a secret"))?,
        };
        let expected = format!("/secrets/{}/versions/1", self.secret_id(id));
        if !found.name.ends_with(&expected) {
            return Err(self.client.misunderstood());
        }
        // Google keeps a checksum with each version, its own where the writer gave none.
        match found.payload.data_crc32c {
            Some(sum) if !found.payload.data.matches(sum) => {
                Err(Refusal::changed_on_the_way(PEER).into_error(PEER, "reading a secret"))
            }
            _ => Ok(Some(found.payload.data.bytes().to_vec())),
        }
    }

    /// One call. A secret without a version goes as well.
    async fn remove(&self, id: SecretId) -> Result<(), Error> {
        match self.client.delete(&self.path(id)).await {
            Ok(()) | Err(Refusal::NotFound) => Ok(()),
            Err(other) => Err(other.into_error(PEER, "removing a secret")),
        }
    }

    /// One call. The filter saves reading the names of others; it decides nothing.
    async fn list(&self, after: Option<&str>) -> Result<SecretPage, Error> {
        let path = format!("projects/{}/secrets", self.project);
        let filter = format!("name:{}", self.stem);
        let query = [
            ("filter", filter.as_str()),
            ("pageSize", self.page_size.as_str()),
            ("pageToken", after.unwrap_or_default()),
        ];
        let page: SecretList = self
            .client
            .get(&path, &query)
            .await
            .map_err(|refusal| refusal.into_error(PEER, "listing secrets"))?;
        let names = page.secrets.iter().map(|secret| secret.name.as_str());
        Ok(SecretPage {
            ids: names.filter_map(|name| self.id_in(name)).collect(),
            next: Some(page.next_page_token).filter(|token| !token.is_empty()),
        })
    }
}
