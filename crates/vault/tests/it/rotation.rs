//! Rotation: every record moves, none is lost, whatever fails on the way.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use halfkey_core::{Generation, SecretBytes, UnixMillis};
use halfkey_vault::fault::{Failure, FaultPlan, Faulty};
use halfkey_vault::kms::memory::MemoryKek;
use halfkey_vault::store::memory::MemoryRecords;
use halfkey_vault::{
    AuditEvent, AuditPolicy, AuditPosition, AuditSink, BindCtx, Dek, Error, Expect, GetRecord as _,
    KekInfo, KekState, KekVersion, ManageKey as _, PutRecord, RecordContexts, RecordName, Rev,
    RewrapKey, RewrapOptions, RewrapParts, RewrapReport, Rewrapper, Vault, WrapKey as _, Wrapped,
    census,
};

use crate::support::{Memory, access, clock, ctx, memory, name};

/// What each record is bound to: a generation of its own.
#[derive(Default)]
struct Contexts(HashMap<RecordName, BindCtx>);

#[async_trait]
impl RecordContexts for Contexts {
    async fn context(&self, name: &RecordName) -> Result<Option<BindCtx>, Error> {
        Ok(self.0.get(name).cloned())
    }
}

struct World {
    memory: Memory,
    contexts: Arc<Contexts>,
}

fn plaintext(number: u64) -> SecretBytes {
    SecretBytes::new(format!("share {number}").into_bytes())
}

fn context(number: u64) -> BindCtx {
    BindCtx {
        generation: Generation(number),
        ..ctx()
    }
}

async fn world(records: u64) -> World {
    let memory = memory();
    let mut contexts = Contexts::default();
    for number in 0..records {
        let (at, ctx) = (
            name(&format!("wallet:{number:05}/shares/2")),
            context(number),
        );
        let vault = &memory.vault;
        vault
            .store(&at, &ctx, &plaintext(number), Expect::Absent, &access())
            .await
            .unwrap();
        contexts.0.insert(at, ctx);
    }
    World {
        memory,
        contexts: Arc::new(contexts),
    }
}

impl World {
    fn parts(&self) -> RewrapParts {
        let records = &self.memory.records;
        RewrapParts {
            list: Arc::<MemoryRecords>::clone(records),
            get: Arc::<MemoryRecords>::clone(records),
            put: Arc::<MemoryRecords>::clone(records),
            rewrap: Arc::<MemoryKek>::clone(&self.memory.kek),
            verify: None,
            contexts: Arc::<Contexts>::clone(&self.contexts),
            audit: Arc::<dyn AuditSink>::clone(&self.memory.vault.parts().audit),
            clock: clock(),
        }
    }

    async fn run(&self, parts: RewrapParts) -> Result<RewrapReport, Error> {
        self.run_until(parts, &AtomicBool::new(false), u64::MAX)
            .await
    }

    /// Stops after so many records.
    async fn run_until(
        &self,
        parts: RewrapParts,
        stop: &AtomicBool,
        enough: u64,
    ) -> Result<RewrapReport, Error> {
        let options = self.options(None).await;
        let stopper = |progress: halfkey_vault::rotation::Progress| {
            if progress.seen >= enough {
                stop.store(true, Ordering::Release);
            }
        };
        let rewrapper = Arc::new(Rewrapper::new(parts, access()));
        rewrapper.run(&options, stop, &stopper).await
    }

    async fn options(&self, per_second: Option<u32>) -> RewrapOptions {
        let newest = self.memory.kek.info().await.unwrap();
        RewrapOptions {
            prefix: String::new(),
            newest: newest.newest().unwrap().version.clone(),
            parallel: 4,
            per_second,
        }
    }

    async fn must_open_all(&self, vault: &Vault) {
        for (at, ctx) in &self.contexts.0 {
            let opened = vault.load(at, ctx, &access()).await.unwrap();
            assert!(opened.value == plaintext(ctx.generation.0), "{at}");
        }
    }

    async fn wraps_under(&self, version: &str) -> u64 {
        let records = &*self.memory.records;
        let counted = census(records, records, "", &[]).await.unwrap();
        counted.wraps_under("memory:test", version)
    }
}

#[tokio::test]
async fn every_record_moves_and_opens_as_itself() {
    let world = world(300).await;
    let row = name("wallet:00000/state");
    let records = &world.memory.records;
    records.put(&row, b"{}", Expect::Absent).await.unwrap();
    world.memory.kek.rotate().await.unwrap();
    let report = world.run(world.parts()).await.unwrap();
    assert_eq!((report.seen, report.moved, report.plain), (301, 300, 1));
    assert!(report.is_clean());
    assert_eq!(world.wraps_under("1").await, 0);
    assert_eq!(world.wraps_under("2").await, 300);
    world.must_open_all(&world.memory.vault).await;
    let again = world.run(world.parts()).await.unwrap();
    assert_eq!((again.moved, again.already), (0, 300));
    world.memory.kek.disable("1").await.unwrap();
    world.must_open_all(&world.memory.vault).await;
}

