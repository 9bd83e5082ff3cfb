//! Records in a secret manager, with a record store beside it that compares and sets.
//!
//! A secret manager keeps values and has no compare-and-set; the *index*, any record store, has it.
//! Each write of a sealed record makes a new secret under a fresh id, then sets the index row to a
//! pointer at it, then removes the secret the row pointed at before. So a record is always one
//! whole secret that one row vouches for, by its digest; what a crash leaves over is a secret that
//! no row refers to, and [`sweep_orphans`](SecretManagerRecords::sweep_orphans) finds it.
//!
//! Only sealed records are put into the secret manager. Plain rows (the `…/state` of a wallet) and
//! tombstones stand in the index.

mod destroy;
mod index_mark;
mod pointer;
mod put;
mod read;
mod split;
mod sweep;

use std::sync::Arc;

use async_trait::async_trait;
use halfkey_core::EnvironmentId;
use serde::Deserialize;

pub use self::sweep::{MIN_GRACE, OrphanCandidates, SweepReport};

use super::secret::{SecretId, SecretStore};
use crate::{
    DestroyRecord, Error, Expect, GetRecord, ListRecords, Page, PutRecord, RecordName, RecordStore,
    Rev, Versioned,
};

/// How often a write or read starts again because another writer came between.
const ROUNDS: usize = 16;

/// What of a sealed record stands where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// The whole record is the secret's value; the index holds a pointer only.
    #[default]
    SealedInSecret,
    /// Header and wrapped keys (about 250 bytes) are the secret's value; the sealed body stands in
    /// the index behind the pointer. Takes records of every length, and removing the secret shreds
    /// the body in the index and in all its backups.
    DekInSecretManager,
}

/// How records stand in a secret manager.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecretManagerConfig {
    /// What new records look like; `sealed-in-secret` unless set. Those of the other layout stay
    /// readable, so that it can be changed at any time.
    pub layout: Layout,
}

/// Records in a secret manager.
#[derive(Clone)]
pub struct SecretManagerRecords {
    layout: Layout,
    secrets: Arc<dyn SecretStore>,
    index: Arc<dyn RecordStore>,
}

impl core::fmt::Debug for SecretManagerRecords {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SecretManagerRecords")
            .field("layout", &self.layout)
            .field("secrets", &self.secrets.uri())
            .finish_non_exhaustive()
    }
}

impl SecretManagerRecords {
    /// Ties `secrets` and `index` together. The first time, both are marked as belonging to each
    /// other, which takes the right to write to both; later it only reads.
    ///
    /// # Errors
    /// [`Error::Config`] when the secrets here belong to another index: two indexes over one prefix
    /// would sweep away each other's records, and an index that was lost must be restored, not made
    /// anew; [`Error::Environment`] when they are of another environment; and the stores'.
    pub async fn open(
        config: &SecretManagerConfig,
        environment: &EnvironmentId,
        secrets: Arc<dyn SecretStore>,
        index: Arc<dyn RecordStore>,
    ) -> Result<Self, Error> {
        let records = Self {
            layout: config.layout,
            secrets,
            index,
        };
        records.tie(environment).await?;
        Ok(records)
    }

    /// Removes a secret that nothing refers to any more. What fails is left to the sweep.
    async fn discard(&self, id: SecretId, name: &RecordName) {
        if let Err(error) = self.secrets.remove(id).await {
            tracing::warn!(record = %name, secret = %id, %error, "a secret was left as an orphan");
        }
    }
}

#[async_trait]
impl PutRecord for SecretManagerRecords {
    async fn put(&self, name: &RecordName, bytes: &[u8], expect: Expect) -> Result<Rev, Error> {
        index_mark::refuse(name)?;
        self.write(name, bytes, expect).await
    }
}

#[async_trait]
impl GetRecord for SecretManagerRecords {
    async fn get(&self, name: &RecordName) -> Result<Option<Versioned<Vec<u8>>>, Error> {
        index_mark::refuse(name)?;
        self.read(name).await
    }
}

#[async_trait]
impl ListRecords for SecretManagerRecords {
    async fn list(
        &self,
        prefix: &str,
        after: Option<&RecordName>,
        limit: usize,
    ) -> Result<Page, Error> {
        let mut after = after.cloned();
        loop {
            let page = self.index.list(prefix, after.as_ref(), limit).await?;
            let mut names = page.names;
            names.retain(|name| !index_mark::is_mark(name));
            match page.next {
                // A page of nothing but the mark.
                Some(next) if names.is_empty() => after = Some(next),
                next => {
                    let next = next.and_then(|_| names.last().cloned());
                    return Ok(Page { names, next });
                }
            }
        }
    }
}

#[async_trait]
impl DestroyRecord for SecretManagerRecords {
    async fn destroy(&self, name: &RecordName, expect: Expect) -> Result<(), Error> {
        index_mark::refuse(name)?;
        self.shred(name, expect).await
    }
}
