//! A full disk is [`Error::Full`], and loses nothing.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use halfkey_core::SecretBytes;
use halfkey_vault::audit::sqlite::SqliteAudit;
use halfkey_vault::kms::keyring::Keyring;
use halfkey_vault::store::sqlite::{Database, Options, SqliteRecords};
use halfkey_vault::{Error, Expect, GetRecord, ListRecords, PutRecord, Vault, VaultParts};

use crate::support::{access, clock, ctx, environment, name};

/// A file system of one megabyte, where this process may make one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs"];
        let done = Command::new("mount")
            .args(mount)
            .arg(dir.path())
            .output()
            .ok()?;
        done.status.success().then_some(Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.0.path()).output());
    }
}

/// Writes until the store is full; checks that everything acknowledged is there, and nothing else.
async fn must_lose_nothing(records: &SqliteRecords) {
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
    for (number, at) in written.iter().enumerate() {
        let found = records.get(at).await.unwrap().unwrap().value;
        assert_eq!(found, vec![u8::try_from(number).unwrap(); 30_000]);
    }
    let names = records.list("", None, 1000).await.unwrap().names;
    assert_eq!(names, written, "a refused write left something");
    // An overwrite that does not fit leaves the old record.
    let grown = records
        .put(&written[0], &vec![9; 2_000_000], Expect::Any)
        .await;
    assert!(matches!(grown, Err(Error::Full(_))), "{grown:?}");
    assert_eq!(
        records.get(&written[0]).await.unwrap().unwrap().value,
        vec![0; 30_000]
    );
}

async fn reopened(path: &Path) -> usize {
    let records = SqliteRecords::open(path, &environment(), Options::EXISTING)
        .await
        .unwrap();
    records.list("", None, 1000).await.unwrap().names.len()
}

#[tokio::test]
async fn a_store_at_its_page_limit_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/vault.sqlite");
    let options = Options {
        max_pages: Some(100),
        ..Options::CREATE
    };
    let records = SqliteRecords::open(&path, &environment(), options)
        .await
        .unwrap();
    must_lose_nothing(&records).await;
    records.database().close().await;
    assert!(reopened(&path).await > 3);
}

/// On a real full file system; where none may be mounted, the page limit stands in.
#[tokio::test]
async fn a_full_file_system_loses_nothing() {
    let disk = SmallDisk::mount();
    let fallback = tempfile::tempdir().unwrap();
    let (root, options) = match &disk {
        Some(disk) => (disk.0.path(), Options::CREATE),
        None => (
            fallback.path(),
            Options {
                max_pages: Some(100),
                ..Options::CREATE
            },
        ),
    };
    let path = root.join("data/vault.sqlite");
    let records = SqliteRecords::open(&path, &environment(), options)
        .await
        .unwrap();
    must_lose_nothing(&records).await;
    records.database().close().await;
    assert!(reopened(&path).await > 3);
}

/// The whole barrier over one directory; `max_pages` limits each file.
async fn vault_in(dir: &Path, options: Options, keyring: &Arc<Keyring>) -> (Vault, [Database; 2]) {
    let records = dir.join("vault.sqlite");
    let records = Arc::new(
        SqliteRecords::open(&records, &environment(), options)
            .await
            .unwrap(),
    );
    let audit = dir.join("audit.sqlite");
    let audit = SqliteAudit::open(&audit, &environment(), options, "n", &*clock())
        .await
        .unwrap();
    let databases = [records.database().clone(), audit.database().clone()];
    let vault = Vault::new(VaultParts {
        wrap: Some(Arc::<Keyring>::clone(keyring)),
        unwrap: Some(Arc::<Keyring>::clone(keyring)),
        put: Some(Arc::<SqliteRecords>::clone(&records)),
        get: Some(records),
        list: None,
        destroy: None,
        audit: Arc::new(audit),
        clock: clock(),
    });
    (vault, databases)
}

/// Whichever file hits the limit first, the error says so, and every acknowledged share still opens
/// once there is room.
#[tokio::test]
async fn a_vault_on_a_full_disk_keeps_every_share() {
    let disk = SmallDisk::mount();
    let fallback = tempfile::tempdir().unwrap();
    let (root, options) = match &disk {
        Some(disk) => (disk.0.path(), Options::CREATE),
        None => (
            fallback.path(),
            Options {
                max_pages: Some(100),
                ..Options::CREATE
            },
        ),
    };
    let data = root.join("data");
    let keyring = Keyring::create(&data.join("k.json"), &environment(), None, &*clock());
    let keyring = Arc::new(keyring.unwrap());
    let (vault, databases) = vault_in(&data, options, &keyring).await;
    let share = |number: u8| SecretBytes::new(vec![number; 20_000]);
    let mut kept = 0_u8;
    let refused = loop {
        let at = name(&format!("s{kept}"));
        match vault
            .store(&at, &ctx(), &share(kept), Expect::Absent, &access())
            .await
        {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(refused, Error::Full(_) | Error::AuditUnavailable(_)),
        "{refused}"
    );
    assert!(kept > 3);
    for database in databases {
        database.close().await;
    }
    if let Some(disk) = &disk {
        let grow = ["-o", "remount,size=8m"];
        let grown = Command::new("mount")
            .args(grow)
            .arg(disk.0.path())
            .status()
            .unwrap();
        assert!(grown.success());
    }
    let (vault, _) = vault_in(&data, Options::EXISTING, &keyring).await;
    for number in 0..kept {
        let at = name(&format!("s{number}"));
        let loaded = vault.load(&at, &ctx(), &access()).await.unwrap();
        assert_eq!(loaded.value, share(number));
    }
}
