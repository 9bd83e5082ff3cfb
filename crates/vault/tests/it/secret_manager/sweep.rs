//! Orphans: removed when they are old enough, and nothing else ever.

use core::time::Duration;
use std::sync::Arc;

use halfkey_core::UnixMillis;
use halfkey_vault::fault::{Failure, FaultPlan, Faulty};
use halfkey_vault::store::memory::{MemoryRecords, MemorySecrets};
use halfkey_vault::store::secret::{SecretId, SecretStore};
use halfkey_vault::store::secret_manager::{Layout, OrphanCandidates, SweepReport};
use halfkey_vault::{Error, Expect, GetRecord, PutRecord};

use super::{LAYOUTS, Parts, open, parts, sealed, secret_ids};
use crate::support::name;

const HOUR: i64 = 3_600_000;
const GRACE: Duration = Duration::from_hours(24);

async fn sweep(parts: &Parts, candidates: &mut OrphanCandidates, hour: i64) -> SweepReport {
    let now = UnixMillis(hour * HOUR);
    let swept = parts.records.sweep_orphans(candidates, GRACE, now).await;
    swept.unwrap()
}

/// A secret nothing refers to, as a writer that died leaves it.
async fn orphan(parts: &Parts) -> SecretId {
    let id = SecretId::generate().unwrap();
    parts.secrets.create(id, &name("a"), b"x").await.unwrap();
    id
}

#[tokio::test]
async fn an_orphan_goes_after_the_grace_time_and_a_record_never() {
    for layout in LAYOUTS {
        let parts = parts(layout, 65_536).await;
        for at in 0..12 {
            let at = name(&format!("r{at}"));
            parts
                .records
                .put(&at, &sealed(20).await, Expect::Absent)
                .await
                .unwrap();
        }
        parts
            .records
            .put(&name("state"), b"plain", Expect::Absent)
            .await
            .unwrap();
        let gone = orphan(&parts).await;
        let mut seen = OrphanCandidates::default();
        let expected = SweepReport {
            listed: 13,
            referenced: 12,
            waiting: 1,
            removed: 0,
            failed: 0,
        };
        for hour in [0, 1, 23] {
            assert_eq!(sweep(&parts, &mut seen, hour).await, expected, "{hour}");
        }
        assert_eq!(seen.len(), 1);
        let removed = SweepReport {
            waiting: 0,
            removed: 1,
            ..expected
        };
        assert_eq!(sweep(&parts, &mut seen, 24).await, removed);
        assert!(seen.is_empty());
        assert!(parts.secrets.read(gone).await.unwrap().is_none());
        for at in 0..12 {
            assert!(
                parts
                    .records
                    .get(&name(&format!("r{at}")))
                    .await
                    .unwrap()
                    .is_some()
            );
        }
    }
}

/// However old the orphan: the first sweep that sees it only notes it.
#[tokio::test]
async fn one_sweep_alone_removes_nothing() {
    let parts = parts(Layout::default(), 65_536).await;
    orphan(&parts).await;
    for hour in [0, 1_000_000] {
        let report = sweep(&parts, &mut OrphanCandidates::default(), hour).await;
        assert_eq!((report.waiting, report.removed), (1, 0));
    }
}

#[tokio::test]
async fn a_candidate_that_became_a_record_is_forgotten() {
    let parts = parts(Layout::default(), 65_536).await;
    let at = name("a");
    parts
        .records
        .put(&at, &sealed(20).await, Expect::Absent)
        .await
        .unwrap();
    let row = parts.index.get(&at).await.unwrap().unwrap();
    // A writer between its secret and its row.
    let away = parts
        .index
        .put(&at, b"plain", Expect::Rev(row.rev))
        .await
        .unwrap();
    let mut seen = OrphanCandidates::default();
    assert_eq!(sweep(&parts, &mut seen, 0).await.waiting, 1);
    parts
        .index
        .put(&at, &row.value, Expect::Rev(away))
        .await
        .unwrap();
    let report = sweep(&parts, &mut seen, 48).await;
    assert_eq!((report.referenced, report.removed), (1, 0));
    assert!(seen.is_empty());
}

