//! The suite, and what else a record store in a bucket does.

use halfkey_vault::store::s3::{MAX_RECORD_LEN, S3Records};
use halfkey_vault::{DestroyRecord, Error, Expect, GetRecord, ListRecords, PutRecord};

use super::{BUCKET, fresh_prefix, moto, open, read_back, stranger};
use crate::support::name;

async fn make() -> (S3Records, tempfile::TempDir) {
    open(&moto().await.endpoint(), &fresh_prefix()).await
}
halfkey_vault::record_store_conformance!(make);

#[tokio::test]
async fn two_prefixes_are_two_stores() {
    let (endpoint, prefix) = (moto().await.endpoint(), fresh_prefix());
    let (one, _one) = open(&endpoint, &prefix).await;
    let (two, _two) = open(&endpoint, &format!("{prefix}/inner")).await;
    one.put(&name("a"), b"one", Expect::Absent).await.unwrap();
    two.put(&name("a"), b"two", Expect::Absent).await.unwrap();
    two.put(&name("b"), b"two", Expect::Absent).await.unwrap();
    assert_eq!(one.get(&name("a")).await.unwrap().unwrap().value, b"one");
    assert_eq!(one.list("", None, 10).await.unwrap().names, [name("a")]);
    assert_eq!(
        two.list("", None, 10).await.unwrap().names,
        [name("a"), name("b")]
    );
}

#[tokio::test]
async fn tombstones_are_not_listed_however_many_stand_between() {
    let (store, _alive) = make().await;
    let names: Vec<_> = (0..9).map(|at| name(&format!("r{at}"))).collect();
    for at in &names {
        store.put(at, b"", Expect::Absent).await.unwrap();
    }
    for at in [0, 1, 2, 4, 5, 6, 8] {
        store.destroy(&names[at], Expect::Any).await.unwrap();
    }
    for limit in 1..=3 {
        let page = store.list("r", None, limit).await.unwrap();
        let expected = [names[3].clone(), names[7].clone()];
        assert_eq!(page.names, expected[..limit.min(2)]);
        assert_eq!(page.next.is_some(), limit == 1);
    }
    store.destroy(&names[0], Expect::Any).await.unwrap();
    store
        .put(&names[0], b"again", Expect::Absent)
        .await
        .unwrap();
    let page = store.list("r", None, 1).await.unwrap();
    assert_eq!(page.names, names[..1]);
}

#[tokio::test]
async fn a_destroyed_record_leaves_its_revision_and_none_of_its_bytes() {
    let (endpoint, prefix) = (moto().await.endpoint(), fresh_prefix());
    let (store, _alive) = open(&endpoint, &prefix).await;
    let rev = store
        .put(&name("a"), b"sealed bytes", Expect::Absent)
        .await
        .unwrap();
    store.destroy(&name("a"), Expect::Rev(rev)).await.unwrap();
    let objects = read_back(&endpoint, &prefix).await;
    assert_eq!(objects.len(), 2);
    let (key, bytes) = &objects[1];
    assert_eq!(*key, format!("{prefix}/records/_a"));
    assert_eq!(
        *bytes,
        [&b"HKO1"[..], &(rev.0 + 1).to_be_bytes(), &[2]].concat()
    );
}

#[tokio::test]
async fn an_object_that_was_changed_or_moved_is_corrupt_and_can_be_destroyed() {
    let (endpoint, prefix) = (moto().await.endpoint(), fresh_prefix());
    let (store, _alive) = open(&endpoint, &prefix).await;
    let old = store
        .put(&name("a"), b"sealed bytes", Expect::Absent)
        .await
        .unwrap();
    let objects = read_back(&endpoint, &prefix).await;
    let (_, object) = &objects[1];
    let client = stranger();
    let url = |at: &str| format!("{endpoint}/{BUCKET}/{prefix}/records/_{at}");
    let mut changed = object.clone();
    *changed.last_mut().unwrap() ^= 1;
    for (at, bytes) in [
        ("b", object.clone()),
        ("a", changed),
        ("a", b"<html>".to_vec()),
    ] {
        client.put(url(at)).body(bytes).send().await.unwrap();
        let found = store.get(&name(at)).await;
        assert!(matches!(found, Err(Error::Corrupt { .. })), "{found:?}");
        let put = store.put(&name(at), b"x", Expect::Any).await;
        assert!(matches!(put, Err(Error::Corrupt { .. })), "{put:?}");
    }
    let refused = store.destroy(&name("a"), Expect::Rev(old)).await;
    assert!(matches!(refused, Err(Error::Conflict(_))));
    store.destroy(&name("a"), Expect::Any).await.unwrap();
    assert!(store.get(&name("a")).await.unwrap().is_none());
    assert!(store.put(&name("a"), b"new", Expect::Absent).await.unwrap() > old);
    client.put(url("a/b")).body("x").send().await.unwrap();
    let listed = store.list("", None, 10).await;
    assert!(matches!(listed, Err(Error::Corrupt { .. })), "{listed:?}");
}

#[tokio::test]
async fn what_is_too_long_is_refused_before_it_is_sent() {
    let (store, _alive) = make().await;
    let longest = vec![0xA5; MAX_RECORD_LEN];
    store
        .put(&name("a"), &longest, Expect::Absent)
        .await
        .unwrap();
    assert!(store.get(&name("a")).await.unwrap().unwrap().value == longest);
    let over = vec![0; MAX_RECORD_LEN + 1];
    let refused = store.put(&name("b"), &over, Expect::Absent).await;
    assert!(matches!(
        refused,
        Err(Error::TooLarge {
            limit: MAX_RECORD_LEN,
            ..
        })
    ));
    let slashes = store
        .put(&name(&"/".repeat(512)), b"x", Expect::Absent)
        .await;
    assert!(matches!(slashes, Err(Error::TooLarge { limit: 1024, .. })));
}
