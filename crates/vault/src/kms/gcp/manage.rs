//! Looking after the key.

use async_trait::async_trait;
use halfkey_core::UnixMillis;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::messages::{CryptoKey, CryptoKeyVersion, NewPrimary, NewState, NewVersion, VersionPage};
use super::{GcpKek, PEER, name};
use crate::net::gcp::Refusal;
use crate::{Error, KekInfo, KekState, KekVersion, ManageKey};

/// More versions than any key has; a list without an end is an error.
const MAX_PAGES: usize = 1000;

impl GcpKek {
    async fn versions(&self) -> Result<Vec<CryptoKeyVersion>, Error> {
        let path = format!("{}/cryptoKeyVersions", self.key);
        let (mut versions, mut token) = (Vec::new(), String::new());
        for _ in 0..MAX_PAGES {
            let query = [("pageSize", "100"), ("pageToken", token.as_str())];
            let page: VersionPage = self
                .client
                .get(&path, &query)
                .await
                .map_err(|refusal| refusal.into_error(PEER, "listing versions"))?;
            versions.extend(page.crypto_key_versions);
            if page.next_page_token.is_empty() {
                return Ok(versions);
            }
            token = page.next_page_token;
        }
        Err(self.client.misunderstood())
    }

    /// The version new wraps use.
    fn primary<'a>(&self, key: &'a CryptoKey) -> Option<&'a str> {
        let primary = key.primary.as_ref()?;
        name::version_in(&self.key, &primary.name)
    }

    async fn set_state(&self, version: &str, state: &str) -> Result<(), Error> {
        if !name::is_version(version) {
            return Err(Error::Caller("there is no such KEK version"));
        }
        let path = name::of_version(&self.key, version);
        let query = [("updateMask", "state")];
        let changed: CryptoKeyVersion =
            match self.client.patch(&path, &query, &NewState { state }).await {
                Err(Refusal::NotFound) => {
                    return Err(Error::Caller("there is no such KEK version"));
                }
                Err(Refusal::Precondition) => return Err(Error::KeyDisabled(path)),
                other => other
                    .map_err(|refusal| refusal.into_error(PEER, "changing a version's state"))?,
            };
        if changed.state == state {
            Ok(())
        } else {
            Err(self.client.misunderstood())
        }
    }
}

/// `None` for a version whose key is gone or never was: it is no version any more.
fn state_of(version: &CryptoKeyVersion) -> Option<KekState> {
    match version.state.as_str() {
        "ENABLED" => Some(KekState::Enabled),
        "DESTROY_SCHEDULED" => Some(KekState::PendingDeletion),
        "DISABLED" | "PENDING_GENERATION" | "PENDING_IMPORT" => Some(KekState::Disabled),
        _ => None,
    }
}

fn created_at(version: &CryptoKeyVersion) -> Option<UnixMillis> {
    let at = OffsetDateTime::parse(version.create_time.as_deref()?, &Rfc3339).ok()?;
    let millis = at.unix_timestamp_nanos().checked_div(1_000_000)?;
    i64::try_from(millis).ok().map(UnixMillis)
}

#[async_trait]
impl ManageKey for GcpKek {
    /// Two calls and one for each further hundred versions. The primary version is last, whatever
    /// its number.
    async fn info(&self) -> Result<KekInfo, Error> {
        let key = self.look_up().await?;
        let primary = self.primary(&key);
        let mut versions = Vec::new();
        for found in self.versions().await? {
            let version = name::version_in(&self.key, &found.name)
                .ok_or_else(|| self.client.misunderstood())?;
            versions.extend(state_of(&found).map(|state| KekVersion {
                version: version.to_owned(),
                created_at: created_at(&found),
                state,
            }));
        }
        versions.sort_by_key(|found| {
            (
                Some(found.version.as_str()) == primary,
                name::number(&found.version),
            )
        });
        Ok(KekInfo {
            uri: self.uri.clone(),
            environment: self.environment.clone(),
            versions,
            hardware_or_remote: true,
        })
    }

    /// Two calls: a new version, then it is made primary. Between the two a crash leaves a version
    /// that nothing uses. Google may take a minute until every wrap uses the new one; each wrap
    /// names the version that made it.
    async fn rotate(&self) -> Result<String, Error> {
        let failed = |refusal: Refusal| refusal.into_error(PEER, "rotating");
        let versions = format!("{}/cryptoKeyVersions", self.key);
        let made: CryptoKeyVersion = self
            .client
            .post(&versions, &[], &NewVersion {})
            .await
            .map_err(failed)?;
        let version =
            name::version_in(&self.key, &made.name).ok_or_else(|| self.client.misunderstood())?;
        let request = NewPrimary {
            crypto_key_version_id: version,
        };
        let path = format!("{}:updatePrimaryVersion", self.key);
        let changed: CryptoKey = match self.client.post(&path, &[], &request).await {
            Err(Refusal::Precondition) => {
                return Err(Error::temporary(format!(
                    "{PEER}: version {version} is not ready yet; make it primary when it is"
                )));
            }
            other => other.map_err(failed)?,
        };
        if self.primary(&changed) == Some(version) {
            Ok(version.to_owned())
        } else {
            Err(self.client.misunderstood())
        }
    }

    async fn disable(&self, version: &str) -> Result<(), Error> {
        if self.primary(&self.look_up().await?) == Some(version) {
            return Err(Error::Caller("the primary KEK version must stay enabled"));
        }
        self.set_state(version, "DISABLED").await
    }

    /// Also for the primary version: it can have been disabled by other means.
    async fn enable(&self, version: &str) -> Result<(), Error> {
        self.set_state(version, "ENABLED").await
    }
}
