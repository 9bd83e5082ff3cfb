//! The suite of record stores.

use super::{must, must_be_callers_fault, must_conflict, must_some};
use crate::{Expect, RecordName, RecordStore, Rev};

/// One test per case, for the store that `$make` makes.
#[macro_export]
macro_rules! record_store_conformance {
    ($make:path) => {
        $crate::conformance_cases!(
            records,
            $make,
            what_is_absent_reads_as_none,
            what_was_put_is_read_back,
            revisions_grow_with_each_write,
            absent_refuses_what_exists,
            a_revision_refuses_what_changed,
            a_refused_write_changes_nothing,
            a_destroyed_record_is_gone,
            destroying_needs_the_right_revision,
            a_revision_is_never_used_again,
            lists_are_sorted_and_paged,
            prefixes_are_not_patterns,
            of_two_writers_one_wins,
        );
    };
}

fn name(text: &str) -> RecordName {
    must(RecordName::new(text))
}

async fn must_read(store: &dyn RecordStore, at: &str) -> (Vec<u8>, Rev) {
    let found = must_some(must(store.get(&name(at)).await), at);
    (found.value, found.rev)
}

/// Reading what was never written.
pub async fn what_is_absent_reads_as_none(store: &dyn RecordStore) {
    assert!(must(store.get(&name("a")).await).is_none());
    let page = must(store.list("", None, 10).await);
    assert!(page.names.is_empty() && page.next.is_none());
}

/// Every byte, no byte, and more than a megabyte.
pub async fn what_was_put_is_read_back(store: &dyn RecordStore) {
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    for (at, bytes) in [
        ("a", every_byte),
        ("b", Vec::new()),
        ("c", vec![0xA5; 1_100_000]),
    ] {
        let rev = must(store.put(&name(at), &bytes, Expect::Absent).await);
        assert_eq!(must_read(store, at).await, (bytes, rev));
    }
    let longest = "n".repeat(512);
    must(store.put(&name(&longest), b"x", Expect::Absent).await);
    assert_eq!(must_read(store, &longest).await.0, b"x");
    assert!(
        must(store.get(&name("A")).await).is_none(),
        "names differ by case"
    );
}

/// Each write has a higher revision, and reading tells it.
pub async fn revisions_grow_with_each_write(store: &dyn RecordStore) {
    let first = must(store.put(&name("a"), b"1", Expect::Any).await);
    let second = must(store.put(&name("a"), b"2", Expect::Rev(first)).await);
    let third = must(store.put(&name("a"), b"3", Expect::Any).await);
    assert!(first < second && second < third);
    assert_eq!(must_read(store, "a").await, (b"3".to_vec(), third));
}

/// `Expect::Absent` on what is there.
pub async fn absent_refuses_what_exists(store: &dyn RecordStore) {
    must(store.put(&name("a"), b"", Expect::Absent).await);
    must_conflict(
        store.put(&name("a"), b"2", Expect::Absent).await,
        "a second creation",
    );
}

/// `Expect::Rev` on another revision, and on nothing.
pub async fn a_revision_refuses_what_changed(store: &dyn RecordStore) {
    must_conflict(
        store.put(&name("a"), b"1", Expect::Rev(Rev(1))).await,
        "absent",
    );
    let first = must(store.put(&name("a"), b"1", Expect::Absent).await);
    must(store.put(&name("a"), b"2", Expect::Rev(first)).await);
    must_conflict(
        store.put(&name("a"), b"3", Expect::Rev(first)).await,
        "stale",
    );
    for rev in [0, first.0.saturating_add(2), u64::MAX] {
        must_conflict(
            store.put(&name("a"), b"3", Expect::Rev(Rev(rev))).await,
            "never given",
        );
    }
}

/// What is there stays as it was.
pub async fn a_refused_write_changes_nothing(store: &dyn RecordStore) {
    let rev = must(store.put(&name("a"), b"1", Expect::Absent).await);
    must_conflict(store.put(&name("a"), b"2", Expect::Absent).await, "absent");
    must_conflict(
        store
            .put(&name("a"), b"2", Expect::Rev(Rev(u64::MAX)))
            .await,
        "rev",
    );
    assert_eq!(must_read(store, "a").await, (b"1".to_vec(), rev));
}

/// Neither read nor listed; others stay.
pub async fn a_destroyed_record_is_gone(store: &dyn RecordStore) {
    let rev = must(store.put(&name("a"), b"1", Expect::Absent).await);
    must(store.put(&name("b"), b"2", Expect::Absent).await);
    must(store.destroy(&name("a"), Expect::Rev(rev)).await);
    assert!(must(store.get(&name("a")).await).is_none());
    assert_eq!(must(store.list("", None, 10).await).names, [name("b")]);
    must(store.destroy(&name("b"), Expect::Any).await);
    assert!(must(store.list("", None, 10).await).names.is_empty());
}

