//! What is left of a record that was overwritten or destroyed, also by half or by others.

use halfkey_vault::{
    DestroyRecord as _, Error, Expect, GetRecord as _, ListRecords as _, PutRecord as _, Rev,
};
use serde_json::{Value, json};

use super::{Folder, list};
use crate::support::name;

async fn read(folder: &Folder, at: &str) -> Option<Vec<u8>> {
    let found = folder.records.get(&name(at)).await.unwrap();
    found.map(|found| found.value)
}

async fn create(folder: &Folder, at: &str, bytes: &[u8]) -> Rev {
    folder
        .records
        .put(&name(at), bytes, Expect::Absent)
        .await
        .unwrap()
}

#[tokio::test]
async fn an_overwritten_version_is_gone() {
    let folder = Folder::new().await;
    let first = create(&folder, "a", b"first").await;
    let second = folder
        .records
        .put(&name("a"), b"second", Expect::Rev(first))
        .await
        .unwrap();
    let metadata = folder.path("metadata", "a");
    let metadata = folder.admin().must("GET", &metadata, Value::Null).await;
    let versions = metadata["data"]["versions"].as_object().unwrap();
    let left: Vec<_> = versions.keys().cloned().collect();
    assert_eq!(left, [second.0.to_string()]);
    let old = format!("{}?version={}", folder.path("data", "a"), first.0);
    let (status, reply) = folder.admin().call("GET", &old, Value::Null).await;
    assert_eq!((status, &reply["data"]), (404, &Value::Null), "{reply}");
    let undelete = json!({ "versions": [first.0] });
    let path = folder.path("undelete", "a");
    folder.admin().call("POST", &path, undelete).await;
    let (status, _) = folder.admin().call("GET", &old, Value::Null).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn of_a_destroyed_record_no_version_is_left() {
    let folder = Folder::new().await;
    let rev = create(&folder, "a", b"first").await;
    folder
        .records
        .destroy(&name("a"), Expect::Rev(rev))
        .await
        .unwrap();
    for version in 0..4 {
        let undelete = json!({ "versions": [version] });
        let path = folder.path("undelete", "a");
        folder.admin().call("POST", &path, undelete).await;
        let path = format!("{}?version={version}", folder.path("data", "a"));
        let (status, reply) = folder.admin().call("GET", &path, Value::Null).await;
        assert_eq!(status, 404, "{version}");
        assert_eq!(reply["data"]["data"], Value::Null, "{version}");
    }
}

/// As a crash after the first step leaves it.
#[tokio::test]
async fn a_record_whose_version_is_destroyed_is_gone() {
    let folder = Folder::new().await;
    let rev = create(&folder, "a", b"first").await;
    let versions = json!({ "versions": [rev.0] });
    let path = folder.path("destroy", "a");
    folder.admin().must("POST", &path, versions).await;
    assert_eq!(read(&folder, "a").await, None);
    assert!(list(&folder.records).await.is_empty());
    folder
        .records
        .destroy(&name("a"), Expect::Any)
        .await
        .unwrap();
    assert!(create(&folder, "a", b"again").await > rev);
}

/// As a crash after the second step leaves it.
#[tokio::test]
async fn a_left_tombstone_is_no_record_and_its_reader_removes_it() {
    let folder = Folder::new().await;
    for at in ["read", "made-again", "destroyed-again"] {
        let rev = create(&folder, at, b"first").await;
        let tombstone = json!({ "data": { "destroyed": true }, "options": { "cas": rev.0 } });
        let path = folder.path("data", at);
        folder.admin().must("POST", &path, tombstone).await;
    }
    assert_eq!(list(&folder.records).await.len(), 3);
    assert_eq!(read(&folder, "read").await, None);
    let again = create(&folder, "made-again", b"again").await;
    assert_eq!(again, Rev(3));
    folder
        .records
        .destroy(&name("destroyed-again"), Expect::Any)
        .await
        .unwrap();
    assert_eq!(list(&folder.records).await, ["made-again"]);
    assert_eq!(read(&folder, "made-again").await.unwrap(), b"again");
}

/// Deleted by hand, so that it can be undeleted: neither absent nor free to be overwritten.
#[tokio::test]
async fn a_record_deleted_by_others_is_not_taken_for_absent() {
    let folder = Folder::new().await;
    create(&folder, "a", b"first").await;
    let path = folder.path("data", "a");
    folder.admin().must("DELETE", &path, Value::Null).await;
    let found = folder.records.get(&name("a")).await;
    assert!(matches!(found, Err(Error::Corrupt { .. })), "{found:?}");
    let put = folder.records.put(&name("a"), b"x", Expect::Absent).await;
    assert!(matches!(put, Err(Error::Conflict(_))), "{put:?}");
    let undelete = json!({ "versions": [1] });
    let path = folder.path("undelete", "a");
    folder.admin().must("POST", &path, undelete).await;
    assert_eq!(read(&folder, "a").await.unwrap(), b"first");
}

#[tokio::test]
async fn what_is_no_record_of_ours_is_corrupt() {
    let folder = Folder::new().await;
    for (at, data) in [
        ("a", json!({ "password": "hunter2" })),
        ("b", json!({ "record": "AQ" })),
        ("c", json!({ "record": "AQ==", "destroyed": true })),
        ("d", json!({})),
    ] {
        let secret = json!({ "data": data, "options": { "cas": 0 } });
        let path = folder.path("data", at);
        folder.admin().must("POST", &path, secret).await;
        let found = folder.records.get(&name(at)).await;
        assert!(
            matches!(found, Err(Error::Corrupt { .. })),
            "{at}: {found:?}"
        );
        let put = folder.records.put(&name(at), b"x", Expect::Absent).await;
        assert!(matches!(put, Err(Error::Conflict(_))), "{at}: {put:?}");
    }
    // A secret whose name is none of ours is no record at all.
    let path = format!("kv/data/{}/records/notes", folder.config.prefix);
    let secret = json!({ "data": {}, "options": { "cas": 0 } });
    folder.admin().must("POST", &path, secret).await;
    assert_eq!(list(&folder.records).await, ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn pages_leave_out_what_is_destroyed() {
    let folder = Folder::new().await;
    for at in 0..40 {
        create(&folder, &format!("p/{at:02}"), b"x").await;
    }
    for at in (0..40).filter(|at| at % 10 != 7) {
        let at = name(&format!("p/{at:02}"));
        folder.records.destroy(&at, Expect::Any).await.unwrap();
    }
    create(&folder, "o", b"x").await;
    create(&folder, "q", b"x").await;
    let expected = ["p/07", "p/17", "p/27", "p/37"];
    for limit in 1..=5 {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = folder.records.list("p/", after.as_ref(), limit).await;
            let page = page.unwrap();
            assert!(page.names.len() <= limit);
            seen.extend(page.names.iter().map(ToString::to_string));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, expected, "pages of {limit}");
    }
}
