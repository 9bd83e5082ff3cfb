//! Other writers come between the calls of an operation.

use std::sync::Arc;

use async_trait::async_trait;
use halfkey_vault::fault::{FaultPlan, Faulty};
use halfkey_vault::store::memory::{MemoryRecords, MemorySecrets};
use halfkey_vault::store::secret_manager::SecretManagerRecords;
use halfkey_vault::{
    DestroyRecord, Error, Expect, GetRecord, ListRecords, Page, PutRecord, RecordName, Rev,
    Versioned,
};

use super::crashes::OPENING;
use super::{LAYOUTS, Parts, open, parts, sealed, secret_ids};
use crate::support::name;

/// The same records; just before the call with that number, another writer puts `theirs`.
async fn interrupted(parts: &Parts, call: u64, theirs: Vec<u8>) -> SecretManagerRecords {
    let other = Arc::clone(&parts.records);
    let hook: halfkey_vault::fault::Latency = Arc::new(move |at| {
        let (other, theirs) = (Arc::clone(&other), theirs.clone());
        Box::pin(async move {
            if at == OPENING + call {
                other.put(&name("a"), &theirs, Expect::Any).await.unwrap();
            }
        })
    });
    let plan = Arc::new(FaultPlan::new(0).with_latency(hook));
    let secrets: Faulty<MemorySecrets> = Faulty::new(Arc::clone(&parts.secrets), Arc::clone(&plan));
    let index: Faulty<MemoryRecords> = Faulty::new(Arc::clone(&parts.index), plan);
    open(LAYOUTS[0], Arc::new(secrets), Arc::new(index)).await
}

#[tokio::test]
async fn a_writer_that_comes_between_wins_and_nothing_is_left_over() {
    for layout in LAYOUTS {
        let (first, ours, theirs) = (sealed(20).await, sealed(20).await, sealed(20).await);
        for call in 2..=4 {
            let parts = parts(layout, 65_536).await;
            let rev = parts
                .records
                .put(&name("a"), &first, Expect::Absent)
                .await
                .unwrap();
            let late = interrupted(&parts, call, theirs.clone()).await;
            let put = late.put(&name("a"), &ours, Expect::Rev(rev)).await;
            assert!(matches!(put, Err(Error::Conflict(_))), "{call}: {put:?}");
            let found = parts.records.get(&name("a")).await.unwrap().unwrap();
            assert_eq!(found.value, theirs);
            assert_eq!(secret_ids(&parts.secrets).await.len(), 1, "{call}");
        }
    }
}

#[tokio::test]
async fn a_write_without_a_condition_begins_again() {
    let (first, ours, theirs) = (sealed(20).await, sealed(20).await, sealed(20).await);
    for call in 2..=4 {
        let parts = parts(LAYOUTS[0], 65_536).await;
        parts
            .records
            .put(&name("a"), &first, Expect::Absent)
            .await
            .unwrap();
        let late = interrupted(&parts, call, theirs.clone()).await;
        let rev = late.put(&name("a"), &ours, Expect::Any).await.unwrap();
        let found = parts.records.get(&name("a")).await.unwrap().unwrap();
        assert_eq!((found.value, found.rev), (ours.clone(), rev));
        assert_eq!(secret_ids(&parts.secrets).await.len(), 1, "{call}");
    }
}

/// Between its two calls the secret was replaced: that is no damage.
#[tokio::test]
async fn a_reader_that_is_overtaken_reads_the_new_record() {
    let (first, theirs) = (sealed(20).await, sealed(20).await);
    let parts = parts(LAYOUTS[0], 65_536).await;
    parts
        .records
        .put(&name("a"), &first, Expect::Absent)
        .await
        .unwrap();
    let late = interrupted(&parts, 2, theirs.clone()).await;
    assert_eq!(late.get(&name("a")).await.unwrap().unwrap().value, theirs);
}

