//! The suite of properties stores.

use core::convert::Infallible;
use core::time::Duration;
use std::sync::{Mutex, PoisonError};

use halfkey_core::WalletProperties;

use super::{must, must_be_callers_fault, must_conflict, must_some};
use crate::cache::refresh;
use crate::{Expect, PropertiesStore, Rev};

/// One test per case, for the store that `$make` makes.
#[macro_export]
macro_rules! properties_store_conformance {
    ($make:path) => {
        $crate::conformance_cases!(
            properties,
            $make,
            what_is_absent_reads_as_none,
            what_was_put_is_read_back,
            expectations_are_kept,
            what_is_deleted_is_forgotten,
            addresses_are_sorted_and_paged,
            of_two_writers_one_wins,
            an_older_write_never_replaces_a_newer_one,
        );
    };
}

fn properties(wallet: &str) -> WalletProperties {
    WalletProperties::new("EVM", wallet, "0xAB").with_derivation_path(vec![44, 60, 0, 0, 7])
}

/// Reading and forgetting what was never written.
pub async fn what_is_absent_reads_as_none(store: &dyn PropertiesStore) {
    assert!(must(store.get("0xab").await).is_none());
    must(store.delete("0xab").await);
    assert!(must(store.addresses(None, 10).await).is_empty());
}

/// Every field.
pub async fn what_was_put_is_read_back(store: &dyn PropertiesStore) {
    let full = properties("w").with_address_type("x'y\"z\u{1F511}");
    let rev = must(store.put("0xab", &full, Expect::Absent).await);
    let found = must_some(must(store.get("0xab").await), "0xab");
    assert_eq!((found.value, found.rev), (full, rev));
    assert!(
        must(store.get("0xAB").await).is_none(),
        "addresses differ by case"
    );
}

/// `Absent`, `Rev` and `Any`.
pub async fn expectations_are_kept(store: &dyn PropertiesStore) {
    must_conflict(
        store.put("a", &properties("0"), Expect::Rev(Rev(1))).await,
        "absent",
    );
    let first = must(store.put("a", &properties("1"), Expect::Absent).await);
    must_conflict(
        store.put("a", &properties("2"), Expect::Absent).await,
        "present",
    );
    let second = must(store.put("a", &properties("2"), Expect::Rev(first)).await);
    must_conflict(
        store.put("a", &properties("3"), Expect::Rev(first)).await,
        "stale",
    );
    let third = must(store.put("a", &properties("3"), Expect::Any).await);
    assert!(first < second && second < third);
    assert_eq!(
        must_some(must(store.get("a").await), "a").value,
        properties("3")
    );
}

/// A deleted address is absent, and its old revision is worth nothing.
pub async fn what_is_deleted_is_forgotten(store: &dyn PropertiesStore) {
    let old = must(store.put("a", &properties("1"), Expect::Absent).await);
    must(store.delete("a").await);
    assert!(must(store.get("a").await).is_none());
    assert!(must(store.addresses(None, 10).await).is_empty());
    must(store.put("a", &properties("2"), Expect::Absent).await);
    must_conflict(
        store.put("a", &properties("3"), Expect::Rev(old)).await,
        "made again",
    );
}

/// In byte order, each once, across pages of every size.
pub async fn addresses_are_sorted_and_paged(store: &dyn PropertiesStore) {
    let sorted = ["0xa", "0xb", "9", "A", "a"];
    for address in ["a", "9", "0xb", "A", "0xa"] {
        must(
            store
                .put(address, &properties(address), Expect::Absent)
                .await,
        );
    }
    for limit in 1..=6 {
        let mut seen: Vec<String> = Vec::new();
        loop {
            let page = must(
                store
                    .addresses(seen.last().map(String::as_str), limit)
                    .await,
            );
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            seen.extend(page);
        }
        assert_eq!(seen, sorted, "pages of {limit}");
    }
    must_be_callers_fault(store.addresses(None, 0).await, "a page of 0");
}

/// Two writers who read the same revision.
pub async fn of_two_writers_one_wins(store: &dyn PropertiesStore) {
    let mut rev = must(store.put("a", &properties("0"), Expect::Absent).await);
    for _ in 0..100 {
        let (one, two) = (properties("1"), properties("2"));
        let (one, two) = tokio::join!(
            store.put("a", &one, Expect::Rev(rev)),
            store.put("a", &two, Expect::Rev(rev)),
        );
        let found = must_some(must(store.get("a").await), "a");
        let winner = if one.is_ok() { "1" } else { "2" };
        let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
        must_conflict(lost, "the slower writer");
        assert_eq!((must(won), properties(winner)), (found.rev, found.value));
        rev = found.rev;
    }
}

/// One process reads its row and stalls; another one moves the row on and writes the cache; then
/// the first goes on. With and without an entry before.
pub async fn an_older_write_never_replaces_a_newer_one(store: &dyn PropertiesStore) {
    const PATIENCE: Duration = Duration::from_secs(30);
    for address in ["absent", "present"] {
        if address == "present" {
            must(store.put(address, &properties("0"), Expect::Absent).await);
        }
        let row = Mutex::new("older");
        let read = || row.lock().unwrap_or_else(PoisonError::into_inner);
        let quick = || async { Ok::<_, Infallible>(Some(properties(*read()))) };
        let slow = || async {
            let seen = *read();
            if seen == "older" {
                *read() = "newer";
                refresh(store, PATIENCE, address, quick).await;
            }
            Ok::<_, Infallible>(Some(properties(seen)))
        };
        refresh(store, PATIENCE, address, slow).await;
        let found = must_some(must(store.get(address).await), address).value;
        assert_eq!(found, properties("newer"), "{address}");
    }
}
