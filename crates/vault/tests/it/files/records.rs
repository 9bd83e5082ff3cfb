//! The suite, and what else a record store of files does.

use halfkey_core::SecretBytes;
use halfkey_vault::store::files::{FileRecords, MAX_RECORD_LEN};
use halfkey_vault::{DestroyRecord, Error, Expect, GetRecord, ListRecords, PutRecord};
use tempfile::TempDir;

use super::{fast_dir, open};
use crate::support::{contains, files_in, memory, name};

async fn make() -> (FileRecords, TempDir) {
    let dir = fast_dir();
    (open(&dir.path().join("records")).await, dir)
}
halfkey_vault::record_store_conformance!(make);

#[tokio::test]
async fn names_of_every_length_are_listed_in_order() {
    let (records, _dir) = make().await;
    let mut names: Vec<_> = [1, 66, 67, 199, 200, 201, 202, 511, 512]
        .iter()
        .flat_map(|len| [name(&"n".repeat(*len)), name(&"N".repeat(*len))])
        .collect();
    for at in &names {
        records
            .put(at, at.as_str().as_bytes(), Expect::Absent)
            .await
            .unwrap();
    }
    names.sort();
    let listed = records.list("", None, 1000).await.unwrap();
    assert_eq!((&listed.names, listed.next), (&names, None));
    for at in &names {
        let found = records.get(at).await.unwrap().unwrap();
        assert_eq!(found.value, at.as_str().as_bytes());
        records.destroy(at, Expect::Rev(found.rev)).await.unwrap();
    }
    assert!(records.list("", None, 10).await.unwrap().names.is_empty());
}

#[tokio::test]
async fn the_limit_is_exact() {
    let (records, _dir) = make().await;
    let longest = vec![0xA5; MAX_RECORD_LEN];
    records
        .put(&name("a"), &longest, Expect::Absent)
        .await
        .unwrap();
    assert!(records.get(&name("a")).await.unwrap().unwrap().value == longest);
    let over = vec![0; MAX_RECORD_LEN + 1];
    let refused = records.put(&name("b"), &over, Expect::Absent).await;
    assert!(matches!(
        refused,
        Err(Error::TooLarge {
            limit: MAX_RECORD_LEN,
            ..
        })
    ));
}

#[tokio::test]
async fn a_destroyed_name_leaves_nothing_but_a_floor() {
    let (records, dir) = make().await;
    for round in 1..=5_u64 {
        let rev = records
            .put(&name("wallet"), b"sealed", Expect::Absent)
            .await
            .unwrap();
        assert_eq!(rev.0, round);
        records
            .destroy(&name("wallet"), Expect::Rev(rev))
            .await
            .unwrap();
        let mut left: Vec<_> = files_in(&dir.path().join("records"))
            .into_iter()
            .map(|(path, _)| path.file_name().unwrap().to_owned())
            .collect();
        left.sort();
        assert_eq!(left, ["environment", "floor"]);
    }
    // Another name begins above the floor as well.
    let rev = records
        .put(&name("other"), b"x", Expect::Absent)
        .await
        .unwrap();
    assert_eq!(rev.0, 6);
}

#[tokio::test]
async fn every_changed_byte_of_a_file_is_corrupt_and_can_be_destroyed() {
    let (records, dir) = make().await;
    let old = records
        .put(&name("a"), b"sealed", Expect::Absent)
        .await
        .unwrap();
    let path = dir.path().join("records/a.rec");
    let file = std::fs::read(&path).unwrap();
    for at in 0..file.len() {
        let mut other = file.clone();
        other[at] ^= 1;
        std::fs::write(&path, &other).unwrap();
        let found = records.get(&name("a")).await;
        assert!(
            matches!(found, Err(Error::Corrupt { .. })),
            "{at}: {found:?}"
        );
        let put = records.put(&name("a"), b"x", Expect::Any).await;
        assert!(matches!(put, Err(Error::Corrupt { .. })), "{at}: {put:?}");
    }
    let refused = records.destroy(&name("a"), Expect::Rev(old)).await;
    assert!(matches!(refused, Err(Error::Conflict(_))));
    records.destroy(&name("a"), Expect::Any).await.unwrap();
    assert!(records.get(&name("a")).await.unwrap().is_none());
    let new = records.put(&name("a"), b"x", Expect::Absent).await.unwrap();
    assert!(new > old);
}