#[tokio::test]
async fn a_destruction_that_is_overtaken_destroys_its_own_revision_only() {
    let (first, theirs) = (sealed(20).await, sealed(20).await);
    for call in 2..=3 {
        let parts = parts(LAYOUTS[0], 65_536).await;
        let rev = parts
            .records
            .put(&name("a"), &first, Expect::Absent)
            .await
            .unwrap();
        let late = interrupted(&parts, call, theirs.clone()).await;
        let destroyed = late.destroy(&name("a"), Expect::Rev(rev)).await;
        assert!(
            matches!(destroyed, Err(Error::Conflict(_))),
            "{destroyed:?}"
        );
        let found = parts.records.get(&name("a")).await.unwrap().unwrap();
        assert_eq!(found.value, theirs);
    }
}

/// An index behind something that repeats calls: the first reply is lost, and the repeat hears of a
/// conflict with what it wrote itself.
struct Repeating(Arc<MemoryRecords>);

#[async_trait]
impl PutRecord for Repeating {
    async fn put(&self, name: &RecordName, bytes: &[u8], expect: Expect) -> Result<Rev, Error> {
        drop(self.0.put(name, bytes, expect).await);
        self.0.put(name, bytes, expect).await
    }
}

#[async_trait]
impl GetRecord for Repeating {
    async fn get(&self, name: &RecordName) -> Result<Option<Versioned<Vec<u8>>>, Error> {
        self.0.get(name).await
    }
}

#[async_trait]
impl ListRecords for Repeating {
    async fn list(
        &self,
        prefix: &str,
        after: Option<&RecordName>,
        limit: usize,
    ) -> Result<Page, Error> {
        self.0.list(prefix, after, limit).await
    }
}

#[async_trait]
impl DestroyRecord for Repeating {
    async fn destroy(&self, name: &RecordName, expect: Expect) -> Result<(), Error> {
        self.0.destroy(name, expect).await
    }
}

#[tokio::test]
async fn a_conflict_with_our_own_first_try_is_a_success() {
    for layout in LAYOUTS {
        let parts = parts(layout, 65_536).await;
        let index = Arc::new(Repeating(Arc::clone(&parts.index)));
        let secrets = Arc::<MemorySecrets>::clone(&parts.secrets);
        let repeating = open(layout, secrets, index).await;
        let mut rev = None;
        for _ in 0..3 {
            let record = sealed(20).await;
            let expect = rev.map_or(Expect::Absent, Expect::Rev);
            rev = Some(repeating.put(&name("a"), &record, expect).await.unwrap());
            let found = parts.records.get(&name("a")).await.unwrap().unwrap();
            assert_eq!((found.value, Some(found.rev)), (record, rev));
        }
    }
}

/// The secrets are listed first: a record that is made during a sweep is no orphan to it.
#[tokio::test]
async fn a_sweep_that_is_overtaken_takes_no_new_record_for_an_orphan() {
    use halfkey_vault::store::secret_manager::{MIN_GRACE, OrphanCandidates};
    let (first, theirs) = (sealed(20).await, sealed(20).await);
    for call in 2..=5 {
        let parts = parts(LAYOUTS[0], 65_536).await;
        parts
            .records
            .put(&name("b"), &first, Expect::Absent)
            .await
            .unwrap();
        let late = interrupted(&parts, call, theirs.clone()).await;
        let mut seen = OrphanCandidates::default();
        let now = halfkey_core::UnixMillis(0);
        let report = late.sweep_orphans(&mut seen, MIN_GRACE, now).await.unwrap();
        assert_eq!((report.listed, report.waiting), (1, 0), "{call}");
    }
}

#[tokio::test]
async fn of_two_writers_of_sealed_records_one_wins() {
    let parts = parts(LAYOUTS[0], 65_536).await;
    let (one, two) = (sealed(20).await, sealed(20).await);
    let mut rev = parts
        .records
        .put(&name("a"), &one, Expect::Absent)
        .await
        .unwrap();
    for _ in 0..100 {
        let at = name("a");
        let (first, second) = tokio::join!(
            parts.records.put(&at, &one, Expect::Rev(rev)),
            parts.records.put(&at, &two, Expect::Rev(rev)),
        );
        assert_ne!(first.is_ok(), second.is_ok());
        let found = parts.records.get(&at).await.unwrap().unwrap();
        assert_eq!(
            found.value,
            if first.is_ok() {
                one.clone()
            } else {
                two.clone()
            }
        );
        rev = found.rev;
    }
    assert_eq!(secret_ids(&parts.secrets).await.len(), 1);
}
