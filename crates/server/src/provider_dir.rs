//! Where a provider keeps what under its data directory, and durable writes of small files.

use std::fs::TryLockError;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use halfkey_core::EnvironmentId;

use crate::Error;

/// `<data dir>/provider` and what is in it. Only the owner may enter.
#[derive(Debug, Clone)]
pub(crate) struct ProviderDir(PathBuf);

impl ProviderDir {
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self(data_dir.join("provider"))
    }

    pub(crate) fn root(&self) -> &Path {
        &self.0
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("provider.db")
    }

    /// Boot and restore counter; outside the database so that a restored one gives itself away.
    pub(crate) fn boot_counter(&self) -> PathBuf {
        self.0.join("boot-counter.json")
    }

    /// Locks that the database did not take.
    pub(crate) fn unwritten_locks(&self) -> PathBuf {
        self.0.join("unwritten-locks.json")
    }

    /// Slots that ended as `suspect` and that the database did not take.
    pub(crate) fn unwritten_suspicions(&self) -> PathBuf {
        self.0.join("unwritten-suspicions.json")
    }

    pub(crate) fn serve_lock(&self) -> PathBuf {
        self.0.join("serve.lock")
    }

    /// Whether a process serves this directory now.
    pub(crate) fn is_being_served(&self) -> Result<bool, Error> {
        let path = self.serve_lock();
        let file = match std::fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(Error::io(format!("open {}", path.display()))(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => {
                Err(Error::io(format!("lock {}", path.display()))(error))
            }
        }
    }

    pub(crate) fn dev_tls(&self) -> PathBuf {
        self.0.join("dev-tls")
    }

    /// Keyring and sealed secrets of one environment.
    pub(crate) fn environment(&self, environment: &EnvironmentId) -> PathBuf {
        self.0.join("environments").join(environment.as_str())
    }
}

/// Creates `dir` and its parents, new ones for the owner only.
pub(crate) fn create_private_dir(dir: &Path) -> Result<(), Error> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(Error::io(format!("create {}", dir.display())))
}

/// Replaces `path` by `bytes`, readable by the owner only; durable when this returns.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let what = || format!("write {}", path.display());
    let dir = path
        .parent()
        .ok_or(Error::Bug("a provider file has a directory"))?;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(Error::io(what()))?;
    file.write_all(bytes).map_err(Error::io(what()))?;
    file.sync_all().map_err(Error::io(what()))?;
    std::fs::rename(&temporary, path).map_err(Error::io(what()))?;
    // The rename itself is durable only once the directory is.
    std::fs::File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(Error::io(format!("sync {}", dir.display())))
}

/// Reads a file; `None` when there is none.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(format!("read {}", path.display()))(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn files_are_private_and_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/file");
        create_private_dir(path.parent().unwrap()).unwrap();
        assert_eq!(read_if_there(&path).unwrap(), None);
        write_durably(&path, b"longer than the next").unwrap();
        write_durably(&path, b"short").unwrap();
        assert_eq!(read_if_there(&path).unwrap().unwrap(), b"short");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }
}
