//! `storage.toml`: what is absent stays embedded, what is wrong is named, and what was lost is not
//! made anew.

use std::path::Path;

use halfkey_core::EnvironmentId;
use halfkey_vault::storage::{Role, Storage, StorageConfig};
use halfkey_vault::{Embedded, Error, Expect};

use crate::support::{access, clock, ctx, environment, name, secret};

async fn open_as(dir: &Path, config: &str) -> Result<Storage, Error> {
    open_for(dir, config, &environment()).await
}

async fn open_for(dir: &Path, config: &str, environment: &EnvironmentId) -> Result<Storage, Error> {
    let config = StorageConfig::parse(config).map_err(Error::Config)?;
    Storage::create_or_open(dir, environment, &config, None, clock(), "node").await
}

fn dir() -> (tempfile::TempDir, std::path::PathBuf) {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("data");
    (outer, dir)
}

#[tokio::test]
async fn an_empty_configuration_is_the_embedded_vault() {
    let (_outer, dir) = dir();
    let storage = open_as(&dir, "").await.unwrap();
    let at = name("a");
    let stored = storage
        .vault
        .store(&at, &ctx(), &secret("x"), Expect::Absent, &access())
        .await;
    stored.unwrap();
    storage.close().await;

    let embedded = Embedded::open(&dir, &environment(), None, clock(), "node")
        .await
        .unwrap();
    let opened = embedded.vault.load(&at, &ctx(), &access()).await.unwrap();
    assert!(opened.value == secret("x"));
    embedded.close().await;

    let again = open_as(&dir, "role = \"opener\"").await.unwrap();
    let opened = again.vault.load(&at, &ctx(), &access()).await.unwrap();
    assert!(opened.value == secret("x"));
    again.close().await;
}

#[tokio::test]
async fn a_vault_that_was_embedded_before_goes_on() {
    let (_outer, dir) = dir();
    let made = Embedded::create_or_open(&dir, &environment(), None, clock(), "node").await;
    made.unwrap().close().await;
    open_as(&dir, "[cache]\nkind = \"memory\"")
        .await
        .unwrap()
        .close()
        .await;
}

/// A role is given its rights and no other.
#[tokio::test]
async fn each_role_has_its_rights_only() {
    let (_outer, dir) = dir();
    open_as(&dir, "").await.unwrap().close().await;
    let rights = |storage: &Storage| {
        let parts = storage.vault.parts();
        (
            parts.wrap.is_some(),
            parts.unwrap.is_some(),
            parts.put.is_some(),
            parts.destroy.is_some(),
            storage.rewrap.is_some(),
        )
    };
    for (role, expected) in [
        (Role::Full, (true, true, true, true, true)),
        (Role::Writer, (true, false, true, false, false)),
        (Role::Opener, (false, true, false, false, false)),
        (Role::Rewrapper, (false, false, true, false, true)),
    ] {
        let config = format!("role = \"{}\"", role.as_str());
        let storage = open_as(&dir, &config).await.unwrap();
        assert_eq!(rights(&storage), expected, "{role:?}");
        storage.close().await;
    }
    let writer = open_as(&dir, "role = \"writer\"").await.unwrap();
    let at = name("a");
    let stored = writer
        .vault
        .store(&at, &ctx(), &secret("x"), Expect::Absent, &access())
        .await;
    stored.unwrap();
    let opened = writer.vault.load(&at, &ctx(), &access()).await;
    assert!(matches!(opened, Err(Error::Forbidden(_))), "{opened:?}");
    writer.close().await;
}

/// Whichever process of a new set-up comes first, the others find it whole.
#[tokio::test]
async fn any_role_may_come_first() {
    for first in ["writer", "rewrapper", "opener"] {
        let (_outer, dir) = dir();
        let config = format!("role = \"{first}\"");
        let (at, plaintext) = (name("a"), secret("x"));
        match open_as(&dir, &config).await {
            Ok(storage) => {
                if first == "writer" {
                    storage
                        .vault
                        .store(&at, &ctx(), &plaintext, Expect::Absent, &access())
                        .await
                        .unwrap();
                }
                storage.close().await;
            }
            Err(error) => {
                assert_eq!(first, "opener", "{error}");
                assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
            }
        }
        let full = open_as(&dir, "").await;
        let full = full.unwrap_or_else(|error| panic!("after a {first}: {error}"));
        if first == "writer" {
            let opened = full.vault.load(&at, &ctx(), &access()).await.unwrap();
            assert!(opened.value == plaintext);
        }
        full.close().await;
        let opener = open_as(&dir, "role = \"opener\"").await.unwrap();
        opener.close().await;
    }
}