#[tokio::test]
async fn a_clock_that_goes_back_makes_nothing_older() {
    let parts = parts(Layout::default(), 65_536).await;
    orphan(&parts).await;
    let mut seen = OrphanCandidates::default();
    for (hour, removed) in [(100, 0), (10, 0), (33, 0), (34, 1)] {
        assert_eq!(
            sweep(&parts, &mut seen, hour).await.removed,
            removed,
            "{hour}"
        );
    }
}

#[tokio::test]
async fn candidates_outlive_the_process_as_json() {
    let parts = parts(Layout::default(), 65_536).await;
    let id = orphan(&parts).await;
    let mut seen = OrphanCandidates::default();
    sweep(&parts, &mut seen, 1).await;
    let json = serde_json::to_string(&seen).unwrap();
    assert_eq!(json, format!("{{\"{id}\":{HOUR}}}"));
    let mut seen: OrphanCandidates = serde_json::from_str(&json).unwrap();
    assert_eq!(sweep(&parts, &mut seen, 25).await.removed, 1);
}

#[tokio::test]
async fn sweep_rejects_a_short_grace_time_and_a_damaged_row() {
    let parts = parts(Layout::default(), 65_536).await;
    orphan(&parts).await;
    let mut seen = OrphanCandidates::default();
    let short = Duration::from_mins(59);
    let refused = parts.records.sweep_orphans(&mut seen, short, UnixMillis(0));
    assert!(matches!(refused.await, Err(Error::Caller(_))));
    sweep(&parts, &mut seen, 0).await;
    // It could be the pointer at the orphan.
    parts
        .index
        .put(&name("a"), b"HKP1 damaged", Expect::Any)
        .await
        .unwrap();
    let now = UnixMillis(48 * HOUR);
    let refused = parts.records.sweep_orphans(&mut seen, GRACE, now).await;
    assert!(matches!(refused, Err(Error::Corrupt { .. })), "{refused:?}");
    assert_eq!(secret_ids(&parts.secrets).await.len(), 1);
}

/// Whatever call of a sweep fails: what a row refers to stays, and the next sweep ends the work.
#[tokio::test]
async fn a_sweep_that_fails_removes_no_record() {
    for failure in [
        Failure::Temporary,
        Failure::CrashBefore,
        Failure::CrashAfter,
    ] {
        for call in 1..=20 {
            let parts = parts(Layout::default(), 65_536).await;
            for at in ["a", "b", "c"] {
                parts
                    .records
                    .put(&name(at), &sealed(20).await, Expect::Absent)
                    .await
                    .unwrap();
            }
            orphan(&parts).await;
            let mut seen = OrphanCandidates::default();
            sweep(&parts, &mut seen, 0).await;
            let plan =
                Arc::new(FaultPlan::new(0).failing_at(call + super::crashes::OPENING, failure));
            let secrets: Faulty<MemorySecrets> =
                Faulty::new(Arc::clone(&parts.secrets), Arc::clone(&plan));
            let index: Faulty<MemoryRecords> = Faulty::new(Arc::clone(&parts.index), plan);
            let failing = open(Layout::default(), Arc::new(secrets), Arc::new(index)).await;
            let now = UnixMillis(24 * HOUR);
            drop(failing.sweep_orphans(&mut seen, GRACE, now).await);
            for at in ["a", "b", "c"] {
                assert!(parts.records.get(&name(at)).await.unwrap().is_some());
            }
            sweep(&parts, &mut seen, 48).await;
            sweep(&parts, &mut seen, 72).await;
            assert_eq!(
                secret_ids(&parts.secrets).await.len(),
                3,
                "{failure:?} at {call}"
            );
        }
    }
}
