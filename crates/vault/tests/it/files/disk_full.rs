//! A full file system is [`Error::Full`], and loses nothing.

use std::process::Command;

use halfkey_vault::{DestroyRecord, Error, Expect, GetRecord, ListRecords, PutRecord};

use super::open;
use crate::support::{files_in, name};

/// A file system of one megabyte.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// None where this process may mount nothing.
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs"];
        let done = Command::new("mount").args(mount).arg(dir.path()).output();
        done.ok()?.status.success().then_some(Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.0.path()).output());
    }
}

/// Where nothing may be mounted there is nothing to fill: then only the filling is left out, and a
/// write into the void device stands in for the error.
#[tokio::test]
async fn a_full_file_system_loses_nothing() {
    let Some(disk) = SmallDisk::mount() else {
        let full = std::fs::write("/dev/full", b"x").unwrap_err();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
        return;
    };
    let dir = disk.0.path().join("records");
    let records = open(&dir).await;
    let mut written = Vec::new();
    let refused = loop {
        let number = u8::try_from(written.len()).unwrap();
        let at = name(&format!("r{number:03}"));
        match records
            .put(&at, &vec![number; 30_000], Expect::Absent)
            .await
        {
            Ok(_) => written.push(at),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::Full(_)), "{refused}");
    assert!(written.len() > 3, "it was full at once");
    // An overwrite that does not fit leaves the old record.
    let grown = records
        .put(&written[0], &vec![9; 900_000], Expect::Any)
        .await;
    assert!(matches!(grown, Err(Error::Full(_))), "{grown:?}");
    for (number, at) in written.iter().enumerate() {
        let found = records.get(at).await.unwrap().unwrap().value;
        assert_eq!(found, vec![u8::try_from(number).unwrap(); 30_000]);
    }
    let names = records.list("", None, 1000).await.unwrap().names;
    assert_eq!(names, written, "a refused write left something");
    let files = files_in(&dir).len();
    assert_eq!(files, written.len() + 2, "a refused write left a file");
    // Room again.
    let first = records.destroy(&written[0], Expect::Any).await;
    match first {
        Ok(()) => {
            let again = records
                .put(&written[0], &vec![7; 20_000], Expect::Absent)
                .await;
            again.unwrap();
        }
        // The floor's new file found no room either: nothing was destroyed.
        Err(Error::Full(_)) => {
            assert!(records.get(&written[0]).await.unwrap().is_some());
        }
        Err(error) => panic!("{error}"),
    }
}
