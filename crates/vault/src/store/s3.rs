//! Records in an S3-compatible bucket, with conditional writes (`If-None-Match`, `If-Match`).
//!
//! Each record is one object: a header with its revision, then its bytes. A write reads the object,
//! and replaces exactly what it read: its `ETag` compares. A destroyed record leaves a tombstone of
//! 13 bytes with a revision, so that revisions go on where they ended. `SPEC.md`, section 11, has
//! the formats.

mod client;
mod error;
mod key;
mod list;
mod mark;
mod object;
mod read;
mod service;
mod write;

use core::time::Duration;

use async_trait::async_trait;
use halfkey_core::EnvironmentId;
use object_store::aws::AmazonS3;
use serde::Deserialize;

use self::key::Keys;
use super::page_limit;
use crate::net::{SecretSource, TlsConfig};
use crate::{
    DestroyRecord, Error, Expect, GetRecord, ListRecords, Page, PutRecord, RecordName, Rev,
    Versioned,
};

/// The longest record or row, in bytes: twice the longest sealed record.
pub const MAX_RECORD_LEN: usize = 2 << 20;

/// Where the bucket is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// The bucket's name. It must exist.
    pub bucket: String,
    /// Its region, such as `eu-central-1`; for other makers whatever they ask for.
    pub region: String,
    /// What every key begins with, at most 200 bytes; a `/` is added where it lacks one. Empty
    /// unless set.
    #[serde(default)]
    pub prefix: String,
    /// The server, for S3 by others: `https://minio.example:9000`. AWS unless set. The bucket
    /// becomes the first part of the path.
    pub endpoint: Option<String>,
    /// Fixed credentials. Unless set: the `AWS_…` variables of the environment, a web identity, the
    /// container's or the machine's role.
    pub credentials: Option<S3Credentials>,
    /// The connection to the bucket.
    #[serde(default)]
    pub tls: TlsConfig,
    /// How long one call may take, in milliseconds; 10 000 unless set. Each page of a listing is a
    /// call.
    #[serde(default = "default_deadline_ms")]
    pub deadline_ms: u64,
}

const fn default_deadline_ms() -> u64 {
    10_000
}

/// Where fixed credentials come from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Credentials {
    /// The access key id.
    pub access_key_id: SecretSource,
    /// The secret access key.
    pub secret_access_key: SecretSource,
    /// The session token of temporary credentials.
    pub session_token: Option<SecretSource>,
}

/// A record store in one bucket.
#[derive(Clone)]
pub struct S3Records {
    store: AmazonS3,
    keys: Keys,
    /// For errors: the bucket and the prefix.
    uri: String,
    deadline: Duration,
}

impl core::fmt::Debug for S3Records {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("S3Records")
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}

impl S3Records {
    /// Connects, checks that the bucket's prefix belongs to `environment` (marks one that holds no
    /// records) and that the server keeps to the conditions of writes, where this process may
    /// write.
    ///
    /// # Errors
    /// [`Error::Config`] also when the server ignores conditions, [`Error::Insecure`],
    /// [`Error::NotFound`] when there is no such bucket, [`Error::Environment`],
    /// [`Error::Denied`], [`Error::Timeout`], [`Error::Throttled`] or [`Error::Backend`].
    pub async fn open(config: &S3Config, environment: &EnvironmentId) -> Result<Self, Error> {
        let keys = Keys::new(&config.prefix)?;
        let records = Self {
            store: client::build(config)?,
            uri: format!("s3:{}/{}", config.bucket, keys.prefix()),
            keys,
            deadline: Duration::from_millis(config.deadline_ms),
        };
        records.check_mark(environment).await?;
        records.check_conditions(environment).await?;
        Ok(records)
    }

    /// `work`, within the deadline. A write that was cut off may or may not have taken place.
    async fn timed<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match tokio::time::timeout(self.deadline, work).await {
            Ok(done) => done,
            Err(_) => Err(Error::Timeout(self.uri.clone())),
        }
    }
}

#[async_trait]
impl PutRecord for S3Records {
    async fn put(&self, name: &RecordName, bytes: &[u8], expect: Expect) -> Result<Rev, Error> {
        if bytes.len() > MAX_RECORD_LEN {
            return Err(Error::TooLarge {
                what: "record",
                len: bytes.len(),
                limit: MAX_RECORD_LEN,
            });
        }
        self.timed(self.write(name, bytes, expect)).await
    }
}

#[async_trait]
impl GetRecord for S3Records {
    async fn get(&self, name: &RecordName) -> Result<Option<Versioned<Vec<u8>>>, Error> {
        self.timed(self.read(name)).await
    }
}

#[async_trait]
impl ListRecords for S3Records {
    async fn list(
        &self,
        prefix: &str,
        after: Option<&RecordName>,
        limit: usize,
    ) -> Result<Page, Error> {
        self.list_names(prefix, after, page_limit(limit)?).await
    }
}

#[async_trait]
impl DestroyRecord for S3Records {
    async fn destroy(&self, name: &RecordName, expect: Expect) -> Result<(), Error> {
        self.timed(self.bury(name, expect)).await
    }
}
