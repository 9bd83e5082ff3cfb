//! A key-encryption key that lives and dies with the process, for tests.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::aead_wrap::{self, Kek};
use crate::entropy::random_bytes;
use crate::{BindCtx, Dek, Error, RewrapKey, UnwrapKey, WrapKey, Wrapped};

/// A KEK in memory, with versions.
pub struct MemoryKek {
    uri: String,
    versions: Mutex<Vec<Kek>>,
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
        let first = random_bytes::<32>()?;
        Ok(Self {
            uri: format!("memory:{id}"),
            versions: Mutex::new(vec![first]),
        })
    }

    /// Adds a version; new wraps use it.
    ///
    /// # Errors
    /// When the random generator fails.
    pub fn add_version(&self) -> Result<(), Error> {
        let next = random_bytes::<32>()?;
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

    fn version(&self, wrapped: &Wrapped) -> Result<Kek, Error> {
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
