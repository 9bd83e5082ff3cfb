//! Private, of one environment, and never made where something was lost.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use halfkey_vault::conformance::sample;
use halfkey_vault::store::files::{FileRecords, FilesConfig};
use halfkey_vault::{Error, Expect, GetRecord, PutRecord};

use super::{config, fast_dir, open};
use crate::support::{environment, name};

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

async fn try_open(dir: &Path) -> Result<FileRecords, Error> {
    FileRecords::open(&config(dir), &environment()).await
}

#[tokio::test]
async fn every_file_is_private_whatever_the_umask() {
    let outer = fast_dir();
    let dir = outer.path().join("records");
    // Of the whole process; the other tests do not depend on it.
    rustix::process::umask(rustix::fs::Mode::empty());
    let records = open(&dir).await;
    for at in ["a", "b/c"] {
        records.put(&name(at), b"1", Expect::Any).await.unwrap();
        records.put(&name(at), b"2", Expect::Any).await.unwrap();
    }
    let mut count = 0;
    for entry in std::fs::read_dir(&dir).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().mode();
        assert_eq!(mode & 0o7777, 0o600);
        count += 1;
    }
    assert_eq!(count, 4);
    assert_eq!(std::fs::metadata(&dir).unwrap().mode() & 0o7777, 0o700);
}

#[tokio::test]
async fn open_and_get_reject_what_is_open_to_others() {
    let outer = fast_dir();
    let dir = outer.path().join("records");
    let records = open(&dir).await;
    records.put(&name("a"), b"1", Expect::Any).await.unwrap();
    for mode in [0o640, 0o604, 0o620, 0o666] {
        chmod(&dir.join("a.rec"), mode);
        let found = records.get(&name("a")).await;
        assert!(matches!(found, Err(Error::Permissions(_))), "{mode:o}");
        chmod(&dir.join("environment"), mode);
        assert!(matches!(try_open(&dir).await, Err(Error::Permissions(_))));
        chmod(&dir.join("environment"), 0o600);
    }
    chmod(&dir.join("a.rec"), 0o600);
    for mode in [0o750, 0o701, 0o777] {
        chmod(&dir, mode);
        assert!(
            matches!(try_open(&dir).await, Err(Error::Permissions(_))),
            "{mode:o}"
        );
    }
    chmod(&dir, 0o700);
    assert_eq!(
        open(&dir)
            .await
            .get(&name("a"))
            .await
            .unwrap()
            .unwrap()
            .value,
        b"1"
    );
}

#[tokio::test]
async fn get_rejects_links() {
    let outer = fast_dir();
    let dir = outer.path().join("records");
    let records = open(&dir).await;
    records.put(&name("a"), b"1", Expect::Any).await.unwrap();
    symlink(dir.join("a.rec"), dir.join("b.rec")).unwrap();
    assert!(matches!(
        records.get(&name("b")).await,
        Err(Error::Permissions(_))
    ));
}

#[tokio::test]
async fn open_rejects_another_environment_and_records_without_one() {
    let outer = fast_dir();
    let dir = outer.path().join("records");
    let records = open(&dir).await;
    let other = FileRecords::open(&config(&dir), &sample::environment("env-other")).await;
    assert!(matches!(other, Err(Error::Environment { .. })), "{other:?}");
    records.put(&name("a"), b"1", Expect::Any).await.unwrap();
    std::fs::remove_file(dir.join("environment")).unwrap();
    let unmarked = try_open(&dir).await;
    assert!(
        matches!(unmarked, Err(Error::Environment { .. })),
        "{unmarked:?}"
    );
    std::fs::remove_file(dir.join("a.rec")).unwrap();
    open(&dir).await;
}

#[tokio::test]
async fn open_rejects_what_is_absent_or_damaged() {
    let outer = fast_dir();
    let dir = outer.path().join("records");
    let existing = FilesConfig {
        create: false,
        ..config(&dir)
    };
    let absent = FileRecords::open(&existing, &environment()).await;
    assert!(matches!(absent, Err(Error::NotFound(_))), "{absent:?}");
    assert!(!dir.exists());
    open(&dir).await;
    let records = FileRecords::open(&existing, &environment()).await.unwrap();
    for floor in [
        "",
        "halfkey-revisions-v1\n",
        "halfkey-revisions-v1\n-1\n",
        "x\n1\n",
    ] {
        std::fs::write(dir.join("floor"), floor).unwrap();
        let put = records.put(&name("a"), b"1", Expect::Absent).await;
        assert!(matches!(put, Err(Error::Corrupt { .. })), "{floor:?}");
    }
    std::fs::remove_file(dir.join("floor")).unwrap();
    let put = records.put(&name("a"), b"1", Expect::Absent).await;
    assert!(matches!(put, Err(Error::Corrupt { .. })), "{put:?}");
    std::fs::write(dir.join("environment"), "env-test").unwrap();
    assert!(matches!(try_open(&dir).await, Err(Error::Corrupt { .. })));
}