#[tokio::test]
async fn each_move_is_an_audit_event() {
    let world = world(3).await;
    world.memory.kek.rotate().await.unwrap();
    world.run(world.parts()).await.unwrap();
    let events = world.memory.audit.events();
    let moved = events.iter().filter(|event| event.action == "rewrap");
    assert_eq!(moved.count(), 3);
}

#[tokio::test]
async fn a_walk_that_was_stopped_goes_on_where_it_is() {
    let world = world(200).await;
    world.memory.kek.rotate().await.unwrap();
    let stopped = world
        .run_until(world.parts(), &AtomicBool::new(false), 50)
        .await
        .unwrap();
    assert!(!stopped.is_complete && stopped.moved >= 50 && stopped.moved < 200);
    let rest = world.run(world.parts()).await.unwrap();
    assert_eq!(rest.already, stopped.moved);
    assert_eq!(rest.moved + stopped.moved, 200);
    world.must_open_all(&world.memory.vault).await;
}

/// Every call fails in every way, one after the other; a later walk finishes, and nothing is lost.
#[tokio::test]
async fn whatever_fails_nothing_is_lost_and_a_second_walk_finishes() {
    let failures = [
        Failure::Temporary,
        Failure::Permanent,
        Failure::Full,
        Failure::CrashBefore,
        Failure::CrashAfter,
        Failure::Lost,
    ];
    for failure in failures {
        for call in 1..=30 {
            let world = world(5).await;
            world.memory.kek.rotate().await.unwrap();
            let plan = Arc::new(FaultPlan::new(0).failing_at(call, failure));
            let records = Faulty::new(Arc::clone(&world.memory.records), Arc::clone(&plan));
            let records: Arc<Faulty<MemoryRecords>> = Arc::new(records);
            let kek: Arc<Faulty<MemoryKek>> = Arc::new(Faulty::new(
                Arc::clone(&world.memory.kek),
                Arc::clone(&plan),
            ));
            let parts = RewrapParts {
                list: Arc::<Faulty<MemoryRecords>>::clone(&records),
                get: Arc::<Faulty<MemoryRecords>>::clone(&records),
                put: records,
                rewrap: kek,
                ..world.parts()
            };
            let first = world.run(parts).await;
            world.must_open_all(&world.memory.vault).await;
            if let Ok(report) = first {
                let counted = report.moved + report.already + report.plain;
                let named = report.failed.len() + report.unknown.len();
                let named = u64::try_from(named).unwrap();
                assert_eq!(counted + named, report.seen, "{failure:?} at {call}");
            }
            let second = world.run(world.parts()).await.unwrap();
            assert!(second.is_clean(), "{failure:?} at {call}: {second:?}");
            world.must_open_all(&world.memory.vault).await;
            assert_eq!(world.wraps_under("1").await, 0);
        }
    }
}

/// A KMS that answers a rewrap with a well-formed wrap of some other key.
struct Garbage(Arc<MemoryKek>);

#[async_trait]
impl RewrapKey for Garbage {
    fn kek_uri(&self) -> &str {
        self.0.kek_uri()
    }

    async fn rewrap(&self, ctx: &BindCtx, _wrapped: &Wrapped) -> Result<Wrapped, Error> {
        self.0.wrap(ctx, &Dek::generate()?).await
    }
}

#[tokio::test]
async fn a_kms_that_returns_garbage_is_found_out_before_anything_is_replaced() {
    let world = world(3).await;
    world.memory.kek.rotate().await.unwrap();
    let parts = RewrapParts {
        rewrap: Arc::new(Garbage(Arc::clone(&world.memory.kek))),
        verify: Some(Arc::<MemoryKek>::clone(&world.memory.kek)),
        ..world.parts()
    };
    let report = world.run(parts).await.unwrap();
    assert_eq!((report.moved, report.failed.len()), (0, 3));
    world.must_open_all(&world.memory.vault).await;
}

/// Somebody writes a record while it is being rewrapped: theirs stays.
struct Interfering {
    kek: Arc<MemoryKek>,
    vault: Vault,
    calls: AtomicU64,
}

#[async_trait]
impl RewrapKey for Interfering {
    fn kek_uri(&self) -> &str {
        self.kek.kek_uri()
    }

