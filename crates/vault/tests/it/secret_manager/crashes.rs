//! A failure at every call of every operation: what was acknowledged is there, what is left over is
//! an orphan, and the sweep finds orphans and nothing else.

use core::time::Duration;
use std::sync::Arc;

use halfkey_core::UnixMillis;
use halfkey_vault::fault::{Failure, FaultPlan, Faulty};
use halfkey_vault::store::memory::{MemoryRecords, MemorySecrets};
use halfkey_vault::store::secret::SecretStore;
use halfkey_vault::store::secret_manager::{Layout, OrphanCandidates, SecretManagerRecords};
use halfkey_vault::{DestroyRecord, Error, Expect, GetRecord, PutRecord, Rev};

use super::{LAYOUTS, Parts, open, parts, sealed, secret_ids, vault_over};
use crate::support::{access, ctx, name, secret};

/// The calls of opening what is tied together already.
pub(super) const OPENING: u64 = 2;

const FAILURES: [Failure; 5] = [
    Failure::Temporary,
    Failure::Permanent,
    Failure::Full,
    Failure::CrashBefore,
    Failure::CrashAfter,
];

/// The same records with both stores under one plan that fails at that call.
async fn failing(
    parts: &Parts,
    layout: Layout,
    call: u64,
    failure: Failure,
) -> Arc<SecretManagerRecords> {
    let plan = Arc::new(FaultPlan::new(0).failing_at(OPENING + call, failure));
    let secrets: Faulty<MemorySecrets> = Faulty::new(Arc::clone(&parts.secrets), Arc::clone(&plan));
    let index: Faulty<MemoryRecords> = Faulty::new(Arc::clone(&parts.index), plan);
    Arc::new(open(layout, Arc::new(secrets), Arc::new(index)).await)
}

/// After two sweeps a day apart exactly the secrets of the rows are left; returns how many went.
async fn must_sweep_to(parts: &Parts, records: usize) -> usize {
    let mut seen = OrphanCandidates::default();
    let grace = Duration::from_hours(1);
    let mut removed = 0;
    for hour in [0, 24] {
        let now = UnixMillis(hour * 3_600_000);
        let swept = parts.records.sweep_orphans(&mut seen, grace, now).await;
        removed += swept.unwrap().removed;
    }
    assert_eq!(secret_ids(&parts.secrets).await.len(), records);
    removed
}

/// Get, create, put.
#[tokio::test]
async fn a_new_record_is_whole_or_absent() {
    for layout in LAYOUTS {
        for failure in FAILURES {
            for call in 1..=4 {
                let parts = parts(layout, 65_536).await;
                let record = sealed(300).await;
                let dying = failing(&parts, layout, call, failure).await;
                let put = dying.put(&name("a"), &record, Expect::Absent).await;
                assert_eq!(put.is_ok(), call > 3, "{failure:?} at {call}");
                let found = parts.records.get(&name("a")).await.unwrap();
                if let Some(found) = &found {
                    assert_eq!(found.value, record);
                }
                assert!(put.is_err() || found.is_some());
                let orphans = must_sweep_to(&parts, usize::from(found.is_some())).await;
                assert!(orphans <= 1);
                assert_eq!(parts.records.get(&name("a")).await.unwrap(), found);
            }
        }
    }
}

/// Get, create, read back, put, remove.
#[tokio::test]
async fn an_overwritten_record_is_the_old_or_the_new_one() {
    for layout in LAYOUTS {
        for failure in FAILURES {
            for call in 1..=6 {
                let parts = parts(layout, 65_536).await;
                let (old, new) = (sealed(300).await, sealed(300).await);
                let rev = parts
                    .records
                    .put(&name("a"), &old, Expect::Absent)
                    .await
                    .unwrap();
                let dying = failing(&parts, layout, call, failure).await;
                let put = dying.put(&name("a"), &new, Expect::Rev(rev)).await;
                // A removal that fails never fails the write.
                assert_eq!(put.is_ok(), call > 4, "{failure:?} at {call}");
                let found = parts.records.get(&name("a")).await.unwrap().unwrap();
                match put {
                    Ok(written) => assert_eq!((found.rev, &found.value), (written, &new)),
                    Err(_) => assert!(found.value == old || found.value == new),
                }
                must_sweep_to(&parts, 1).await;
                assert_eq!(parts.records.get(&name("a")).await.unwrap(), Some(found));
            }
        }
    }
}

