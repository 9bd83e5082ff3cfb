//! Looking after the key.

use std::collections::HashMap;

use async_trait::async_trait;
use azure_security_keyvault_keys::models::{
    Key, KeyAttributes, KeyClientUpdateKeyPropertiesOptions, KeyProperties,
    UpdateKeyPropertiesParameters,
};
use futures_util::TryStreamExt as _;
use halfkey_core::UnixMillis;

use super::AzureKek;
use super::key::version_of;
use crate::net::azure::{ENVIRONMENT_TAG, is_version};
use crate::{Error, KekInfo, KekState, KekVersion, ManageKey};

impl AzureKek {
    /// Every version, oldest first; the vault's own order where two are as old.
    async fn versions(&self) -> Result<Vec<KekVersion>, Error> {
        let call = async {
            let pages = self
                .remote
                .client
                .list_key_properties_versions(&self.remote.key_name, None)?;
            pages.try_collect::<Vec<KeyProperties>>().await
        };
        let mut versions = Vec::new();
        for properties in self.remote.calls.run(call).await? {
            versions.push(self.version(&properties)?);
        }
        versions.sort_by_key(|version| version.created_at);
        Ok(versions)
    }

    fn version(&self, properties: &KeyProperties) -> Result<KekVersion, Error> {
        let kid = properties.kid.as_deref().unwrap_or_default();
        let version = version_of(&self.remote.vault, &self.remote.key_name, kid)
            .ok_or_else(|| self.remote.calls.unexpected("it listed another key"))?;
        let attributes = properties.attributes.as_ref();
        let created = attributes.and_then(|attributes| attributes.created);
        let enabled = attributes.and_then(|attributes| attributes.enabled);
        Ok(KekVersion {
            version: version.to_owned(),
            created_at: created.map(|at| millis(at.unix_timestamp())),
            state: state(enabled.unwrap_or(true)),
        })
    }

    async fn update(
        &self,
        version: &str,
        parameters: UpdateKeyPropertiesParameters,
    ) -> Result<(), Error> {
        let options = KeyClientUpdateKeyPropertiesOptions {
            key_version: Some(version.to_owned()),
            ..KeyClientUpdateKeyPropertiesOptions::default()
        };
        let call = async {
            let parameters = parameters.try_into()?;
            let reply = self
                .remote
                .client
                .update_key_properties(&self.remote.key_name, parameters, Some(options))
                .await?;
            reply.into_model()
        };
        match self.remote.calls.run(call).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.status == Some(404) => Err(no_version()),
            Err(failure) => Err(failure.error),
        }
    }

    async fn set_enabled(&self, version: &str, enabled: bool) -> Result<(), Error> {
        let attributes = KeyAttributes {
            enabled: Some(enabled),
            ..KeyAttributes::default()
        };
        let parameters = UpdateKeyPropertiesParameters {
            key_attributes: Some(attributes),
            ..UpdateKeyPropertiesParameters::default()
        };
        self.update(version, parameters).await
    }
}

#[async_trait]
impl ManageKey for AzureKek {
    async fn info(&self) -> Result<KekInfo, Error> {
        let newest = self.remote.facts(None).await?;
        let mut versions = self.versions().await?;
        // The newest is last, also among versions of the same second.
        let last = match versions
            .iter()
            .position(|version| version.version == newest.version)
        {
            Some(at) => versions.remove(at),
            None => KekVersion {
                version: newest.version,
                created_at: newest.created_at.map(millis),
                state: state(newest.enabled),
            },
        };
        versions.push(last);
        let environment = newest.environment.unwrap_or_default();
        Ok(KekInfo {
            uri: self.uri.clone(),
            environment: environment
                .parse()
                .map_err(|_| Error::Config(format!("{} lost its tag", self.remote.calls.peer())))?,
            versions,
            hardware_or_remote: true,
        })
    }

    /// The new version gets the environment's tag, should the vault not have copied it.
    async fn rotate(&self) -> Result<String, Error> {
        let call = async {
            let reply = self
                .remote
                .client
                .rotate_key(&self.remote.key_name, None)
                .await?;
            reply.into_model()
        };
        let key: Key = self.remote.calls.run(call).await?;
        let mut tags: HashMap<String, String> = key.tags.clone().unwrap_or_default();
        let made = self.remote.read(key)?;
        if made.environment.as_deref() != Some(self.environment.as_str()) {
            tags.insert(ENVIRONMENT_TAG.to_owned(), self.environment.to_string());
            let parameters = UpdateKeyPropertiesParameters {
                tags: Some(tags),
                ..UpdateKeyPropertiesParameters::default()
            };
            self.update(&made.version, parameters).await?;
        }
        Ok(made.version)
    }

    async fn disable(&self, version: &str) -> Result<(), Error> {
        if !is_version(version) {
            return Err(no_version());
        }
        if self.remote.facts(None).await?.version == version {
            return Err(Error::Caller("the newest KEK version cannot be disabled"));
        }
        self.set_enabled(version, false).await
    }

    async fn enable(&self, version: &str) -> Result<(), Error> {
        if !is_version(version) {
            return Err(no_version());
        }
        self.set_enabled(version, true).await
    }
}

const fn no_version() -> Error {
    Error::Caller("the KEK has no such version")
}

const fn state(enabled: bool) -> KekState {
    if enabled {
        KekState::Enabled
    } else {
        KekState::Disabled
    }
}

const fn millis(seconds: i64) -> UnixMillis {
    UnixMillis(seconds.saturating_mul(1000))
}
