//! A key-encryption key that lives and dies with the process, for tests.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use halfkey_core::EnvironmentId;

use super::aead_wrap::{self, Kek};
use crate::entropy::random_bytes;
use crate::{
    BindCtx, Dek, Error, KekInfo, KekState, KekVersion, ManageKey, RewrapKey, UnwrapKey, WrapKey,
    Wrapped,
};

/// A KEK in memory, with versions.
pub struct MemoryKek {
    uri: String,
    versions: Mutex<Vec<Kek>>,
    disabled: Mutex<BTreeSet<String>>,
    environment: EnvironmentId,
}

impl core::fmt::Debug for MemoryKek {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("MemoryKek")
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}

impl MemoryKek {
    /// A fresh KEK `memory:{id}` with version 1.
    ///
    /// # Errors
    /// When the random generator fails.
    pub fn new(id: &str) -> Result<Self, Error> {
        let first = Kek::new(&*random_bytes::<32>()?)?;
        Ok(Self {
            uri: format!("memory:{id}"),
            versions: Mutex::new(vec![first]),
            disabled: Mutex::default(),
            environment: "env-test".parse()?,
        })
    }

    /// Adds a version; new wraps use it.
    ///
    /// # Errors
    /// When the random generator fails.
    pub fn add_version(&self) -> Result<(), Error> {
        let next = Kek::new(&*random_bytes::<32>()?)?;
        self.versions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(next);
        Ok(())
    }

    fn newest(&self) -> Option<(usize, Kek)> {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.last().map(|kek| (versions.len(), kek.clone()))
    }

    fn disabled(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.disabled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn version(&self, wrapped: &Wrapped) -> Result<Kek, Error> {
        if self.disabled().contains(&wrapped.kek_version) {
            return Err(Error::KeyDisabled(self.uri.clone()));
        }
        if wrapped.kek_uri != self.uri {
            return Err(Error::corrupt(&*self.uri, "it is wrapped by another KEK"));
        }
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let numbered = versions.iter().zip(1_usize..);
        numbered
            .filter(|(_, number)| number.to_string() == wrapped.kek_version)
            .map(|(kek, _)| kek.clone())
            .next()
            .ok_or_else(|| Error::corrupt(&*self.uri, "it is wrapped by an unknown KEK version"))
    }
}

#[async_trait]
impl WrapKey for MemoryKek {
    async fn wrap(&self, ctx: &BindCtx, dek: &Dek) -> Result<Wrapped, Error> {
        let (version, kek) = self
            .newest()
            .ok_or_else(|| Error::permanent("no KEK version"))?;
        let bytes = aead_wrap::wrap(&kek, ctx, dek)?;
        Ok(Wrapped {
            kek_uri: self.uri.clone(),
            kek_version: version.to_string(),
            bytes,
        })
    }
}

#[async_trait]
impl UnwrapKey for MemoryKek {
    async fn unwrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Dek, Error> {
        let kek = self.version(wrapped)?;
        aead_wrap::unwrap(&kek, ctx, &self.uri, &wrapped.bytes)
    }
}

#[async_trait]
impl RewrapKey for MemoryKek {
    fn kek_uri(&self) -> &str {
        &self.uri
    }

    async fn rewrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Wrapped, Error> {
        let dek = self.unwrap(ctx, wrapped).await?;
        self.wrap(ctx, &dek).await
    }
}

#[async_trait]
impl ManageKey for MemoryKek {
    async fn info(&self) -> Result<KekInfo, Error> {
        let count = self.newest().map_or(0, |(count, _)| count);
        let disabled = self.disabled();
        let versions = (1..=count).map(|number| {
            let version = number.to_string();
            let state = if disabled.contains(&version) {
                KekState::Disabled
            } else {
                KekState::Enabled
            };
            KekVersion {
                version,
                created_at: None,
                state,
            }
        });
        Ok(KekInfo {
            uri: self.uri.clone(),
            environment: self.environment.clone(),
            versions: versions.collect(),
            hardware_or_remote: false,
        })
    }

    async fn rotate(&self) -> Result<String, Error> {
        self.add_version()?;
        let newest = self.newest().map(|(number, _)| number.to_string());
        newest.ok_or_else(|| Error::permanent("no KEK version"))
    }

    async fn disable(&self, version: &str) -> Result<(), Error> {
        let newest = self.newest().map(|(number, _)| number.to_string());
        if newest.as_deref() == Some(version) {
            return Err(Error::Caller("the newest version wraps; rotate first"));
        }
        self.disabled().insert(version.to_owned());
        Ok(())
    }

    async fn enable(&self, version: &str) -> Result<(), Error> {
        self.disabled().remove(version);
        Ok(())
    }
}