#[tokio::test]
async fn a_file_under_another_name_is_corrupt() {
    let (records, dir) = make().await;
    records
        .put(&name("a"), b"sealed", Expect::Absent)
        .await
        .unwrap();
    let dir = dir.path().join("records");
    std::fs::copy(dir.join("a.rec"), dir.join("b.rec")).unwrap();
    assert!(matches!(
        records.get(&name("b")).await,
        Err(Error::Corrupt { .. })
    ));
    std::fs::remove_file(dir.join("b.rec")).unwrap();
    for strange in ["B.rec".to_owned(), format!("~{}.rec", "0".repeat(64))] {
        std::fs::copy(dir.join("a.rec"), dir.join(&strange)).unwrap();
        let listed = records.list("", None, 10).await;
        assert!(matches!(listed, Err(Error::Corrupt { .. })), "{strange}");
        std::fs::remove_file(dir.join(&strange)).unwrap();
    }
    std::fs::write(dir.join("notes.txt"), b"of somebody").unwrap();
    assert_eq!(records.list("", None, 10).await.unwrap().names, [name("a")]);
}

/// The descriptor of a file that is replaced or destroyed sees zeros afterwards; one with a second
/// name, a backup's, is left alone.
#[tokio::test]
async fn what_was_overwritten_or_destroyed_is_wiped_unless_it_has_another_name() {
    use std::io::{Read as _, Seek as _};
    let (records, dir) = make().await;
    let dir = dir.path().join("records");
    let mut old = vec![vec![0xA5; 10_000], vec![0xB6; 10_000]];
    records.put(&name("a"), &old[0], Expect::Any).await.unwrap();
    let mut first = std::fs::File::open(dir.join("a.rec")).unwrap();
    records.put(&name("a"), &old[1], Expect::Any).await.unwrap();
    let mut second = std::fs::File::open(dir.join("a.rec")).unwrap();
    std::fs::hard_link(dir.join("a.rec"), dir.join("backup")).unwrap();
    let mut bytes = Vec::new();
    first.read_to_end(&mut bytes).unwrap();
    assert!(bytes.len() > 10_000 && bytes.iter().all(|byte| *byte == 0));
    records
        .put(&name("a"), b"third", Expect::Any)
        .await
        .unwrap();
    bytes.clear();
    second.read_to_end(&mut bytes).unwrap();
    assert!(contains(&bytes, &old.pop().unwrap()));
    std::fs::remove_file(dir.join("backup")).unwrap();
    let mut third = std::fs::File::open(dir.join("a.rec")).unwrap();
    records.destroy(&name("a"), Expect::Any).await.unwrap();
    third.rewind().unwrap();
    bytes.clear();
    third.read_to_end(&mut bytes).unwrap();
    assert!(bytes.len() > 5 && bytes.iter().all(|byte| *byte == 0));
}

/// What the vault seals is all that stands in the files.
#[tokio::test]
async fn nothing_plaintext_reaches_the_files() {
    use std::sync::Arc;
    let (records, dir) = make().await;
    let records = Arc::new(records);
    let parts = memory();
    let vault = halfkey_vault::Vault::new(halfkey_vault::VaultParts {
        put: Some(Arc::<FileRecords>::clone(&records)),
        get: Some(Arc::<FileRecords>::clone(&records)),
        ..parts.vault.parts().clone()
    });
    let share: Vec<u8> = (0..2000_u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes())
        .collect();
    let canary = halfkey_testkit::Canary::new("the share", &share);
    vault
        .store(
            &name("wallet:0xab/shares/2"),
            &crate::support::ctx(),
            &SecretBytes::new(share.clone()),
            Expect::Absent,
            &crate::support::access(),
        )
        .await
        .unwrap();
    let files = files_in(&dir.path().join("records"));
    assert!(files.iter().any(|(_, bytes)| bytes.len() > share.len()));
    for (path, bytes) in files {
        canary.must_be_absent(&path.display().to_string(), &bytes);
    }
}