#[tokio::test]
async fn what_was_lost_is_not_made_anew() {
    for lost in ["vault.sqlite", "audit.sqlite", "keyring.json"] {
        let (_outer, dir) = dir();
        open_as(&dir, "").await.unwrap().close().await;
        std::fs::remove_file(dir.join(lost)).unwrap();
        let opened = open_as(&dir, "").await;
        assert!(
            matches!(opened, Err(Error::NotFound(_) | Error::Keyring(_))),
            "{lost}: {opened:?}"
        );
        assert!(!dir.join(lost).exists(), "{lost}");
    }
}

/// Pointed at an empty store, a directory that was in use says so instead of starting over.
#[tokio::test]
async fn another_store_in_place_of_the_one_that_was_used_is_refused() {
    let (_outer, dir) = dir();
    open_as(&dir, "").await.unwrap().close().await;
    let other = dir.join("other");
    {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&other)
            .unwrap();
    }
    open_as(&other, "").await.unwrap().close().await;
    let moved = other.join("vault.sqlite");
    std::fs::rename(&moved, dir.join("vault.sqlite")).unwrap();
    let opened = open_as(&dir, "").await;
    assert!(matches!(opened, Err(Error::Keyring(_))), "{opened:?}");
}

/// A cache makes no promise, so a damaged one is no reason not to sign.
#[tokio::test]
async fn a_damaged_cache_file_does_not_stop_the_tiers() {
    let (_outer, dir) = dir();
    open_as(&dir, "").await.unwrap().close().await;
    std::fs::write(dir.join("cache.sqlite"), [7; 8192]).unwrap();
    let storage = open_as(&dir, "").await.unwrap();
    assert!(storage.properties.get("0xab").await.is_err());
    storage.close().await;
}

#[tokio::test]
async fn another_environments_directory_is_refused() {
    let (_outer, dir) = dir();
    open_as(&dir, "").await.unwrap().close().await;
    let other = "env-other".parse().unwrap();
    let opened = open_for(&dir, "", &other).await;
    assert!(
        matches!(opened, Err(Error::Environment { .. })),
        "{opened:?}"
    );
}

#[test]
fn storage_config_rejects_what_it_does_not_know() {
    for (text, said) in [
        ("[kms]\nkind = \"abacus\"", "none of"),
        ("[records]\nkind = 3", "no text"),
        ("colour = \"red\"", "colour"),
        ("[cache]\nkind = \"sqlite\"\ncolour = 1", "colour"),
        ("role = \"king\"", "king"),
        ("[dek_cache]\nmax_age_s = \"long\"", "u64"),
        ("[", ""),
    ] {
        let why = StorageConfig::parse(text).unwrap_err();
        assert!(why.contains(said), "{text}: {why}");
    }
}

#[tokio::test]
async fn a_dek_cache_that_is_too_long_lived_is_refused() {
    let (_outer, dir) = dir();
    let opened = open_as(&dir, "[dek_cache]\nmax_age_s = 301").await;
    assert!(matches!(opened, Err(Error::Config(_))), "{opened:?}");
}

/// What the guides say to paste can be pasted.
#[cfg(all(
    feature = "aws",
    feature = "azure",
    feature = "gcp",
    feature = "openbao",
    feature = "postgres",
    feature = "redis",
    feature = "s3"
))]
#[test]
fn every_configuration_in_the_guides_is_one() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/storage");
    let mut count = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for block in text.split("```toml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            if let Err(why) = StorageConfig::parse(block) {
                panic!("{}: {why}\n{block}", path.display());
            }
            count += 1;
        }
    }
    assert!(count >= 9, "only {count} configurations were found");
}
