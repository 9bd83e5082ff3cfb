//! The embedded vault: everything in one directory.

use std::path::{Path, PathBuf};

use halfkey_core::{EnvironmentId, SecretString, WalletProperties};
use halfkey_vault::audit::sqlite::SqliteAudit;
use halfkey_vault::audit::verify::verify;
use halfkey_vault::conformance::sample;
use halfkey_vault::store::sqlite::{Options, SqliteRecords};
use halfkey_vault::{Embedded, Error, Expect};
use tempfile::TempDir;

use crate::support::{access, clock, ctx, environment, name, secret};

fn place() -> (PathBuf, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (dir.path().join("data"), dir)
}

async fn create_in(dir: &Path, environment: &EnvironmentId) -> Result<Embedded, Error> {
    Embedded::create_or_open(dir, environment, None, clock(), "node-1").await
}

async fn create(dir: &Path) -> Embedded {
    create_in(dir, &environment()).await.unwrap()
}

async fn open(dir: &Path) -> Result<Embedded, Error> {
    Embedded::open(dir, &environment(), None, clock(), "node-1").await
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart() {
    let (dir, _alive) = place();
    let share = secret("a share");
    let properties = WalletProperties::new("EVM", "w", "0xAB");
    let first = create(&dir).await;
    first
        .vault
        .store(&name("s"), &ctx(), &share, Expect::Absent, &access())
        .await
        .unwrap();
    first
        .properties
        .put("0xab", &properties, Expect::Absent)
        .await
        .unwrap();
    first.close().await;

    for again in [open(&dir).await.unwrap(), create(&dir).await] {
        let loaded = again
            .vault
            .load(&name("s"), &ctx(), &access())
            .await
            .unwrap();
        assert_eq!(loaded.value, share);
        assert_eq!(
            again.properties.get("0xab").await.unwrap().unwrap().value,
            properties
        );
        again.close().await;
    }
}

/// What was acknowledged is on disk before the files are closed.
#[tokio::test]
async fn what_was_stored_is_there_in_a_copy_taken_without_closing() {
    let (dir, alive) = place();
    let first = create(&dir).await;
    first
        .vault
        .store(&name("s"), &ctx(), &secret("x"), Expect::Absent, &access())
        .await
        .unwrap();
    let copy = alive.path().join("copy");
    let copied = std::process::Command::new("cp")
        .arg("-rp")
        .args([&dir, &copy])
        .status();
    assert!(copied.unwrap().success());
    let again = open(&copy).await.unwrap();
    let loaded = again
        .vault
        .load(&name("s"), &ctx(), &access())
        .await
        .unwrap();
    assert_eq!(loaded.value, secret("x"));
    again.close().await;
    first.close().await;
}

#[tokio::test]
async fn every_boot_is_a_chain_of_a_sound_log() {
    let (dir, _alive) = place();
    let mut anchor = None;
    for _ in 0..3 {
        let vault = create(&dir).await;
        anchor = vault.audit.position().await;
        vault.close().await;
    }
    let report = verify(&dir.join("audit.sqlite"), anchor.as_ref())
        .await
        .unwrap();
    assert!(report.is_sound(), "{report}");
    // The first boot seals its canary and opens it; the others open it.
    assert_eq!((report.chains, report.entries), (3, 4));
}

#[tokio::test]
async fn open_makes_nothing() {
    let (dir, _alive) = place();
    assert!(open(&dir).await.is_err());
    assert!(!dir.exists());
    create(&dir).await.close().await;
    for file in ["keyring.json", "vault.sqlite", "audit.sqlite"] {
        let (path, aside) = (dir.join(file), dir.join("aside"));
        std::fs::rename(&path, &aside).unwrap();
        let error = open(&dir).await.unwrap_err();
        assert!(
            matches!(error, Error::Keyring(_) | Error::NotFound(_)),
            "{file}: {error}"
        );
        assert!(!path.exists(), "{file} was made");
        std::fs::rename(&aside, &path).unwrap();
    }
    // The cache makes no promise to keep anything.
    std::fs::remove_file(dir.join("cache.sqlite")).unwrap();
    open(&dir).await.unwrap().close().await;
}

#[tokio::test]
async fn a_lost_keyring_is_not_replaced() {
    let (dir, _alive) = place();
    create(&dir).await.close().await;
    let (path, aside) = (dir.join("keyring.json"), dir.join("aside"));
    std::fs::rename(&path, &aside).unwrap();
    match create_in(&dir, &environment()).await {
        Err(Error::Keyring(why)) => assert!(why.contains("restore it"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(!path.exists());
    std::fs::rename(&aside, &path).unwrap();
    create(&dir).await.close().await;
}

/// A keyring of the right environment, but not the one these records are sealed under.
#[tokio::test]
async fn another_keyring_is_refused_by_the_canary() {
    let (dir, alive) = place();
    create(&dir).await.close().await;
    let other = alive.path().join("other");
    create(&other).await.close().await;
    std::fs::copy(other.join("keyring.json"), dir.join("keyring.json")).unwrap();
    match open(&dir).await {
        Err(Error::Keyring(why)) => assert!(why.contains("does not open"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn files_of_another_environment_are_refused() {
    let (dir, alive) = place();
    create(&dir).await.close().await;
    let foreign = alive.path().join("foreign");
    let env_other = sample::environment("env-other");
    create_in(&foreign, &env_other).await.unwrap().close().await;

    let whole = create_in(&dir, &env_other).await;
    assert!(matches!(whole, Err(Error::Environment { .. })), "{whole:?}");
    for file in [
        "keyring.json",
        "vault.sqlite",
        "cache.sqlite",
        "audit.sqlite",
    ] {
        let (path, aside) = (dir.join(file), dir.join("aside"));
        std::fs::rename(&path, &aside).unwrap();
        std::fs::copy(foreign.join(file), &path).unwrap();
        match open(&dir).await {
            Err(Error::Environment {
                found, expected, ..
            }) => {
                assert_eq!(
                    (found.as_str(), expected.as_str()),
                    ("env-other", "env-test")
                );
            }
            other => panic!("{file}: {other:?}"),
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::rename(&aside, &path).unwrap();
    }
    open(&dir).await.unwrap().close().await;
}

fn make_dir(dir: &Path) {
    std::fs::create_dir(dir).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(dir, private).unwrap();
}

/// Dying after any file was made, the next start goes on: the keyring is made last.
#[tokio::test]
async fn a_creation_that_died_is_taken_up_again() {
    let (_, alive) = place();
    for made in 0..5_u8 {
        let partial = alive.path().join(format!("partial-{made}"));
        make_dir(&partial);
        let empty = |file: &str| {
            std::fs::write(partial.join(file), b"").unwrap();
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(partial.join(file), private).unwrap();
        };
        if made == 1 {
            empty("vault.sqlite");
        } else if made > 1 {
            let path = partial.join("vault.sqlite");
            let records = SqliteRecords::open(&path, &environment(), Options::CREATE).await;
            records.unwrap().database().close().await;
        }
        if made == 3 {
            empty("audit.sqlite");
        } else if made > 3 {
            let path = partial.join("audit.sqlite");
            assert!(SqliteAudit::make(&path, &environment()).await.unwrap());
        }
        let vault = create(&partial).await;
        vault
            .vault
            .seal(&ctx(), &secret("x"), &access())
            .await
            .unwrap();
        vault.close().await;
    }
}

/// An empty database file of the cache, made and not yet filled.
#[tokio::test]
async fn an_empty_cache_is_filled() {
    let (dir, _alive) = place();
    create(&dir).await.close().await;
    std::fs::write(dir.join("cache.sqlite"), b"").unwrap();
    open(&dir).await.unwrap().close().await;
}

/// A restore that forgot a file: nothing is made in its place, neither a store that would take
/// wallets beside those that were lost, nor an audit log that says nothing ever happened.
#[tokio::test]
async fn a_lost_store_is_not_replaced() {
    let (dir, _alive) = place();
    create(&dir).await.close().await;
    for file in ["vault.sqlite", "audit.sqlite"] {
        let (path, aside) = (dir.join(file), dir.join("aside"));
        std::fs::rename(&path, &aside).unwrap();
        let refused = create_in(&dir, &environment()).await;
        assert!(
            matches!(refused, Err(Error::NotFound(_))),
            "{file}: {refused:?}"
        );
        assert!(!path.exists(), "{file} was made");

        // Cut to nothing.
        std::fs::copy(&aside, &path).unwrap();
        std::fs::write(&path, b"").unwrap();
        match create_in(&dir, &environment()).await {
            Err(Error::Backend { message, temporary }) => {
                assert!(message.contains("empty file") && !temporary, "{message}");
            }
            other => panic!("{file}: {other:?}"),
        }
        std::fs::rename(&aside, &path).unwrap();
    }
    create(&dir).await.close().await;
}

/// The keyring and the records lost together: what happened is still on record.
#[tokio::test]
async fn a_used_audit_log_is_not_taken_for_a_new_one() {
    let (dir, _alive) = place();
    create(&dir).await.close().await;
    for file in ["keyring.json", "vault.sqlite"] {
        std::fs::remove_file(dir.join(file)).unwrap();
    }
    match create_in(&dir, &environment()).await {
        Err(Error::Keyring(why)) => assert!(why.contains("restore it"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(!dir.join("keyring.json").exists());
}

/// Without its canary a store that is in use does not get another one under whatever keyring is
/// here.
#[tokio::test]
async fn a_lost_canary_is_not_replaced_beside_records() {
    let (dir, alive) = place();
    let vault = create(&dir).await;
    vault
        .vault
        .store(&name("s"), &ctx(), &secret("x"), Expect::Absent, &access())
        .await
        .unwrap();
    vault
        .vault
        .destroy(&name("probe"), &access())
        .await
        .unwrap();
    vault.close().await;
    let other = alive.path().join("other");
    create(&other).await.close().await;
    std::fs::copy(other.join("keyring.json"), dir.join("keyring.json")).unwrap();
    match create_in(&dir, &environment()).await {
        Err(Error::Corrupt { name, why }) => {
            assert!(name == "probe" && why.contains("missing"), "{name}: {why}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn two_processes_share_one_directory() {
    let (dir, _alive) = place();
    let first = create(&dir).await;
    let second = open(&dir).await.unwrap();
    first
        .vault
        .store(&name("s"), &ctx(), &secret("x"), Expect::Absent, &access())
        .await
        .unwrap();
    let again = second
        .vault
        .store(&name("s"), &ctx(), &secret("y"), Expect::Absent, &access())
        .await;
    assert!(matches!(again, Err(Error::Conflict(_))));
    let loaded = second
        .vault
        .load(&name("s"), &ctx(), &access())
        .await
        .unwrap();
    assert_eq!(loaded.value, secret("x"));
    first.close().await;
    second.close().await;
    let report = verify(&dir.join("audit.sqlite"), None).await.unwrap();
    assert!(report.is_sound(), "{report}");
}

#[tokio::test]
async fn a_passphrase_is_needed_and_must_be_right() {
    let (dir, _alive) = place();
    let right = SecretString::from("correct horse");
    let open = async |passphrase: Option<&SecretString>| {
        let opened = Embedded::create_or_open(&dir, &environment(), passphrase, clock(), "n").await;
        opened.map(|_| ())
    };
    open(Some(&right)).await.unwrap();
    open(Some(&right)).await.unwrap();
    let wrong = SecretString::from("wrong horse");
    assert!(matches!(
        open(Some(&wrong)).await,
        Err(Error::Passphrase(_))
    ));
    assert!(matches!(open(None).await, Err(Error::Passphrase(_))));
}
