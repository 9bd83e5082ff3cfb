//! The record store in SQLite passes the suite; so do two handles on one file.

use std::sync::Arc;

use halfkey_vault::conformance::records as suite;
use halfkey_vault::store::sqlite::{Options, SqliteRecords};
use halfkey_vault::{
    DestroyRecord, Error, Expect, GetRecord, ListRecords, Page, PutRecord, RecordName, Rev,
    Versioned,
};
use tempfile::TempDir;

use crate::support::{contains, environment, files_in};

async fn make() -> (SqliteRecords, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/vault.sqlite");
    (
        SqliteRecords::open(&path, &environment(), Options::CREATE)
            .await
            .unwrap(),
        dir,
    )
}
halfkey_vault::record_store_conformance!(make);

/// Writes by turns through two connections to one file, as two processes would.
struct TwoHandles {
    handles: [SqliteRecords; 2],
    turn: std::sync::atomic::AtomicUsize,
}

impl TwoHandles {
    fn next(&self) -> &SqliteRecords {
        let turn = self.turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        &self.handles[turn % 2]
    }
}

#[async_trait::async_trait]
impl PutRecord for TwoHandles {
    async fn put(&self, name: &RecordName, bytes: &[u8], expect: Expect) -> Result<Rev, Error> {
        self.next().put(name, bytes, expect).await
    }
}

#[async_trait::async_trait]
impl GetRecord for TwoHandles {
    async fn get(&self, name: &RecordName) -> Result<Option<Versioned<Vec<u8>>>, Error> {
        self.next().get(name).await
    }
}

#[async_trait::async_trait]
impl ListRecords for TwoHandles {
    async fn list(
        &self,
        prefix: &str,
        after: Option<&RecordName>,
        limit: usize,
    ) -> Result<Page, Error> {
        self.next().list(prefix, after, limit).await
    }
}

#[async_trait::async_trait]
impl DestroyRecord for TwoHandles {
    async fn destroy(&self, name: &RecordName, expect: Expect) -> Result<(), Error> {
        self.next().destroy(name, expect).await
    }
}

#[tokio::test]
async fn of_two_writers_on_two_connections_one_wins() {
    let (first, _dir) = make().await;
    let path = first.database().path().to_owned();
    let second = SqliteRecords::open(&path, &environment(), Options::EXISTING)
        .await
        .unwrap();
    let both = TwoHandles {
        handles: [first, second],
        turn: 0.into(),
    };
    suite::of_two_writers_one_wins(&both).await;
}

#[tokio::test]
async fn what_one_handle_wrote_the_other_reads_at_once() {
    let (first, _dir) = make().await;
    let path = first.database().path().to_owned();
    let second = SqliteRecords::open(&path, &environment(), Options::EXISTING)
        .await
        .unwrap();
    let (first, second) = (Arc::new(first), Arc::new(second));
    let name = RecordName::new("a").unwrap();
    for round in 0..50_u8 {
        first.put(&name, &[round], Expect::Any).await.unwrap();
        assert_eq!(second.get(&name).await.unwrap().unwrap().value, [round]);
    }
}

/// A reader keeps the log as it is: the destruction says that it is not complete, and the next one
/// makes it so.
#[tokio::test]
async fn a_shred_held_up_by_a_reader_is_not_called_complete() {
    let (store, dir) = make().await;
    let (first, second) = (RecordName::new("a").unwrap(), RecordName::new("b").unwrap());
    for name in [&first, &second] {
        store
            .put(name, &vec![0xA5; 20_000], Expect::Absent)
            .await
            .unwrap();
    }
    // No waiting for the reader.
    sqlx::query("PRAGMA busy_timeout = 0")
        .execute(store.database().writer())
        .await
        .unwrap();
    let left = || {
        let files = files_in(&dir.path().join("data"));
        let held = |bytes: &[u8]| contains(bytes, &[0xA5; 64]);
        files.iter().filter(|(_, bytes)| held(bytes)).count()
    };
    let mut reader = store.database().readers().begin().await.unwrap();
    let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM records")
        .fetch_one(&mut *reader)
        .await
        .unwrap();
    assert_eq!(seen, 2);
    let held_up = store.destroy(&first, Expect::Any).await;
    assert!(
        matches!(held_up, Err(Error::ShredIncomplete(_))),
        "{held_up:?}"
    );
    assert_eq!(store.get(&first).await.unwrap(), None);
    assert!(left() > 0, "the search finds what is there");

    reader.rollback().await.unwrap();
    store.destroy(&second, Expect::Any).await.unwrap();
    assert_eq!(left(), 0);
}
