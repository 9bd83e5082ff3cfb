//! Looking after the key. A version is disabled by raising `min_decryption_version`, so only the
//! oldest enabled one can be, and brought back in the opposite order. Nothing is ever trimmed.

use async_trait::async_trait;
use halfkey_core::UnixMillis;
use serde::Serialize;

use super::TransitKek;
use super::key::{Key, parse_version};
use crate::net::openbao::{Request, json_body};
use crate::{Error, KekInfo, KekState, KekVersion, ManageKey};

#[derive(Serialize)]
struct Empty {}

/// The one parameter that an operator's policy must allow.
#[derive(Serialize)]
struct MinDecryptionVersion {
    min_decryption_version: u32,
}

impl TransitKek {
    /// Writes to `keys/{key}/{route}`.
    async fn change_key(&self, route: &str, body: &(impl Serialize + Sync)) -> Result<(), Error> {
        let path = format!("{}/keys/{}/{route}", self.mount, self.key);
        let request = Request::post(path, json_body(body, 64)?);
        let reply = self.client.call(&request).await?;
        if reply.is_success() {
            return Ok(());
        }
        Err(reply.refused("the transit key"))
    }

    /// Sets the oldest version that unwraps, and reads it back: the engine knows no
    /// compare-and-set, and another operator may have come between.
    async fn set_oldest_enabled(&self, version: u32) -> Result<(), Error> {
        let min = MinDecryptionVersion {
            min_decryption_version: version,
        };
        self.change_key("config", &min).await?;
        if self.read_key().await?.min_decryption_version == version {
            return Ok(());
        }
        Err(Error::Conflict(self.uri.clone()))
    }
}

fn info(key: &Key) -> Vec<KekVersion> {
    let versions = key.oldest_version()..=key.latest_version;
    let version = |number: u32| {
        let made_at = key.keys.get(&number.to_string());
        KekVersion {
            version: number.to_string(),
            created_at: made_at.map(|secs| UnixMillis(secs.saturating_mul(1000))),
            state: if number < key.min_decryption_version {
                KekState::Disabled
            } else {
                KekState::Enabled
            },
        }
    };
    versions.map(version).collect()
}

/// A version that the key has.
fn known(key: &Key, version: &str) -> Result<u32, Error> {
    parse_version(version)
        .filter(|number| (key.oldest_version()..=key.latest_version).contains(number))
        .ok_or(Error::Caller("the KEK has no such version"))
}

#[async_trait]
impl ManageKey for TransitKek {
    async fn info(&self) -> Result<KekInfo, Error> {
        let key = self.client.within(self.read_key()).await?;
        Ok(KekInfo {
            uri: self.uri.clone(),
            environment: self.environment.clone(),
            versions: info(&key),
            hardware_or_remote: true,
        })
    }

    async fn rotate(&self) -> Result<String, Error> {
        let work = async {
            self.change_key("rotate", &Empty {}).await?;
            Ok(self.read_key().await?.latest_version.to_string())
        };
        self.client.within(work).await
    }

    async fn disable(&self, version: &str) -> Result<(), Error> {
        let work = async {
            let key = self.read_key().await?;
            let number = known(&key, version)?;
            if number == key.latest_version {
                return Err(Error::Caller("the newest version cannot be disabled"));
            }
            if number < key.min_decryption_version {
                return Ok(());
            }
            if number > key.min_decryption_version {
                return Err(Error::Caller(
                    "the versions of a transit key are disabled from the oldest on",
                ));
            }
            self.set_oldest_enabled(number.saturating_add(1)).await
        };
        self.client.within(work).await
    }

    async fn enable(&self, version: &str) -> Result<(), Error> {
        let work = async {
            let key = self.read_key().await?;
            let number = known(&key, version)?;
            if number >= key.min_decryption_version {
                return Ok(());
            }
            if number.saturating_add(1) < key.min_decryption_version {
                return Err(Error::Caller(
                    "the versions of a transit key are enabled from the newest disabled one on",
                ));
            }
            self.set_oldest_enabled(number).await
        };
        self.client.within(work).await
    }
}
