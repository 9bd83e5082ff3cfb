//! The directory: private, marked with its environment, locked by writers.

mod floor;
mod mark;
pub(super) mod sweep;

use std::fs::File;
use std::path::{Path, PathBuf};

use halfkey_core::EnvironmentId;
use rustix::fs::FlockOperation;

use super::file_name::file_name;
use crate::private_file;
use crate::{Error, RecordName};

/// A directory of records.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
}

/// Held by whoever writes; ends when dropped.
#[derive(Debug)]
pub(super) struct Lock<'a> {
    directory: &'a Directory,
    _file: File,
}

impl Directory {
    pub(super) fn open(
        path: &Path,
        create: bool,
        environment: &EnvironmentId,
    ) -> Result<Self, Error> {
        if path.symlink_metadata().is_err() && !create {
            return Err(Error::NotFound(path.display().to_string()));
        }
        private_file::ensure_dir(path)?;
        let directory = Self {
            path: path.to_owned(),
        };
        let lock = directory.lock()?;
        lock.check_mark(environment)?;
        lock.sweep()?;
        drop(lock);
        Ok(directory)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file of a record.
    pub(super) fn file_of(&self, name: &RecordName) -> PathBuf {
        self.path.join(file_name(name))
    }

    /// Waits until no other handle or process writes or lists here.
    pub(super) fn lock(&self) -> Result<Lock<'_>, Error> {
        self.lock_as(FlockOperation::LockExclusive)
    }

    /// Waits until no other handle or process writes here.
    pub(super) fn lock_shared(&self) -> Result<Lock<'_>, Error> {
        self.lock_as(FlockOperation::LockShared)
    }

    fn lock_as(&self, operation: FlockOperation) -> Result<Lock<'_>, Error> {
        let failed =
            |error: &std::io::Error| private_file::io_error("cannot lock", &self.path, error);
        let file = File::open(&self.path).map_err(|error| failed(&error))?;
        loop {
            match rustix::fs::flock(&file, operation) {
                Ok(()) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(failed(&error.into())),
            }
        }
        Ok(Lock {
            directory: self,
            _file: file,
        })
    }
}
