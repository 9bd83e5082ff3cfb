//! Records as files in one directory: no server and no database, for a volume that is backed up as
//! files.
//!
//! Writers hold an exclusive lock on the directory; a write is a new file, synced, renamed into
//! place, and the directory synced. Readers take no lock: a file is replaced in one step, and its
//! checksum tells when it was wiped while it was read. `SPEC.md`, section 10, has the formats.

mod destroy;
mod directory;
mod file_name;
mod format;
mod list;
mod put;
mod read;

use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use halfkey_core::EnvironmentId;
use serde::Deserialize;

use self::directory::Directory;
use super::page_limit;
use crate::{
    DestroyRecord, Error, Expect, GetRecord, ListRecords, Page, PutRecord, RecordName, Rev,
    Versioned,
};

/// The longest record or row, in bytes: twice the longest sealed record.
pub const MAX_RECORD_LEN: usize = 2 << 20;

/// Where the files are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilesConfig {
    /// The directory, 0700 and of this user; on a local file system. Nothing else stands in it.
    pub dir: PathBuf,
    /// Make the directory when it is absent; on unless set. Turn it off after the first start where
    /// the directory is a volume that could be not mounted.
    #[serde(default = "yes")]
    pub create: bool,
    /// How long one call may take, in milliseconds, waiting for other writers included; 10 000
    /// unless set.
    #[serde(default = "default_deadline_ms")]
    pub deadline_ms: u64,
}

const fn yes() -> bool {
    true
}

const fn default_deadline_ms() -> u64 {
    10_000
}

/// A record store in one directory.
#[derive(Debug, Clone)]
pub struct FileRecords {
    directory: Arc<Directory>,
    deadline: Duration,
}

impl FileRecords {
    /// Opens the directory, sweeps what a crash left there, and checks that it belongs to
    /// `environment`.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Permissions`] when the directory or a file is open to others,
    /// [`Error::Environment`], [`Error::Corrupt`], [`Error::Full`], [`Error::Timeout`] when another
    /// process holds the lock, or [`Error::Backend`].
    pub async fn open(config: &FilesConfig, environment: &EnvironmentId) -> Result<Self, Error> {
        let (path, create) = (config.dir.clone(), config.create);
        let deadline = Duration::from_millis(config.deadline_ms);
        let environment = environment.clone();
        let shown = path.display().to_string();
        let opened = blocking(deadline, shown, move || {
            Directory::open(&path, create, &environment)
        });
        Ok(Self {
            directory: Arc::new(opened.await?),
            deadline,
        })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Directory) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let directory = Arc::clone(&self.directory);
        let shown = directory.path().display().to_string();
        blocking(self.deadline, shown, move || work(&directory)).await
    }
}

/// On a thread of its own. After the deadline the work goes on there, and its outcome is unknown.
async fn blocking<T: Send + 'static>(
    deadline: Duration,
    what: String,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let task = tokio::task::spawn_blocking(work);
    match tokio::time::timeout(deadline, task).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => Err(Error::permanent("a background thread stopped")),
        Err(_) => Err(Error::Timeout(what)),
    }
}

#[async_trait]
impl PutRecord for FileRecords {
    async fn put(&self, name: &RecordName, bytes: &[u8], expect: Expect) -> Result<Rev, Error> {
        if bytes.len() > MAX_RECORD_LEN {
            return Err(Error::TooLarge {
                what: "record",
                len: bytes.len(),
                limit: MAX_RECORD_LEN,
            });
        }
        let (name, bytes) = (name.clone(), bytes.to_vec());
        self.run(move |directory| put::put(directory, &name, &bytes, expect))
            .await
    }
}

#[async_trait]
impl GetRecord for FileRecords {
    async fn get(&self, name: &RecordName) -> Result<Option<Versioned<Vec<u8>>>, Error> {
        let name = name.clone();
        self.run(move |directory| read::read(directory, &name))
            .await
    }
}

#[async_trait]
impl ListRecords for FileRecords {
    async fn list(
        &self,
        prefix: &str,
        after: Option<&RecordName>,
        limit: usize,
    ) -> Result<Page, Error> {
        let limit = page_limit(limit)?;
        let (prefix, after) = (prefix.to_owned(), after.cloned());
        self.run(move |directory| list::list(directory, &prefix, after.as_ref(), limit))
            .await
    }
}

#[async_trait]
impl DestroyRecord for FileRecords {
    async fn destroy(&self, name: &RecordName, expect: Expect) -> Result<(), Error> {
        let name = name.clone();
        self.run(move |directory| destroy::destroy(directory, &name, expect))
            .await
    }
}
