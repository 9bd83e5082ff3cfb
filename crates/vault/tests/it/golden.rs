//! Keyrings and records of every release so far open through the public API.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use halfkey_core::{SecretBytes, SecretString};
use halfkey_vault::kms::keyring::Keyring;
use halfkey_vault::{
    BindCtx, Error, RecordPurpose, SealedRecord, UnwrapKey, Vault, VaultParts, Wrapped,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{access, environment, memory};

fn testdata() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

/// A copy in a private directory: a checkout is open to others.
fn private_copy(file: &str) -> (PathBuf, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let path = dir.path().join("keyring.json");
    fs::copy(testdata().join("keyrings/v1").join(file), &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    (path, dir)
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

fn context(ctx: &Value) -> BindCtx {
    let purpose = text(ctx, "purpose");
    BindCtx {
        environment: text(ctx, "environment").parse().unwrap(),
        chain: text(ctx, "chain").parse().unwrap(),
        account_address: text(ctx, "account_address").to_owned(),
        wallet: text(ctx, "wallet").parse().unwrap(),
        key_share: text(ctx, "key_share").parse().unwrap(),
        share_set: text(ctx, "share_set").parse().unwrap(),
        party: serde_json::from_value(ctx["party"].clone()).unwrap(),
        scheme: text(ctx, "scheme").parse().unwrap(),
        purpose: RecordPurpose::ALL
            .into_iter()
            .find(|one| one.as_str() == purpose)
            .unwrap(),
        generation: serde_json::from_value(ctx["generation"].clone()).unwrap(),
        attempt: text(ctx, "attempt").parse().unwrap(),
        group_public_key_hash: hex::decode(text(ctx, "group_public_key_hash"))
            .unwrap()
            .try_into()
            .unwrap(),
    }
}

#[tokio::test]
async fn golden_records_open_through_the_golden_keyring() {
    let mut seen = 0;
    for entry in fs::read_dir(testdata().join("records/v1")).unwrap() {
        let path = entry.unwrap().path();
        let vector = read(&path);
        let ctx = context(&vector["ctx"]);
        let (keyring, _dir) = private_copy(text(&vector, "keyring"));
        let keyring = Keyring::open(&keyring, &ctx.environment, None).unwrap();
        let memory = memory();
        let vault = Vault::new(VaultParts {
            unwrap: Some(Arc::new(keyring)),
            ..memory.vault.parts().clone()
        });
        let record = hex::decode(text(&vector, "record")).unwrap();
        let record = SealedRecord::from_bytes(&record).unwrap();
        let opened = vault.open(&ctx, &record, &access()).await.unwrap();
        let plaintext = SecretBytes::new(hex::decode(text(&vector, "plaintext")).unwrap());
        assert_eq!(opened, plaintext, "{}", path.display());
        seen += 1;
    }
    assert_eq!(seen, 8);
}

/// The keyring with a passphrase, and a key wrapped under it when it was made.
#[tokio::test]
async fn the_golden_keyring_with_a_passphrase_opens() {
    let known = read(&testdata().join("keyrings/v1/passphrase.wrapped.json"));
    let (path, _dir) = private_copy("passphrase.json");
    let passphrase = SecretString::from(text(&known, "passphrase"));
    let keyring = Keyring::open(&path, &environment(), Some(&passphrase)).unwrap();
    let wrapped = Wrapped {
        kek_uri: text(&known, "uri").to_owned(),
        kek_version: text(&known, "version").to_owned(),
        bytes: hex::decode(text(&known, "bytes")).unwrap(),
    };
    let dek = keyring
        .unwrap(&crate::support::ctx(), &wrapped)
        .await
        .unwrap();
    assert_eq!(hex::encode(dek.expose()), text(&known, "dek"));
    let wrong = SecretString::from("wrong");
    let refused = Keyring::open(&path, &environment(), Some(&wrong));
    assert!(matches!(refused, Err(Error::Passphrase(_))));
}
