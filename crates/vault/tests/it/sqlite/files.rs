//! The files: private, of one environment, of a known version, and without what was destroyed.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use halfkey_core::SecretBytes;
use halfkey_vault::conformance::sample;
use halfkey_vault::store::sqlite::{Options, SqliteRecords};
use halfkey_vault::{Embedded, Error, Expect, GetRecord, PutRecord};

use crate::support::{access, clock, contains, ctx, environment, files_in, name};

async fn open(path: &Path, options: Options) -> Result<SqliteRecords, Error> {
    SqliteRecords::open(path, &environment(), options).await
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn every_file_is_private_whatever_the_umask() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    // Of the whole process; the other tests do not depend on it.
    rustix::process::umask(rustix::fs::Mode::empty());
    let embedded = Embedded::create_or_open(&data, &environment(), None, clock(), "n")
        .await
        .unwrap();
    let mut seen = Vec::new();
    for (path, _) in files_in(&data) {
        let mode = std::fs::metadata(&path).unwrap().mode() & 0o7777;
        assert_eq!(mode, 0o600, "{}", path.display());
        seen.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    assert!(seen.contains(&"vault.sqlite-wal".to_owned()), "{seen:?}");
    assert_eq!(std::fs::metadata(&data).unwrap().mode() & 0o7777, 0o700);
    embedded.close().await;
}

#[tokio::test]
async fn open_rejects_a_file_or_directory_open_to_others() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let path = data.join("vault.sqlite");
    open(&path, Options::CREATE)
        .await
        .unwrap()
        .database()
        .close()
        .await;
    for mode in [0o640, 0o604, 0o666, 0o620] {
        chmod(&path, mode);
        assert!(matches!(
            open(&path, Options::EXISTING).await,
            Err(Error::Permissions(_))
        ));
    }
    chmod(&path, 0o600);
    chmod(&data, 0o750);
    assert!(matches!(
        open(&path, Options::EXISTING).await,
        Err(Error::Permissions(_))
    ));
    chmod(&data, 0o700);
    open(&path, Options::EXISTING).await.unwrap();
}

#[tokio::test]
async fn open_rejects_another_environment() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/vault.sqlite");
    open(&path, Options::CREATE).await.unwrap();
    let other = sample::environment("env-other");
    let error = SqliteRecords::open(&path, &other, Options::CREATE)
        .await
        .unwrap_err();
    let Error::Environment {
        found, expected, ..
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!(
        (found.as_str(), expected.as_str()),
        ("env-test", "env-other")
    );
}

#[tokio::test]
async fn open_rejects_what_is_absent_unless_asked_to_make_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/vault.sqlite");
    assert!(open(&path, Options::EXISTING).await.is_err());
    assert!(!path.exists());
    open(&path, Options::CREATE).await.unwrap();
    let absent = path.with_file_name("absent.sqlite");
    assert!(matches!(
        open(&absent, Options::EXISTING).await,
        Err(Error::NotFound(_))
    ));
}

#[tokio::test]
async fn open_rejects_a_newer_schema_and_what_is_no_database() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/vault.sqlite");
    let records = open(&path, Options::CREATE).await.unwrap();
    sqlx::query("PRAGMA user_version = 2")
        .execute(records.database().writer())
        .await
        .unwrap();
    records.database().close().await;
    let error = open(&path, Options::EXISTING).await.unwrap_err();
    assert!(error.to_string().contains("newer version"), "{error}");

    std::fs::write(&path, [0x55; 8192]).unwrap();
    let error = open(&path, Options::EXISTING).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Backend {
                temporary: false,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn the_settings_are_the_durable_ones() {
    let dir = tempfile::tempdir().unwrap();
    let records = open(&dir.path().join("data/vault.sqlite"), Options::CREATE)
        .await
        .unwrap();
    let database = records.database();
    for pool in [database.writer(), database.readers()] {
        let journal: String = sqlx::query_scalar("PRAGMA journal_mode")
            .fetch_one(pool)
            .await
            .unwrap();
        assert_eq!(journal, "wal");
        let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
            .fetch_one(pool)
            .await
            .unwrap();
        assert_eq!(synchronous, 2, "FULL");
        let keys: i64 = sqlx::query_scalar("PRAGMA foreign_keys")
            .fetch_one(pool)
            .await
            .unwrap();
        assert_eq!(keys, 1);
        let secure: i64 = sqlx::query_scalar("PRAGMA secure_delete")
            .fetch_one(pool)
            .await
            .unwrap();
        assert_eq!(secure, 1);
    }
    let refused = sqlx::query("DELETE FROM records")
        .execute(database.readers())
        .await;
    assert!(refused.is_err(), "a reader wrote");
}

#[tokio::test]
async fn a_destroyed_record_leaves_nothing_in_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let embedded = Embedded::create_or_open(&data, &environment(), None, clock(), "n")
        .await
        .unwrap();
    let (vault, at) = (&embedded.vault, name("wallet:0xab/shares/2"));
    let share = SecretBytes::new(vec![0xA5; 60_000]);
    vault
        .store(&at, &ctx(), &share, Expect::Absent, &access())
        .await
        .unwrap();
    let stored = vault.get_row(&at).await.unwrap().unwrap().value;
    let pieces: Vec<&[u8]> = stored.chunks_exact(48).collect();
    let left = || {
        let files = files_in(&data);
        let held = |piece: &&&[u8]| files.iter().any(|(_, bytes)| contains(bytes, piece));
        pieces.iter().step_by(50).filter(held).count()
    };
    assert!(left() > 20, "the search finds what is there");
    vault.destroy(&at, &access()).await.unwrap();
    assert_eq!(left(), 0);
    embedded.close().await;
    assert_eq!(left(), 0);
}

#[tokio::test]
async fn an_overwritten_record_is_wiped_from_the_database_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/vault.sqlite");
    let records = open(&path, Options::CREATE).await.unwrap();
    let old: Vec<u8> = (0..20_000_u32).flat_map(u32::to_be_bytes).collect();
    records.put(&name("a"), &old, Expect::Absent).await.unwrap();
    records.put(&name("a"), b"new", Expect::Any).await.unwrap();
    assert_eq!(
        records.get(&name("a")).await.unwrap().unwrap().value,
        b"new"
    );
    records.database().close().await;
    let files = files_in(path.parent().unwrap());
    for piece in old.chunks_exact(64).step_by(50) {
        assert!(!files.iter().any(|(_, bytes)| contains(bytes, piece)));
    }
}
