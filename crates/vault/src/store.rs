//! Stores of opaque records and of wallet properties: one trait per right.

#[cfg(feature = "aws")]
pub mod aws_secrets;
#[cfg(feature = "azure")]
pub mod azure_secrets;
pub mod files;
#[cfg(feature = "gcp")]
pub mod gcp_secrets;
#[cfg(feature = "openbao")]
pub mod kv;
pub mod memory;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "s3")]
pub mod s3;
pub mod secret;
pub mod secret_manager;
pub mod sqlite;

use async_trait::async_trait;
use halfkey_core::WalletProperties;

use crate::{Error, RecordName};

/// A record's revision in its store; grows with each write of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rev(pub u64);

/// What must be there for a write to take place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing under that name.
    Absent,
    /// Exactly this revision.
    Rev(Rev),
    /// Anything or nothing.
    Any,
}

/// A value and its revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// Its revision.
    pub rev: Rev,
}

/// One page of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The names, ascending.
    pub names: Vec<RecordName>,
    /// Pass as `after` for the next page; `None` on the last.
    pub next: Option<RecordName>,
}

/// All four rights over one record store.
pub trait RecordStore: PutRecord + GetRecord + ListRecords + DestroyRecord {}

impl<T: PutRecord + GetRecord + ListRecords + DestroyRecord + ?Sized> RecordStore for T {}

/// May write records.
#[async_trait]
pub trait PutRecord: Send + Sync {
    /// Writes durably (the call returns after the store's own durability barrier) if `expect`
    /// holds; [`Error::Conflict`] otherwise.
    async fn put(&self, name: &RecordName, bytes: &[u8], expect: Expect) -> Result<Rev, Error>;
}

/// May read records.
#[async_trait]
pub trait GetRecord: Send + Sync {
    /// Reads a record, past every cache.
    async fn get(&self, name: &RecordName) -> Result<Option<Versioned<Vec<u8>>>, Error>;
}

/// The most names one page holds.
pub const MAX_PAGE: usize = 1000;

/// A page's limit, checked and capped.
pub(crate) fn page_limit(limit: usize) -> Result<usize, Error> {
    if limit == 0 {
        return Err(Error::Caller("a page must hold at least one name"));
    }
    Ok(limit.min(MAX_PAGE))
}

/// May list names.
#[async_trait]
pub trait ListRecords: Send + Sync {
    /// Names that start with `prefix`, ascending, strictly after `after`, at most `limit` (and at
    /// most [`MAX_PAGE`]); a `limit` of 0 is [`Error::Caller`].
    async fn list(
        &self,
        prefix: &str,
        after: Option<&RecordName>,
        limit: usize,
    ) -> Result<Page, Error>;
}

/// May destroy records.
#[async_trait]
pub trait DestroyRecord: Send + Sync {
    /// Destroys a record; destroying what is absent succeeds with `Expect::Any` only. A revision
    /// that does not fit is [`Error::Conflict`], `Expect::Absent` is [`Error::Caller`];
    /// [`Error::ShredIncomplete`] when it is gone, but not yet from the store's own log.
    async fn destroy(&self, name: &RecordName, expect: Expect) -> Result<(), Error>;
}

/// The cache tier. Keys are canonical addresses; makes no durability claim.
#[async_trait]
pub trait PropertiesStore: Send + Sync {
    /// Reads.
    async fn get(&self, address: &str) -> Result<Option<Versioned<WalletProperties>>, Error>;
    /// Writes if `expect` holds.
    async fn put(
        &self,
        address: &str,
        properties: &WalletProperties,
        expect: Expect,
    ) -> Result<Rev, Error>;
    /// Forgets.
    async fn delete(&self, address: &str) -> Result<(), Error>;
    /// Addresses in ascending order, strictly after `after`, at most `limit` (and at most
    /// [`MAX_PAGE`]); a `limit` of 0 is [`Error::Caller`].
    async fn addresses(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, Error>;
}
