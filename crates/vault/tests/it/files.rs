//! Records as files.

mod crash;
mod disk_full;
mod handles;
mod permissions;
mod records;

use std::path::Path;

use halfkey_vault::store::files::{FileRecords, FilesConfig};
use tempfile::TempDir;

use crate::support::environment;

/// Where syncing costs nothing, when durability is not what the test is about.
pub(crate) fn fast_dir() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

pub(crate) fn config(dir: &Path) -> FilesConfig {
    FilesConfig {
        dir: dir.to_owned(),
        create: true,
        deadline_ms: 60_000,
    }
}

pub(crate) async fn open(dir: &Path) -> FileRecords {
    FileRecords::open(&config(dir), &environment())
        .await
        .unwrap()
}
