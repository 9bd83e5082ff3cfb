//! The embedded vault: everything in one directory.

use std::path::Path;

use halfkey_core::{SecretString, WalletProperties};
use halfkey_vault::{Embedded, Error, Expect};

use crate::support::{access, clock, ctx, environment, name, secret};

async fn create(dir: &Path) -> Embedded {
    Embedded::create_or_open(dir, &environment(), None, clock(), "node-1")
        .await
        .unwrap()
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("data");
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

    let again = Embedded::open(&dir, &environment(), None, clock(), "node-1")
        .await
        .unwrap();
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

#[tokio::test]
async fn a_passphrase_is_needed_and_must_be_right() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("data");
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