/// Stale, absent, and `Expect::Absent`.
pub async fn destroying_needs_the_right_revision(store: &dyn RecordStore) {
    must(store.destroy(&name("a"), Expect::Any).await);
    must_conflict(
        store.destroy(&name("a"), Expect::Rev(Rev(1))).await,
        "absent",
    );
    let first = must(store.put(&name("a"), b"1", Expect::Absent).await);
    must(store.put(&name("a"), b"2", Expect::Any).await);
    must_conflict(store.destroy(&name("a"), Expect::Rev(first)).await, "stale");
    must_be_callers_fault(store.destroy(&name("a"), Expect::Absent).await, "absent");
    assert_eq!(must_read(store, "a").await.0, b"2");
}

/// A name that is made again goes on from its old revision, so that a writer who remembers the old
/// record cannot overwrite the new one.
pub async fn a_revision_is_never_used_again(store: &dyn RecordStore) {
    let old = must(store.put(&name("a"), b"old", Expect::Absent).await);
    must(store.destroy(&name("a"), Expect::Rev(old)).await);
    must_conflict(
        store.put(&name("a"), b"x", Expect::Rev(old)).await,
        "destroyed",
    );
    let new = must(store.put(&name("a"), b"new", Expect::Absent).await);
    assert!(new > old);
    must_conflict(
        store.put(&name("a"), b"x", Expect::Rev(old)).await,
        "made again",
    );
    must_conflict(
        store.destroy(&name("a"), Expect::Rev(old)).await,
        "made again",
    );
}

/// In byte order, each once, across pages of every size.
pub async fn lists_are_sorted_and_paged(store: &dyn RecordStore) {
    let sorted = ["p/A", "p/B", "p/a", "p/a/1", "p/a0", "p/b", "p/~"];
    for at in [
        "p/b", "p/a", "q/x", "p/~", "p/A", "o", "p/a0", "p/B", "p/a/1",
    ] {
        must(store.put(&name(at), b"x", Expect::Absent).await);
    }
    for limit in 1..=8 {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = must(store.list("p/", after.as_ref(), limit).await);
            assert!(page.names.len() <= limit);
            seen.extend(page.names.iter().map(ToString::to_string));
            if page.next.is_none() {
                break;
            }
            assert_eq!(
                page.next.as_ref(),
                page.names.last(),
                "next is the last of the page"
            );
            after = page.next;
        }
        assert_eq!(seen, sorted, "pages of {limit}");
    }
    let page = must(store.list("p/", Some(&name("p/a/2")), 10).await);
    assert_eq!(
        page.names,
        [name("p/a0"), name("p/b"), name("p/~")],
        "after an absent name"
    );
    must_be_callers_fault(store.list("", None, 0).await, "a page of 0");
}

/// Characters that mean something to a database mean nothing here.
pub async fn prefixes_are_not_patterns(store: &dyn RecordStore) {
    for at in ["a%b", "a_b", "a*b", "a[b", "a'b", "axb", "a\\b"] {
        must(store.put(&name(at), b"x", Expect::Absent).await);
    }
    for prefix in ["a%", "a_", "a*", "a[", "a'", "a\\"] {
        let page = must(store.list(prefix, None, 10).await);
        assert_eq!(page.names, [name(&format!("{prefix}b"))]);
    }
    assert!(
        must(store.list("A", None, 10).await).names.is_empty(),
        "prefixes differ by case"
    );
}

/// A thousand rounds of two writers who read the same revision.
pub async fn of_two_writers_one_wins(store: &dyn RecordStore) {
    let at = name("a");
    let mut rev = must(store.put(&at, b"0", Expect::Absent).await);
    for round in 0..1000 {
        let (one, two) = tokio::join!(
            store.put(&at, b"one", Expect::Rev(rev)),
            store.put(&at, b"two", Expect::Rev(rev)),
        );
        let (bytes, now) = must_read(store, "a").await;
        let winner: &[u8] = match (one, two) {
            (Ok(won), lost) => {
                must_conflict(lost, "the second writer");
                assert_eq!(won, now);
                b"one"
            }
            (lost, won) => {
                must_conflict(lost, "the first writer");
                assert_eq!(must(won), now);
                b"two"
            }
        };
        assert_eq!(bytes, winner, "round {round}");
        rev = now;
    }
}