    async fn rewrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Wrapped, Error> {
        if self.calls.fetch_add(1, Ordering::SeqCst) == 0 {
            let at = name("wallet:00000/shares/2");
            let newer = SecretBytes::new(b"newer".to_vec());
            self.vault
                .store(&at, ctx, &newer, Expect::Any, &access())
                .await?;
        }
        self.kek.rewrap(ctx, wrapped).await
    }
}

#[tokio::test]
async fn a_record_that_was_written_meanwhile_stays_as_it_was_written() {
    let world = world(1).await;
    world.memory.kek.rotate().await.unwrap();
    let parts = RewrapParts {
        rewrap: Arc::new(Interfering {
            kek: Arc::clone(&world.memory.kek),
            vault: world.memory.vault.clone(),
            calls: AtomicU64::new(0),
        }),
        ..world.parts()
    };
    let report = world.run(parts).await.unwrap();
    assert_eq!((report.moved, report.already), (0, 1));
    let at = name("wallet:00000/shares/2");
    let opened = world.memory.vault.load(&at, &context(0), &access()).await;
    assert!(opened.unwrap().value == SecretBytes::new(b"newer".to_vec()));
}

#[tokio::test]
async fn a_record_nobody_knows_and_one_that_is_damaged_are_named() {
    let world = world(2).await;
    let records = &world.memory.records;
    let known = records.get(&name("wallet:00000/shares/2")).await.unwrap();
    let stray = known.unwrap().value;
    records
        .put(&name("stray"), &stray, Expect::Absent)
        .await
        .unwrap();
    records
        .put(&name("torn"), &stray[..20], Expect::Absent)
        .await
        .unwrap();
    world.memory.kek.rotate().await.unwrap();
    let report = world.run(world.parts()).await.unwrap();
    assert_eq!(report.unknown, [name("stray")]);
    assert_eq!(report.failed.len(), 1);
    assert_eq!(report.failed[0].0, name("torn"));
    assert!(!report.is_clean());
    let counted = census(&**records, &**records, "", &[]).await.unwrap();
    assert_eq!(counted.damaged, [name("torn")]);
}

#[tokio::test]
async fn a_sink_that_takes_no_event_stops_the_walk() {
    let world = world(3).await;
    world.memory.kek.rotate().await.unwrap();
    let plan = Arc::new(FaultPlan::new(0).failing_percent(100, Failure::Permanent));
    let audit = Faulty::new(Arc::clone(&world.memory.audit), plan);
    let parts = RewrapParts {
        audit: Arc::new(audit),
        ..world.parts()
    };
    let stopped = world.run(parts).await;
    assert!(
        matches!(stopped, Err(Error::AuditUnavailable(_))),
        "{stopped:?}"
    );
    assert_eq!(world.wraps_under("1").await, 3);
}

#[tokio::test]
async fn what_is_due_is_told_by_the_age_of_its_version() {
    let world = world(5).await;
    world.memory.kek.rotate().await.unwrap();
    let at = name("new");
    world
        .memory
        .vault
        .store(&at, &ctx(), &plaintext(9), Expect::Absent, &access())
        .await
        .unwrap();
    let version = |version: &str, created_at| KekVersion {
        version: version.to_owned(),
        created_at: Some(UnixMillis(created_at)),
        state: KekState::Enabled,
    };
    let kek = KekInfo {
        versions: vec![version("1", 1000), version("2", 2000)],
        ..world.memory.kek.info().await.unwrap()
    };
    let records = &*world.memory.records;
    let counted = census(records, records, "", &[kek]).await.unwrap();
    assert_eq!(counted.sealed, 6);
    for (then, due) in [(1000, 0), (1001, 5), (2000, 5), (2001, 6)] {
        assert_eq!(counted.older_than(UnixMillis(then)), due, "{then}");
    }
}

/// A store that says it wrote, and keeps what was there.
struct Forgetful(Arc<MemoryRecords>);

#[async_trait]
impl PutRecord for Forgetful {
    async fn put(&self, name: &RecordName, _: &[u8], expect: Expect) -> Result<Rev, Error> {
        let before = self.0.get(name).await?.unwrap().value;
        self.0.put(name, &before, expect).await
    }
}

/// Otherwise the old version would be disabled over records that still stand under it.
#[tokio::test]
async fn what_was_not_stored_as_written_is_not_called_moved() {
    let world = world(3).await;
    world.memory.kek.rotate().await.unwrap();
    let parts = RewrapParts {
        put: Arc::new(Forgetful(Arc::clone(&world.memory.records))),
        ..world.parts()
    };
    let report = world.run(parts).await.unwrap();
    assert_eq!((report.moved, report.failed.len()), (0, 3), "{report:?}");
    assert!(report.failed[0].1.contains("not stored as written"));
}

