//! Looking after the KEK. Objects are made and turned off, never destroyed.

use async_trait::async_trait;
use cryptoki::session::Session;

use super::failure::Failure;
use super::keys::Versions;
use super::token::Access;
use super::wrap::parse_version;
use super::{Inner, Pkcs11Kek, date, key_object};
use crate::{Error, KekInfo, KekState, KekVersion, ManageKey};

impl Inner {
    /// Makes the version of that number, and looks whether somebody else did the same meanwhile.
    pub(super) fn make_version(&self, session: &Session, number: u32) -> Result<Versions, Failure> {
        let day = date::day_of(self.clock.now());
        key_object::generate(session, &self.keys.label, number, day)?;
        let found = self.keys.refresh(session)?;
        // Both keys stay, and unwrap what they wrapped: the other one may be in use already.
        match found.get(&number) {
            Some(version) if version.handles.len() == 1 => Ok(found),
            Some(_) => Err(Error::Conflict(self.uri.clone()).into()),
            None => Err(Error::temporary("token: it does not show the key it made").into()),
        }
    }

    fn rotate(&self, session: &Session) -> Result<String, Failure> {
        let found = self.keys.refresh(session)?;
        let newest = found.keys().next_back().copied().unwrap_or_default();
        let next = newest
            .checked_add(1)
            .ok_or_else(|| Error::permanent("too many KEK versions"))?;
        self.make_version(session, next)?;
        Ok(next.to_string())
    }

    fn set_enabled(&self, session: &Session, number: u32, enabled: bool) -> Result<(), Failure> {
        let found = self.keys.refresh(session)?;
        let version = found
            .get(&number)
            .ok_or(Error::Caller("the KEK has no such version"))?;
        if !enabled && found.keys().next_back() == Some(&number) {
            return Err(Error::Caller("the newest version wraps; rotate first").into());
        }
        for key in &version.handles {
            key_object::set_enabled(session, *key, enabled)?;
        }
        let found = self.keys.refresh(session)?;
        match found.get(&number) {
            Some(version) if version.is_enabled == enabled => Ok(()),
            _ => Err(Error::Forbidden("disable or enable a version in this token").into()),
        }
    }

    fn info(&self, session: &Session) -> Result<KekInfo, Failure> {
        let found = self.keys.refresh(session)?;
        let versions = found.iter().map(|(number, version)| KekVersion {
            version: number.to_string(),
            created_at: version.created_at,
            state: if version.is_enabled {
                KekState::Enabled
            } else {
                KekState::Disabled
            },
        });
        Ok(KekInfo {
            uri: self.uri.clone(),
            environment: self.environment.clone(),
            versions: versions.collect(),
            hardware_or_remote: true,
        })
    }
}

impl Pkcs11Kek {
    async fn change(&self, version: &str, enabled: bool) -> Result<(), Error> {
        let number = parse_version(version);
        let number = number.ok_or(Error::Caller("the KEK has no such version"))?;
        self.call(Access::Write, move |inner, session| {
            inner.set_enabled(session, number, enabled)
        })
        .await
    }
}

#[async_trait]
impl ManageKey for Pkcs11Kek {
    async fn info(&self) -> Result<KekInfo, Error> {
        self.call(Access::Read, Inner::info).await
    }

    async fn rotate(&self) -> Result<String, Error> {
        self.call(Access::Write, Inner::rotate).await
    }

    async fn disable(&self, version: &str) -> Result<(), Error> {
        self.change(version, false).await
    }

    async fn enable(&self, version: &str) -> Result<(), Error> {
        self.change(version, true).await
    }
}
