//! What a process that died leaves behind.

use halfkey_vault::{Expect, GetRecord, ListRecords, PutRecord};

use super::{fast_dir, open};
use crate::support::{files_in, name};

/// Names as temporary files and files on their way out have them.
const LEFT: [&str; 4] = [
    ".a.rec.0123456789abcdef.tmp",
    ".floor.00000000000000ff.tmp",
    ".environment.00000000000000ff.tmp",
    "a%2fb.rec.shred",
];

#[tokio::test]
async fn torn_files_are_no_records_and_swept_by_the_next_opening() {
    let outer = fast_dir();
    let dir = outer.path().join("records");
    let records = open(&dir).await;
    records
        .put(&name("a"), b"whole", Expect::Absent)
        .await
        .unwrap();
    let whole = std::fs::read(dir.join("a.rec")).unwrap();
    for left in LEFT {
        std::fs::write(dir.join(left), &whole[..whole.len() / 2]).unwrap();
    }
    assert_eq!(records.list("", None, 10).await.unwrap().names, [name("a")]);
    assert_eq!(
        records.get(&name("a")).await.unwrap().unwrap().value,
        b"whole"
    );
    assert!(records.get(&name("a/b")).await.unwrap().is_none());
    let again = open(&dir).await;
    let mut names: Vec<_> = files_in(&dir)
        .into_iter()
        .map(|(path, _)| path.file_name().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["a.rec", "environment", "floor"]);
    assert_eq!(
        again.get(&name("a")).await.unwrap().unwrap().value,
        b"whole"
    );
}

/// Floor made, mark not yet.
#[tokio::test]
async fn an_opening_that_died_is_ended_by_the_next_one() {
    let outer = fast_dir();
    let dir = outer.path().join("records");
    let records = open(&dir).await;
    let rev = records.put(&name("a"), b"x", Expect::Absent).await.unwrap();
    halfkey_vault::DestroyRecord::destroy(&records, &name("a"), Expect::Rev(rev))
        .await
        .unwrap();
    std::fs::remove_file(dir.join("environment")).unwrap();
    let again = open(&dir).await;
    // The floor that stood there was kept.
    assert!(again.put(&name("a"), b"x", Expect::Absent).await.unwrap() > rev);
}
