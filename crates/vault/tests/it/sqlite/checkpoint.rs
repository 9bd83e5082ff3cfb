//! Signed checkpoints find what the chain alone cannot.

use std::path::{Path, PathBuf};

use halfkey_core::{SecretBytes, UnixMillis};
use halfkey_vault::AuditSink as _;
use halfkey_vault::audit::checkpoint::{Checkpoint, SigningKey};
use halfkey_vault::audit::reader::AuditReader;
use halfkey_vault::audit::sqlite::SqliteAudit;
use halfkey_vault::audit::verify::verify;
use halfkey_vault::conformance::sample::event;
use halfkey_vault::store::sqlite::Options;

use crate::support::{clock, environment};

fn key() -> SigningKey {
    SigningKey::from_seed(&SecretBytes::new(vec![7; 32])).unwrap()
}

async fn write(path: &Path, entries: u32) {
    let (environment, clock) = (environment(), clock());
    let sink = SqliteAudit::open(path, &environment, Options::CREATE, "node", &*clock)
        .await
        .unwrap();
    for number in 0..entries {
        sink.append(event(&number.to_string())).await.unwrap();
    }
    sink.database().close().await;
}

async fn sign(path: &Path) -> Checkpoint {
    Checkpoint::sign(path, &environment(), UnixMillis(1), &key())
        .await
        .unwrap()
}

fn place() -> (tempfile::TempDir, PathBuf) {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let private = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(dir.path(), private).unwrap();
    let path = dir.path().join("audit.sqlite");
    (dir, path)
}

#[tokio::test]
async fn a_log_that_went_on_agrees_with_its_checkpoint() {
    let (_dir, path) = place();
    write(&path, 5).await;
    let checkpoint = sign(&path).await;
    write(&path, 3).await;
    assert!(checkpoint.compare(&path).await.unwrap().is_empty());
    let json = serde_json::to_string(&checkpoint).unwrap();
    let again: Checkpoint = serde_json::from_str(&json).unwrap();
    assert_eq!(again, checkpoint);
}

/// The whole log written anew fits together; the checkpoint does not fit it.
#[tokio::test]
async fn a_complete_rewrite_is_found() {
    let (_dir, path) = place();
    write(&path, 5).await;
    let checkpoint = sign(&path).await;
    let (_other, rewritten) = place();
    write(&rewritten, 5).await;
    assert!(verify(&rewritten, None).await.unwrap().is_sound());
    assert!(!checkpoint.compare(&rewritten).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_cut_before_the_checkpoint_is_found() {
    let (_dir, path) = place();
    write(&path, 5).await;
    let checkpoint = sign(&path).await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut file = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query("DELETE FROM audit_entries WHERE sequence = 4")
        .execute(&mut file)
        .await
        .unwrap();
    sqlx::Connection::close(file).await.unwrap();
    assert!(
        verify(&path, None).await.unwrap().is_sound(),
        "the chain cannot tell"
    );
    let problems = checkpoint.compare(&path).await.unwrap();
    assert_eq!(
        problems,
        ["a chain was cut or rewritten before the checkpoint"]
    );
}

#[tokio::test]
async fn a_checkpoint_that_was_edited_does_not_verify() {
    let (_dir, path) = place();
    write(&path, 2).await;
    let sound = serde_json::to_value(sign(&path).await).unwrap();
    let edits: [fn(&mut serde_json::Value); 5] = [
        |value| value["at"] = 2.into(),
        |value| value["chains"][0]["entries"] = 1.into(),
        |value| value["environment"] = "env-other".into(),
        |value| value["public_key"] = "00".repeat(32).into(),
        |value| value["format"] = "x".into(),
    ];
    for edit in edits {
        let mut edited = sound.clone();
        edit(&mut edited);
        let edited: Checkpoint = serde_json::from_value(edited).unwrap();
        assert!(
            !edited.compare(&path).await.unwrap().is_empty(),
            "{edited:?}"
        );
    }
}

#[tokio::test]
async fn every_entry_is_read_in_order_and_from_a_time_on() {
    let (_dir, path) = place();
    write(&path, 1500).await;
    write(&path, 2).await;
    let reader = AuditReader::open(&path).await.unwrap();
    let mut seen = Vec::new();
    let each = |entry: &halfkey_vault::audit::reader::Entry| {
        seen.push(entry.event.clone());
        Ok(())
    };
    reader.for_each(None, each).await.unwrap();
    assert_eq!(seen.len(), 1502);
    assert_eq!(seen[1499], event("1499"));
    let mut later = 0;
    let each = |_: &_| {
        later += 1;
        Ok(())
    };
    let after = UnixMillis(event("0").at.0 + 1);
    reader.for_each(Some(after), each).await.unwrap();
    assert_eq!(later, 0);
}