/// A sink that never answers.
struct Silent;

#[async_trait]
impl AuditSink for Silent {
    async fn append(&self, _: AuditEvent) -> Result<AuditPosition, Error> {
        core::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_sink_stops_the_walk_at_its_deadline_unless_told_to_go_on() {
    let world = world(3).await;
    world.memory.kek.rotate().await.unwrap();
    let parts = || RewrapParts {
        audit: Arc::new(Silent),
        ..world.parts()
    };
    let stopped = world.run(parts()).await;
    assert!(
        matches!(stopped, Err(Error::AuditUnavailable(_))),
        "{stopped:?}"
    );
    assert_eq!(world.wraps_under("1").await, 3);
    let policy = AuditPolicy {
        goes_on_without: true,
        ..AuditPolicy::STRICT
    };
    let rewrapper = Rewrapper::new(parts(), access()).with_audit_policy(policy);
    let report = Arc::new(rewrapper)
        .run(&world.options(None).await, &AtomicBool::new(false), &|_| {})
        .await;
    assert_eq!(report.unwrap().moved, 3);
}

#[tokio::test]
async fn a_key_that_was_moved_to_another_leaves_a_refusal() {
    let world = world(1).await;
    world.memory.kek.rotate().await.unwrap();
    let parts = RewrapParts {
        rewrap: Arc::new(Garbage(Arc::clone(&world.memory.kek))),
        verify: Some(Arc::<MemoryKek>::clone(&world.memory.kek)),
        ..world.parts()
    };
    world.run(parts).await.unwrap();
    let last = world.memory.audit.events().pop().unwrap();
    assert_eq!(
        (&*last.action, last.outcome.as_str()),
        ("rewrap", "refused")
    );
}

/// On tokio's own clock, which stands still until everything waits.
#[tokio::test(start_paused = true)]
async fn the_walk_keeps_to_its_rate() {
    let world = world(50).await;
    world.memory.kek.rotate().await.unwrap();
    let begun = tokio::time::Instant::now();
    let rewrapper = Arc::new(Rewrapper::new(world.parts(), access()));
    let report = rewrapper
        .run(
            &world.options(Some(10)).await,
            &AtomicBool::new(false),
            &|_| {},
        )
        .await;
    assert_eq!(report.unwrap().moved, 50);
    // The first at once, each other a tenth of a second later.
    assert_eq!(begun.elapsed().as_millis(), 4900);
}

#[tokio::test]
async fn only_the_names_of_the_prefix_are_walked() {
    let world = world(30).await;
    world.memory.kek.rotate().await.unwrap();
    let options = RewrapOptions {
        prefix: "wallet:0001".to_owned(),
        ..world.options(None).await
    };
    let rewrapper = Arc::new(Rewrapper::new(world.parts(), access()));
    let report = rewrapper
        .run(&options, &AtomicBool::new(false), &|_| {})
        .await;
    let report = report.unwrap();
    assert_eq!((report.seen, report.moved), (10, 10));
    assert_eq!(world.wraps_under("1").await, 20);
}

/// Opens the record at every step of its move.
struct Reading {
    kek: Arc<MemoryKek>,
    vault: Vault,
    opened: AtomicU64,
}

#[async_trait]
impl RewrapKey for Reading {
    fn kek_uri(&self) -> &str {
        self.kek.kek_uri()
    }

    async fn rewrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Wrapped, Error> {
        let at = name(&format!("wallet:{:05}/shares/2", ctx.generation.0));
        let before = self.vault.load(&at, ctx, &access()).await?;
        let moved = self.kek.rewrap(ctx, wrapped).await?;
        let after = self.vault.load(&at, ctx, &access()).await?;
        assert!(before.value == after.value);
        self.opened.fetch_add(1, Ordering::SeqCst);
        Ok(moved)
    }
}

#[tokio::test]
async fn records_open_while_they_are_being_moved() {
    let world = world(50).await;
    world.memory.kek.rotate().await.unwrap();
    let reading = Arc::new(Reading {
        kek: Arc::clone(&world.memory.kek),
        vault: world.memory.vault.clone(),
        opened: AtomicU64::new(0),
    });
    let parts = RewrapParts {
        rewrap: Arc::<Reading>::clone(&reading),
        ..world.parts()
    };
    assert_eq!(world.run(parts).await.unwrap().moved, 50);
    assert_eq!(reading.opened.load(Ordering::SeqCst), 50);
}
