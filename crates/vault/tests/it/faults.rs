//! Every call of an operation fails in every way: what was acknowledged is there, and what is there
//! opens. Its modules do the same over a real SQLite file and a real keyring.

mod damage;
mod kms;
mod race;
mod real;
mod store;

use std::sync::Arc;

use halfkey_core::Generation;
use halfkey_vault::audit::memory::MemoryAudit;
use halfkey_vault::fault::{Failure, FaultPlan, Faulty};
use halfkey_vault::kms::memory::MemoryKek;
use halfkey_vault::store::memory::MemoryRecords;
use halfkey_vault::{Error, Expect, GetRecord, SealedRecord, Vault, VaultParts, WalletGuard};

use crate::support::{Memory, access, clock, ctx, memory, name, secret};

const FAILURES: [Failure; 7] = [
    Failure::Temporary,
    Failure::Permanent,
    Failure::Full,
    Failure::CrashBefore,
    Failure::CrashAfter,
    Failure::Torn,
    Failure::Lost,
];

/// The same vault with every back-end under one plan.
fn under(memory: &Memory, plan: &Arc<FaultPlan>) -> Vault {
    let store: Arc<Faulty<MemoryRecords>> =
        Arc::new(Faulty::new(Arc::clone(&memory.records), Arc::clone(plan)));
    let kek: Arc<Faulty<MemoryKek>> =
        Arc::new(Faulty::new(Arc::clone(&memory.kek), Arc::clone(plan)));
    let audit: Faulty<MemoryAudit> = Faulty::new(Arc::clone(&memory.audit), Arc::clone(plan));
    Vault::new(VaultParts {
        wrap: Some(Arc::<Faulty<MemoryKek>>::clone(&kek)),
        unwrap: Some(kek),
        put: Some(Arc::<Faulty<MemoryRecords>>::clone(&store)),
        get: Some(Arc::<Faulty<MemoryRecords>>::clone(&store)),
        list: Some(Arc::<Faulty<MemoryRecords>>::clone(&store)),
        destroy: Some(store),
        audit: Arc::new(audit),
        clock: clock(),
    })
}

/// The calls a store makes: wrap, audit, put, get.
const STORE_CALLS: u64 = 4;

#[tokio::test]
async fn a_new_record_is_whole_or_reported() {
    for failure in FAILURES {
        for call in 1..=STORE_CALLS + 1 {
            let memory = memory();
            let plan = Arc::new(FaultPlan::new(0).failing_at(call, failure));
            let at = name("a");
            let stored = under(&memory, &plan)
                .store(&at, &ctx(), &secret("new"), Expect::Absent, &access())
                .await;
            assert_eq!(
                stored.is_ok(),
                call > STORE_CALLS,
                "{failure:?} at {call}: {stored:?}"
            );
            let loaded = memory.vault.load(&at, &ctx(), &access()).await;
            match (stored, loaded) {
                (Ok(_), loaded) => assert_eq!(loaded.unwrap().value, secret("new")),
                (Err(_), Ok(loaded)) => assert_eq!(loaded.value, secret("new")),
                (Err(_), Err(Error::NotFound(_))) => {}
                // A torn write, which the read-back found.
                (Err(Error::ReadBack(_)), Err(Error::Corrupt { .. })) => {
                    assert_eq!(failure, Failure::Torn);
                }
                (stored, loaded) => panic!("{failure:?} at {call}: {stored:?} then {loaded:?}"),
            }
        }
    }
}

/// Writing beside the old record, as every change of shares does: the old one is never touched.
#[tokio::test]
async fn a_staged_write_never_harms_the_active_record() {
    for failure in FAILURES {
        for call in 1..=STORE_CALLS {
            let memory = memory();
            let (active, staged) = (name("s/2"), name("s/2/1-aa"));
            let vault = &memory.vault;
            vault
                .store(&active, &ctx(), &secret("old"), Expect::Absent, &access())
                .await
                .unwrap();
            let plan = Arc::new(FaultPlan::new(0).failing_at(call, failure));
            let dying = under(&memory, &plan);
            dying
                .store(&staged, &ctx(), &secret("new"), Expect::Absent, &access())
                .await
                .unwrap_err();
            let loaded = vault.load(&active, &ctx(), &access()).await.unwrap();
            assert_eq!(loaded.value, secret("old"));
        }
    }
}

