//! The suite of secret managers.
//!
//! `make` gives two stores at one manager: the one under test, and one whose secrets it must not
//! list. The second one's prefix best begins with everything the first one's names begin with
//! (prefix and environment), so that a filter alone does not tell them apart. Where the length of a
//! page can be chosen, `make` chooses one below [`LISTED`].

use std::collections::BTreeSet;

use super::{must, must_conflict, must_some};
use crate::store::secret::{SecretId, SecretStore};
use crate::{Error, RecordName};

/// One test per case, for the two stores that `$make` makes.
#[macro_export]
macro_rules! secret_store_conformance {
    ($make:path) => {
        $crate::conformance_cases!(
            secrets,
            $make,
            what_is_absent_reads_as_none,
            what_was_created_is_read_back,
            the_limit_is_exact,
            repeating_a_creation_is_harmless,
            another_value_is_a_conflict,
            a_removed_secret_is_gone,
            removing_what_is_absent_is_fine,
            a_list_finds_every_secret_once,
            nothing_of_another_prefix_is_seen,
        );
    };
}

/// How many secrets the cases that list make.
pub const LISTED: usize = 12;

/// More pages than any listing here can have.
const MAX_PAGES: usize = 100;

/// A real one: longer than some managers' own names may be, and with what some do not allow.
fn name() -> RecordName {
    must(RecordName::new(format!(
        "wallet:0x{}/shares/2/7-{}~{{}}",
        "ab".repeat(20),
        "04".repeat(16)
    )))
}

fn id() -> SecretId {
    must(SecretId::generate())
}

async fn must_create(store: &impl SecretStore, value: &[u8]) -> SecretId {
    let id = id();
    must(store.create(id, &name(), value).await);
    id
}

async fn must_read(store: &impl SecretStore, id: SecretId) -> Vec<u8> {
    must_some(must(store.read(id).await), "the secret")
}

/// Every listed id, all pages together.
async fn must_list(store: &impl SecretStore) -> Vec<SecretId> {
    let mut found = Vec::new();
    let mut after = None;
    for _ in 0..MAX_PAGES {
        let page = must(store.list(after.as_deref()).await);
        found.extend(page.ids);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert!(after.is_none(), "the listing does not end");
    found
}

/// Reading what was never written.
pub async fn what_is_absent_reads_as_none<S: SecretStore>([store, _]: &[S; 2]) {
    assert!(must(store.read(id()).await).is_none());
    assert!(must_list(store).await.is_empty());
    assert!(!store.uri().is_empty());
}

/// Every byte value, at both ends; one byte; a name of the greatest length.
pub async fn what_was_created_is_read_back<S: SecretStore>([store, _]: &[S; 2]) {
    let rising: Vec<u8> = (0..=u8::MAX).collect();
    let falling: Vec<u8> = (0..=u8::MAX).rev().collect();
    let mut all = Vec::new();
    for value in [
        rising,
        falling,
        b"\0".to_vec(),
        b"\n".to_vec(),
        vec![0xFF; 1],
        b" {\"a\":1} \r\n".to_vec(),
    ] {
        all.push((must_create(store, &value).await, value));
    }
    let longest = must(RecordName::new("n".repeat(512)));
    let named = id();
    must(store.create(named, &longest, b"x").await);
    all.push((named, b"x".to_vec()));
    for (id, value) in all {
        assert_eq!(must_read(store, id).await, value);
    }
}

/// The limit fits; one byte more is refused and leaves nothing.
pub async fn the_limit_is_exact<S: SecretStore>([store, _]: &[S; 2]) {
    let limit = store.limit();
    let longest: Vec<u8> = (0..=u8::MAX).cycle().take(limit).collect();
    let fits = must_create(store, &longest).await;
    assert!(must_read(store, fits).await == longest, "not as written");
    let (too_long, over) = (id(), [&*longest, &[0]].concat());
    match store.create(too_long, &name(), &over).await {
        Err(Error::TooLarge {
            len, limit: told, ..
        }) => {
            assert_eq!((len, told), (over.len(), limit));
        }
        other => panic!("one over the limit: {other:?}"),
    }
    assert!(must(store.read(too_long).await).is_none());
}

/// The same id and value again, also after other writes.
pub async fn repeating_a_creation_is_harmless<S: SecretStore>([store, _]: &[S; 2]) {
    let id = must_create(store, b"one").await;
    must(store.create(id, &name(), b"one").await);
    must_create(store, b"two").await;
    must(store.create(id, &name(), b"one").await);
    assert_eq!(must_read(store, id).await, b"one");
    assert_eq!(must_list(store).await.len(), 2);
}

/// What is there stays as it was.
pub async fn another_value_is_a_conflict<S: SecretStore>([store, _]: &[S; 2]) {
    let id = must_create(store, b"one").await;
    for other in [&b"two"[..], b"on", b"one\0", b"One"] {
        must_conflict(store.create(id, &name(), other).await, "another value");
    }
    assert_eq!(must_read(store, id).await, b"one");
}

/// Neither read nor listed; others stay.
pub async fn a_removed_secret_is_gone<S: SecretStore>([store, _]: &[S; 2]) {
    let gone = must_create(store, b"one").await;
    let stays = must_create(store, b"two").await;
    must(store.remove(gone).await);
    assert!(must(store.read(gone).await).is_none());
    assert_eq!(must_read(store, stays).await, b"two");
    assert_eq!(must_list(store).await, [stays]);
}

/// Never there, and there no longer.
pub async fn removing_what_is_absent_is_fine<S: SecretStore>([store, _]: &[S; 2]) {
    must(store.remove(id()).await);
    let id = must_create(store, b"one").await;
    must(store.remove(id).await);
    must(store.remove(id).await);
    assert!(must(store.read(id).await).is_none());
}

/// Over all pages: none missing, none twice, and the ids are those that were given.
pub async fn a_list_finds_every_secret_once<S: SecretStore>([store, _]: &[S; 2]) {
    let mut made = BTreeSet::new();
    for _ in 0..LISTED {
        made.insert(must_create(store, b"x").await);
    }
    let found = must_list(store).await;
    assert_eq!(found.len(), LISTED);
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), made);
}

/// Neither listed nor read.
pub async fn nothing_of_another_prefix_is_seen<S: SecretStore>([store, other]: &[S; 2]) {
    let mut others = Vec::new();
    for _ in 0..LISTED {
        others.push(must_create(other, b"other").await);
    }
    let own = must_create(store, b"own").await;
    assert_eq!(must_list(store).await, [own]);
    for theirs in &others {
        assert!(must(store.read(*theirs).await).is_none());
        must(store.remove(*theirs).await);
        assert_eq!(must_read(other, *theirs).await, b"other");
    }
    assert!(!must_list(other).await.contains(&own));
}
