//! Several handles and processes over one directory.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use halfkey_vault::conformance::records as suite;
use halfkey_vault::store::files::{FileRecords, FilesConfig};
use halfkey_vault::{
    DestroyRecord, Error, Expect, GetRecord, ListRecords, Page, PutRecord, RecordName, Rev,
    Versioned,
};
use rustix::fs::FlockOperation;

use super::{config, fast_dir, open};
use crate::support::{environment, name};

/// Writes by turns through two handles, as two processes would.
struct TwoHandles([FileRecords; 2], AtomicUsize);

impl TwoHandles {
    fn next(&self) -> &FileRecords {
        &self.0[self.1.fetch_add(1, Ordering::Relaxed) % 2]
    }
}

#[async_trait]
impl PutRecord for TwoHandles {
    async fn put(&self, name: &RecordName, bytes: &[u8], expect: Expect) -> Result<Rev, Error> {
        self.next().put(name, bytes, expect).await
    }
}

#[async_trait]
impl GetRecord for TwoHandles {
    async fn get(&self, name: &RecordName) -> Result<Option<Versioned<Vec<u8>>>, Error> {
        self.next().get(name).await
    }
}

#[async_trait]
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

#[async_trait]
impl DestroyRecord for TwoHandles {
    async fn destroy(&self, name: &RecordName, expect: Expect) -> Result<(), Error> {
        self.next().destroy(name, expect).await
    }
}

#[tokio::test]
async fn of_two_writers_on_two_handles_one_wins() {
    let dir = fast_dir();
    let dir = dir.path().join("records");
    let both = TwoHandles([open(&dir).await, open(&dir).await], 0.into());
    suite::of_two_writers_one_wins(&both).await;
}

/// Readers take no lock: they see the old bytes or the new ones, never a part, never damage.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_whole_records_while_they_are_replaced_and_destroyed() {
    let dir = fast_dir();
    let dir = dir.path().join("records");
    let (writer, reader) = (open(&dir).await, open(&dir).await);
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let end = std::sync::Arc::clone(&done);
    let reading = tokio::spawn(async move {
        let mut seen = 0_u32;
        while !end.load(Ordering::Relaxed) || seen == 0 {
            if let Some(found) = reader.get(&name("a")).await.unwrap() {
                let first = found.value[0];
                assert!(found.value.iter().all(|byte| *byte == first));
                assert_eq!(found.value.len(), 100_000);
                seen += 1;
            }
        }
        seen
    });
    for round in 0..200_u8 {
        writer
            .put(&name("a"), &vec![round; 100_000], Expect::Any)
            .await
            .unwrap();
        if round % 5 == 4 {
            writer.destroy(&name("a"), Expect::Any).await.unwrap();
        }
    }
    writer
        .put(&name("a"), &vec![1; 100_000], Expect::Any)
        .await
        .unwrap();
    done.store(true, Ordering::Relaxed);
    assert!(reading.await.unwrap() > 0);
}

#[tokio::test]
async fn a_writer_that_waits_for_the_lock_too_long_says_so() {
    let dir = fast_dir();
    let dir = dir.path().join("records");
    open(&dir).await;
    let config = FilesConfig {
        deadline_ms: 50,
        ..config(&dir)
    };
    let records = FileRecords::open(&config, &environment()).await.unwrap();
    let held = std::fs::File::open(&dir).unwrap();
    rustix::fs::flock(&held, FlockOperation::LockExclusive).unwrap();
    let put = records.put(&name("a"), b"x", Expect::Any).await;
    assert!(matches!(put, Err(Error::Timeout(_))), "{put:?}");
    let opened = FileRecords::open(&config, &environment()).await;
    assert!(matches!(opened, Err(Error::Timeout(_))), "{opened:?}");
    // Reading waits for nobody.
    assert!(records.get(&name("a")).await.unwrap().is_none());
    drop(held);
}

/// Set for the process that counts: where.
const DIR: &str = "HALFKEY_VAULT_TEST_COUNTS_IN";
const COUNTS: u64 = 100;

/// Adds one to a number, a hundred times, each time by compare-and-set.
async fn count(records: &FileRecords) {
    let at = name("counter");
    let mut done = 0;
    while done < COUNTS {
        let found = records.get(&at).await.unwrap();
        let (number, expect) = found.map_or((0, Expect::Absent), |found| {
            let number = u64::from_be_bytes(found.value.try_into().unwrap());
            (number, Expect::Rev(found.rev))
        });
        match records.put(&at, &(number + 1).to_be_bytes(), expect).await {
            Ok(_) => done += 1,
            Err(Error::Conflict(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Counts where the other test says, else by itself.
#[tokio::test]
async fn counts_by_compare_and_set() {
    let own = fast_dir();
    let dir = std::env::var_os(DIR).map_or_else(|| own.path().join("records"), PathBuf::from);
    eprintln!("counting");
    count(&open(&dir).await).await;
}

#[tokio::test]
async fn two_processes_lose_no_count() {
    let outer = fast_dir();
    let dir = outer.path().join("records");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "files::handles::counts_by_compare_and_set",
            "--nocapture",
        ])
        .env(DIR, &dir)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "counting"));
    let records = open(&dir).await;
    count(&records).await;
    assert!(child.wait().unwrap().success());
    let found = records.get(&name("counter")).await.unwrap().unwrap();
    assert_eq!(found.value, (2 * COUNTS).to_be_bytes());
    assert_eq!(found.rev, Rev(2 * COUNTS));
}
