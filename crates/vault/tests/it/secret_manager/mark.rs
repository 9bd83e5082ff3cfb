//! Secrets and index belong together.

use std::sync::Arc;

use halfkey_vault::conformance::sample;
use halfkey_vault::store::memory::{MemoryRecords, MemorySecrets};
use halfkey_vault::store::secret::SecretStore;
use halfkey_vault::store::secret_manager::{Layout, SecretManagerConfig, SecretManagerRecords};
use halfkey_vault::{DestroyRecord, Error, Expect, GetRecord, ListRecords, PutRecord};

use super::{open, parts, sealed};
use crate::support::{environment, name};

async fn opened(
    secrets: &Arc<MemorySecrets>,
    index: &Arc<MemoryRecords>,
    environment: &str,
) -> Result<SecretManagerRecords, Error> {
    SecretManagerRecords::open(
        &SecretManagerConfig::default(),
        &sample::environment(environment),
        Arc::<MemorySecrets>::clone(secrets),
        Arc::<MemoryRecords>::clone(index),
    )
    .await
}

/// The fresh index would find nothing but orphans.
#[tokio::test]
async fn open_rejects_a_second_index_over_the_same_secrets() {
    let first = parts(Layout::default(), 65_536).await;
    let record = sealed(300).await;
    first
        .records
        .put(&name("a"), &record, Expect::Absent)
        .await
        .unwrap();
    let fresh = Arc::new(MemoryRecords::default());
    let error = opened(&first.secrets, &fresh, "env-test")
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("belong to another index"),
        "{error}"
    );
    assert!(matches!(error, Error::Config(_)));
    opened(&first.secrets, &first.index, "env-test")
        .await
        .unwrap();
}

#[tokio::test]
async fn open_rejects_another_environment() {
    let first = parts(Layout::default(), 65_536).await;
    let fresh = Arc::new(MemoryRecords::default());
    for index in [&first.index, &fresh] {
        let error = opened(&first.secrets, index, "env-other")
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Environment { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_manager_that_lost_its_mark_is_marked_again() {
    let first = parts(Layout::default(), 65_536).await;
    let fresh = Arc::new(MemorySecrets::new("p/", 65_536));
    opened(&fresh, &first.index, "env-test").await.unwrap();
    let other = Arc::new(MemoryRecords::default());
    assert!(opened(&fresh, &other, "env-test").await.is_err());
}

#[tokio::test]
async fn the_mark_is_no_record() {
    let parts = parts(Layout::default(), 65_536).await;
    let mark = name("halfkey:index-mark");
    assert!(parts.index.get(&mark).await.unwrap().is_some());
    assert!(matches!(
        parts.records.get(&mark).await,
        Err(Error::Caller(_))
    ));
    let put = parts.records.put(&mark, b"x", Expect::Any).await;
    assert!(matches!(put, Err(Error::Caller(_))));
    let destroyed = parts.records.destroy(&mark, Expect::Any).await;
    assert!(matches!(destroyed, Err(Error::Caller(_))));
    // Before and behind it, whatever a page holds.
    for at in ["g", "halfkey:a", "z"] {
        parts
            .records
            .put(&name(at), b"x", Expect::Absent)
            .await
            .unwrap();
    }
    for limit in 1..=5 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = parts.records.list("", after.as_ref(), limit).await.unwrap();
            assert!(page.next.is_none() || page.next.as_ref() == page.names.last());
            seen.extend(page.names);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, [name("g"), name("halfkey:a"), name("z")], "{limit}");
    }
}

#[tokio::test]
async fn the_mark_is_never_swept() {
    let parts = parts(Layout::default(), 65_536).await;
    let again = open(
        Layout::default(),
        Arc::<MemorySecrets>::clone(&parts.secrets),
        Arc::<MemoryRecords>::clone(&parts.index),
    );
    let again = again.await;
    let mut candidates = halfkey_vault::store::secret_manager::OrphanCandidates::default();
    for hour in 0..3 {
        let now = halfkey_core::UnixMillis(hour * 3_600_000);
        let grace = core::time::Duration::from_hours(1);
        let report = again
            .sweep_orphans(&mut candidates, grace, now)
            .await
            .unwrap();
        assert_eq!(
            report,
            halfkey_vault::store::secret_manager::SweepReport::default()
        );
    }
    assert_eq!(parts.secrets.list(None).await.unwrap().ids.len(), 1);
    assert_eq!(environment().as_str(), "env-test");
}