/// Get, remove, destroy.
#[tokio::test]
async fn a_destruction_that_dies_is_ended_by_doing_it_again() {
    for layout in LAYOUTS {
        for failure in FAILURES {
            for call in 1..=3 {
                let parts = parts(layout, 65_536).await;
                let record = sealed(300).await;
                let rev = parts
                    .records
                    .put(&name("a"), &record, Expect::Absent)
                    .await
                    .unwrap();
                let dying = failing(&parts, layout, call, failure).await;
                let destroyed = dying.destroy(&name("a"), Expect::Rev(rev)).await;
                destroyed.unwrap_err();
                match parts.records.get(&name("a")).await {
                    Ok(None | Some(_)) => {}
                    Err(Error::Corrupt { why, .. }) => assert!(why.contains("missing"), "{why}"),
                    Err(error) => panic!("{failure:?} at {call}: {error}"),
                }
                parts
                    .records
                    .destroy(&name("a"), Expect::Any)
                    .await
                    .unwrap();
                assert!(parts.records.get(&name("a")).await.unwrap().is_none());
                assert!(secret_ids(&parts.secrets).await.is_empty());
            }
        }
    }
}

/// Through the vault, whose destruction is two writes.
#[tokio::test]
async fn a_destruction_by_the_vault_is_ended_by_doing_it_again() {
    for layout in LAYOUTS {
        for failure in FAILURES {
            for call in 1..=8 {
                let parts = parts(layout, 65_536).await;
                let (vault, at) = (vault_over(&parts.records), name("a"));
                vault
                    .store(&at, &ctx(), &secret("s"), Expect::Absent, &access())
                    .await
                    .unwrap();
                let dying = vault_over(&failing(&parts, layout, call, failure).await);
                drop(dying.destroy(&at, &access()).await);
                match vault.destroy(&at, &access()).await {
                    Ok(()) | Err(Error::NotFound(_)) => {}
                    Err(error) => panic!("{failure:?} at {call}: {error}"),
                }
                assert!(parts.index.get(&at).await.unwrap().is_none());
                // Not one secret is left to a sweep.
                assert!(
                    secret_ids(&parts.secrets).await.is_empty(),
                    "{failure:?} at {call}"
                );
            }
        }
    }
}

/// A manager that lies: the vault's read-back finds it on a new record, and on an overwritten one
/// the old secret is still there.
#[tokio::test]
async fn a_manager_that_loses_or_tears_harms_no_old_record() {
    for layout in LAYOUTS {
        for failure in [Failure::Lost, Failure::Torn] {
            let parts = parts(layout, 65_536).await;
            let (vault, at) = (vault_over(&parts.records), name("a"));
            let lying = vault_over(&failing(&parts, layout, 2, failure).await);
            let stored = lying
                .store(&at, &ctx(), &secret("new"), Expect::Absent, &access())
                .await;
            stored.unwrap_err();
            vault.destroy(&at, &access()).await.unwrap();
            let rev = vault
                .store(&at, &ctx(), &secret("old"), Expect::Absent, &access())
                .await
                .unwrap();
            let lying = vault_over(&failing(&parts, layout, 2, failure).await);
            let stored = lying
                .store(&at, &ctx(), &secret("new"), Expect::Rev(rev), &access())
                .await;
            assert!(matches!(stored, Err(Error::ReadBack(_))), "{stored:?}");
            let loaded = vault.load(&at, &ctx(), &access()).await.unwrap();
            assert_eq!(loaded.value, secret("old"));
        }
    }
}

#[tokio::test]
async fn an_unreachable_manager_is_temporary_and_never_damage() {
    let parts = parts(Layout::SealedInSecret, 65_536).await;
    parts
        .records
        .put(&name("a"), &sealed(20).await, Expect::Absent)
        .await
        .unwrap();
    let dying = failing(&parts, Layout::SealedInSecret, 2, Failure::Temporary).await;
    let error = dying.get(&name("a")).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}

/// Counted from the conflict on: the secret goes when the write surely failed, and stays when what
/// happened is not known.
#[tokio::test]
async fn a_conflict_leaves_no_secret_and_an_unknown_outcome_does() {
    let parts = parts(Layout::SealedInSecret, 65_536).await;
    let record = sealed(20).await;
    parts
        .records
        .put(&name("a"), &record, Expect::Absent)
        .await
        .unwrap();
    for expect in [Expect::Absent, Expect::Rev(Rev(77))] {
        let refused = parts.records.put(&name("a"), &record, expect).await;
        assert!(matches!(refused, Err(Error::Conflict(_))));
        assert_eq!(secret_ids(&parts.secrets).await.len(), 1);
    }
    let dying = failing(&parts, Layout::SealedInSecret, 4, Failure::Temporary).await;
    dying
        .put(&name("a"), &record, Expect::Any)
        .await
        .unwrap_err();
    assert_eq!(secret_ids(&parts.secrets).await.len(), 2);
    assert_eq!(must_sweep_to(&parts, 1).await, 1);
    assert_eq!(parts.secrets.limit(), 65_536);
}