#[tokio::test]
async fn nothing_is_opened_without_its_event_whatever_fails() {
    for failure in FAILURES {
        for call in 1..=4 {
            let memory = memory();
            let at = name("a");
            let vault = &memory.vault;
            vault
                .store(&at, &ctx(), &secret("s"), Expect::Absent, &access())
                .await
                .unwrap();
            let before = memory.audit.events().len();
            let plan = Arc::new(FaultPlan::new(0).failing_at(call, failure));
            let loaded = under(&memory, &plan).load(&at, &ctx(), &access()).await;
            let events = memory.audit.events();
            let granted = events[before..]
                .iter()
                .any(|event| event.outcome == halfkey_vault::AuditOutcome::Granted);
            assert!(loaded.is_err() || granted, "{failure:?} at {call}");
        }
    }
}

#[tokio::test]
async fn a_destruction_that_dies_can_be_done_again() {
    for failure in [Failure::CrashBefore, Failure::CrashAfter] {
        for call in 1..=4 {
            let memory = memory();
            let (vault, at) = (&memory.vault, name("a"));
            vault
                .store(&at, &ctx(), &secret("s"), Expect::Absent, &access())
                .await
                .unwrap();
            let plan = Arc::new(FaultPlan::new(0).failing_at(call, failure));
            under(&memory, &plan)
                .destroy(&at, &access())
                .await
                .unwrap_err();
            match vault.destroy(&at, &access()).await {
                Ok(()) | Err(Error::NotFound(_)) => {}
                Err(error) => panic!("{failure:?} at {call}: {error}"),
            }
            assert!(memory.records.get(&at).await.unwrap().is_none());
        }
    }
}

#[tokio::test]
async fn the_high_water_mark_never_falls_whatever_fails() {
    for seed in 0..40 {
        let memory = memory();
        let guard = WalletGuard::new("", &ctx());
        let mut acknowledged = Generation(0);
        for failure in [Failure::Temporary, Failure::CrashAfter, Failure::Lost] {
            let plan = Arc::new(FaultPlan::new(seed).failing_percent(20, failure));
            let vault = under(&memory, &plan);
            for to in 1..20 {
                let raised = guard
                    .raise_high_water(&vault, Generation(to), &access())
                    .await;
                if let Ok(raised) = raised {
                    assert!(
                        raised >= acknowledged && raised >= Generation(to),
                        "{plan:?}"
                    );
                    acknowledged = raised;
                }
            }
            let read = guard
                .read_high_water(&memory.vault, &access())
                .await
                .unwrap();
            assert!(read.unwrap_or_default() >= acknowledged, "{plan:?}");
        }
    }
}

#[tokio::test]
async fn latency_comes_from_the_hook_and_changes_nothing() {
    let memory = memory();
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let calls = Arc::clone(&seen);
    let hook: halfkey_vault::fault::Latency = Arc::new(move |call| {
        calls.lock().unwrap().push(call);
        Box::pin(tokio::task::yield_now())
    });
    let plan = Arc::new(FaultPlan::new(0).with_latency(hook));
    let vault = under(&memory, &plan);
    vault
        .store(&name("a"), &ctx(), &secret("s"), Expect::Absent, &access())
        .await
        .unwrap();
    assert_eq!(*seen.lock().unwrap(), (1..=STORE_CALLS).collect::<Vec<_>>());
    let stored = memory.records.get(&name("a")).await.unwrap().unwrap();
    SealedRecord::from_bytes(&stored.value).unwrap();
}
