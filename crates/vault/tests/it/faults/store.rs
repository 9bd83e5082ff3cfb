//! The record store fails in every way while a real vault writes: each way is told apart, and what
//! stands there afterwards is the old record or the new one, whole.

use halfkey_testkit::seeded;
use halfkey_vault::{Error, Expect, GetRecord as _, RecordName};
use rand_core::RngCore as _;

use super::real::{Count, Real, StoreFault};
use crate::support::{access, ctx, name, secret};

const FAULTS: [StoreFault; 9] = [
    StoreFault::Full,
    StoreFault::NotDurable,
    StoreFault::Denied,
    StoreFault::Throttled,
    StoreFault::Slow,
    StoreFault::SlowAfter,
    StoreFault::CutBefore,
    StoreFault::CutAfter,
    StoreFault::OldCopy,
];

fn tells(fault: StoreFault, error: &Error) -> bool {
    match fault {
        StoreFault::Full => matches!(error, Error::Full(_)),
        StoreFault::NotDurable => matches!(error, Error::NotDurable(_)),
        StoreFault::Denied => matches!(error, Error::Denied(_)),
        StoreFault::Throttled => matches!(error, Error::Throttled(_)),
        StoreFault::Slow | StoreFault::SlowAfter => matches!(error, Error::Timeout(_)),
        StoreFault::CutBefore | StoreFault::CutAfter => error.is_transient(),
        StoreFault::OldCopy => matches!(error, Error::ReadBack(_)),
    }
}

/// Whether the write took place although its caller heard an error.
fn was_done(fault: StoreFault) -> bool {
    matches!(
        fault,
        StoreFault::SlowAfter | StoreFault::CutAfter | StoreFault::OldCopy
    )
}

/// Writes under the fault; the error.
async fn write(real: &Real, fault: StoreFault, at: &RecordName, expect: Expect) -> Error {
    real.store.set(Some(fault));
    let stored = real
        .steady()
        .store(at, &ctx(), &secret("new"), expect, &access())
        .await;
    real.store.set(None);
    stored.unwrap_err()
}

#[tokio::test]
async fn a_new_record_is_there_whole_or_not_at_all() {
    let (real, count) = (Real::new().await, Count::default());
    let old = name("old");
    real.put(&old, "old", Expect::Absent).await;
    for fault in FAULTS {
        let at = name(&format!("new-{fault:?}"));
        let error = write(&real, fault, &at, Expect::Absent).await;
        assert!(tells(fault, &error), "{fault:?}: {error:?}");
        real.must_be(&old, "old").await;
        let there = real.records.get(&at).await.unwrap().is_some();
        assert_eq!(there, was_done(fault), "{fault:?}");
        if there {
            // Whoever tries again learns that it is there, and does not overwrite it.
            let again = real
                .vault
                .store(&at, &ctx(), &secret("other"), Expect::Absent, &access())
                .await;
            assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");
        } else {
            real.put(&at, "new", Expect::Absent).await;
        }
        real.must_be(&at, "new").await;
        count.one();
    }
    count.must_be(9, "failures of a store at a new record");
}

#[tokio::test]
async fn a_replaced_record_is_the_old_or_the_new_one() {
    let (real, count) = (Real::new().await, Count::default());
    for fault in FAULTS {
        let at = name(&format!("share-{fault:?}"));
        let rev = real.put(&at, "old", Expect::Absent).await;
        let error = write(&real, fault, &at, Expect::Rev(rev)).await;
        assert!(tells(fault, &error), "{fault:?}: {error:?}");
        let now = if was_done(fault) { "new" } else { "old" };
        real.must_be(&at, now).await;
        count.one();
    }
    count.must_be(9, "failures of a store at a record that was there");
}

/// Writes of many names under faults drawn from a seed, against a model of what may be there.
#[tokio::test]
async fn no_sequence_of_failures_loses_what_was_acknowledged() {
    let mut acknowledged = 0;
    for seed in 0..4 {
        let (real, mut random) = (Real::new().await, seeded(seed));
        let mut model = [const { None::<(String, halfkey_vault::Rev)> }; 4];
        for step in 0..60 {
            let mut draw = |below: usize| usize::try_from(random.next_u32()).unwrap() % below;
            let (slot, fault) = (draw(4), draw(FAULTS.len() * 2));
            let fault = FAULTS.get(fault).copied();
            let (at, text) = (name(&format!("n{slot}")), format!("step {step}"));
            let expect = model[slot]
                .as_ref()
                .map_or(Expect::Absent, |(_, rev)| Expect::Rev(*rev));
            real.store.set(fault);
            let stored = real
                .steady()
                .store(&at, &ctx(), &secret(&text), expect, &access())
                .await;
            real.store.set(None);
            let found = real.vault.load(&at, &ctx(), &access()).await.ok();
            let wrote = stored.is_ok() || fault.is_some_and(was_done);
            if wrote {
                let found = found.unwrap();
                assert!(
                    found.value == secret(&text),
                    "seed {seed}, step {step}: {fault:?}"
                );
                model[slot] = Some((text, found.rev));
            } else {
                let before = model[slot].as_ref().map(|(text, _)| secret(text));
                let found = found.map(|found| found.value);
                assert!(found == before, "seed {seed}, step {step}: {fault:?}");
            }
            acknowledged += u32::from(stored.is_ok());
        }
    }
    eprintln!("seeds 0 to 3: 240 writes, {acknowledged} acknowledged");
    assert!((60..200).contains(&acknowledged), "{acknowledged}");
}
