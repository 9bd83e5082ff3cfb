//! The key at its vault.

use azure_security_keyvault_keys::models::{Key, KeyClientGetKeyOptions};
use azure_security_keyvault_keys::{KeyClient, KeyClientOptions};
use url::Url;

use super::AzureKekConfig;
use super::key::KeyFacts;
use crate::Error;
use crate::net::azure::{Calls, VaultAccess, connect};

/// A client of one key.
pub(super) struct Remote {
    pub(super) client: KeyClient,
    pub(super) calls: Calls,
    pub(super) vault: Url,
    pub(super) key_name: String,
}

impl Remote {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Insecure`].
    pub(super) fn connect(config: &AzureKekConfig) -> Result<Self, Error> {
        must_be_a_key_name(&config.key_name)?;
        let access = VaultAccess {
            vault_url: &config.vault_url,
            credential: &config.credential,
            authority_url: config.authority_url.as_deref(),
            tls: &config.tls,
            deadline_ms: config.deadline_ms,
            allow_loopback: config.allow_loopback,
        };
        let peer = format!("key {} in {}", config.key_name, config.vault_url);
        let connection = connect(&access, peer)?;
        let options = KeyClientOptions {
            client_options: connection.client_options,
            verify_challenge_resource: Some(connection.verify_challenge),
            ..KeyClientOptions::default()
        };
        let vault = connection.vault;
        let client = KeyClient::new(vault.as_str(), connection.credential, Some(options))
            .map_err(|_| Error::Config("vault_url cannot be used".to_owned()))?;
        Ok(Self {
            client,
            calls: connection.calls,
            vault,
            key_name: config.key_name.clone(),
        })
    }

    /// What the vault tells of a version, or of the newest one.
    ///
    /// # Errors
    /// [`Error::NotFound`], and what a failed call is.
    pub(super) async fn facts(&self, version: Option<&str>) -> Result<KeyFacts, Error> {
        let options = KeyClientGetKeyOptions {
            key_version: version.map(str::to_owned),
            ..KeyClientGetKeyOptions::default()
        };
        let call = async {
            let reply = self.client.get_key(&self.key_name, Some(options)).await?;
            reply.into_model()
        };
        let key = self.calls.run(call).await?;
        let facts = self.read(key)?;
        if version.is_some_and(|asked| asked != facts.version) {
            return Err(self.calls.unexpected("it answered for another version"));
        }
        Ok(facts)
    }

    /// What a reply about the key says.
    ///
    /// # Errors
    /// As [`KeyFacts::new`].
    pub(super) fn read(&self, key: Key) -> Result<KeyFacts, Error> {
        KeyFacts::new(&self.vault, &self.key_name, self.calls.peer(), key)
    }
}

/// It becomes part of a URL.
fn must_be_a_key_name(name: &str) -> Result<(), Error> {
    let valid = (1..=127).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if valid {
        return Ok(());
    }
    Err(Error::Config(
        "key_name is 1 to 127 letters, digits and hyphens, without a version".to_owned(),
    ))
}
