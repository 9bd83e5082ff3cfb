//! The KMS fails in every way while a real vault seals and opens: each way is told apart, and what
//! was stored before still opens as itself.

use halfkey_vault::{Error, Expect};

use super::real::{Count, KmsFault, Real};
use crate::support::{access, ctx, name, secret};

const FAULTS: [KmsFault; 8] = [
    KmsFault::Throttled,
    KmsFault::Hanging,
    KmsFault::Denied,
    KmsFault::Disabled,
    KmsFault::Unreachable,
    KmsFault::WrongLength,
    KmsFault::Garbage,
    KmsFault::WrongDek,
];

/// Whether an error of a seal says what happened. Garbage and wrong keys are only found by a real
/// unwrap: that is what the proof before a commit is for (custody rule 7).
fn tells_seal(fault: KmsFault, error: Option<&Error>) -> bool {
    match fault {
        KmsFault::Throttled => matches!(error, Some(Error::Throttled(_))),
        KmsFault::Hanging => matches!(error, Some(Error::Timeout(_))),
        KmsFault::Denied => matches!(error, Some(Error::Denied(_))),
        KmsFault::Disabled => matches!(error, Some(Error::KeyDisabled(_))),
        KmsFault::Unreachable => error.is_some_and(Error::is_transient),
        KmsFault::WrongLength => {
            matches!(
                error,
                Some(Error::Backend {
                    temporary: false,
                    ..
                })
            )
        }
        KmsFault::Garbage | KmsFault::WrongDek => error.is_none(),
    }
}

fn tells_open(fault: KmsFault, error: Option<&Error>) -> bool {
    match fault {
        KmsFault::WrongLength => error.is_none(),
        KmsFault::Garbage | KmsFault::WrongDek => matches!(error, Some(Error::Corrupt { .. })),
        other => tells_seal(other, error),
    }
}

#[tokio::test]
async fn every_failure_while_sealing_is_told_and_the_old_record_stays() {
    let (real, count) = (Real::new().await, Count::default());
    let old = name("old");
    real.put(&old, "old", Expect::Absent).await;
    for fault in FAULTS {
        let at = name(&format!("new-{fault:?}"));
        real.kms.set(Some(fault));
        let vault = real.steady();
        let stored = vault
            .store(&at, &ctx(), &secret("new"), Expect::Absent, &access())
            .await;
        assert!(
            tells_seal(fault, stored.as_ref().err()),
            "{fault:?}: {stored:?}"
        );
        real.kms.set(None);
        real.must_be(&old, "old").await;
        let expect = match stored {
            // A real unwrap finds it out.
            Ok(rev) => {
                let found = real.vault.load(&at, &ctx(), &access()).await;
                assert!(
                    matches!(found, Err(Error::Corrupt { .. })),
                    "{fault:?}: {found:?}"
                );
                Expect::Rev(rev)
            }
            // Nothing was written: the same write goes through.
            Err(_) => Expect::Absent,
        };
        real.put(&at, "again", expect).await;
        real.must_be(&at, "again").await;
        count.one();
    }
    count.must_be(8, "failures of a KMS while sealing");
}

#[tokio::test]
async fn every_failure_while_opening_is_told_and_the_record_opens_afterwards() {
    let (real, count) = (Real::new().await, Count::default());
    let at = name("share");
    real.put(&at, "share", Expect::Absent).await;
    for fault in FAULTS {
        for warm in [false, true] {
            real.kms.set(Some(fault));
            let vault = real.steady();
            let opened = if warm {
                vault.load_warm(&at, &ctx(), &access()).await
            } else {
                vault.load(&at, &ctx(), &access()).await
            };
            assert!(
                tells_open(fault, opened.as_ref().err()),
                "{fault:?}: {opened:?}"
            );
            real.kms.set(None);
            real.must_be(&at, "share").await;
            count.one();
        }
    }
    count.must_be(16, "failures of a KMS while opening");
}
