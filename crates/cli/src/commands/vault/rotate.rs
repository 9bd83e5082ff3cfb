//! `halfkey vault rotate`.

use std::time::Duration;

use halfkey_core::{EnvironmentId, UnixMillis};
use halfkey_vault::{AuditEvent, AuditOutcome, Error, Purpose, Storage, Vault};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use super::{access, rewrap};
use crate::args::Rewrap;
use crate::exit_code::Failure;
use crate::output::Output;

/// How often the service looks whether it is time.
const LOOK_EVERY: Duration = Duration::from_mins(1);

pub(super) async fn once(storage: &Storage, output: Output) -> Result<(), Failure> {
    let version = rotate(storage).await?;
    let value = json!({ "version": version });
    output.result(&value, || {
        format!(
            "new KEK version {version}; new records use it now\nnext: halfkey vault rewrap moves \
             the others"
        )
    });
    Ok(())
}

/// Rotates and rewraps whenever the newest version is `every` old; ends at SIGINT or SIGTERM, after
/// the records in flight.
pub(super) async fn service(
    (storage, rows): (&Storage, &Vault),
    environment: &EnvironmentId,
    every: Duration,
    output: Output,
) -> Result<(), Failure> {
    let mut looks = interval(LOOK_EVERY.min(every.max(Duration::from_secs(1))));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stop = rewrap::stop_at_signal()?;
    loop {
        tokio::select! {
            () = stop.wait() => return Ok(()),
            _ = looks.tick() => {}
        }
        if let Err(failure) = turn((storage, rows), environment, every, &stop, output).await {
            // A service outlives an outage; the next look tries again.
            tracing::warn!(code = failure.code, "{}", failure.message);
            output.line(format!("not now: {}", failure.message));
        }
    }
}

async fn turn(
    (storage, rows): (&Storage, &Vault),
    environment: &EnvironmentId,
    every: Duration,
    stop: &rewrap::Stop,
    output: Output,
) -> Result<(), Failure> {
    let kek = storage.manage.info().await?;
    let made = kek.newest().and_then(|version| version.created_at);
    let made = made.ok_or_else(|| {
        Failure::input("the provider does not tell how old the KEK version is; rotate by hand")
    })?;
    if is_due(made, storage.clock().now(), every) {
        let version = rotate(storage).await?;
        output.line(format!("rotated to KEK version {version}"));
    }
    let options = Rewrap {
        parallel: 4,
        per_second: Some(50),
        no_verify: false,
        prefix: String::new(),
    };
    let report = rewrap::walk((storage, rows), environment, options, stop, output).await?;
    if report.moved > 0 {
        output.line(format!("{} records moved", report.moved));
    }
    Ok(())
}

fn is_due(made: UnixMillis, now: UnixMillis, every: Duration) -> bool {
    let age = now.0.saturating_sub(made.0);
    u128::try_from(age).is_ok_and(|age| age >= every.as_millis())
}

/// Rotates, with an audit event before it; every process forgets the data keys it cached.
pub(in crate::commands) async fn rotate(storage: &Storage) -> Result<String, Failure> {
    note(storage, "rotate", "").await?;
    let version = storage.manage.rotate().await?;
    forget_data_keys(storage).await;
    Ok(version)
}

/// After what is done already and must not look as if it were not.
pub(in crate::commands) async fn forget_data_keys(storage: &Storage) {
    if let Err(error) = storage.vault.forget_data_keys().await {
        tracing::warn!(%error, "other processes may use data keys they cached for up to 5 minutes");
    }
}

/// An operator's act on the KEK, before it is done.
pub(in crate::commands) async fn note(
    storage: &Storage,
    action: &str,
    detail: &str,
) -> Result<(), Error> {
    let kek = storage.manage.info().await?;
    let kek = (kek.environment.to_string(), kek.uri);
    append(storage, action, kek, AuditOutcome::Granted, detail).await
}

/// One that was refused. Whoever may not even ask the KMS about the KEK leaves an event too.
pub(super) async fn note_refused(
    storage: &Storage,
    action: &str,
    environment: Option<&EnvironmentId>,
    why: &str,
) -> Result<(), Error> {
    let kek = storage.manage.info().await.ok();
    let of_kek = kek.as_ref().map(|kek| &kek.environment);
    let environment = environment.or(of_kek).map(ToString::to_string);
    let kek = (
        environment.unwrap_or_default(),
        kek.map(|kek| kek.uri).unwrap_or_default(),
    );
    append(storage, action, kek, AuditOutcome::Refused, why).await
}

async fn append(
    storage: &Storage,
    action: &str,
    (environment, uri): (String, String),
    outcome: AuditOutcome,
    detail: &str,
) -> Result<(), Error> {
    let access = access(Purpose::Operate);
    let event = AuditEvent {
        at: storage.clock().now(),
        actor: access.actor,
        action: format!("kek_{action}"),
        purpose: access.purpose.as_str().to_owned(),
        environment,
        wallet: String::new(),
        record: uri,
        request_id: access.request_id.to_string(),
        outcome,
        detail: detail.to_owned(),
    };
    let policy = storage.config.audit.policy();
    policy.append(&*storage.audit, event).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use halfkey_testkit::FakeClock;
    use halfkey_vault::StorageConfig;

    use super::*;

    const DAY_MS: i64 = 86_400_000;

    /// What the service does at each look, on a clock of the test's.
    #[tokio::test]
    async fn the_service_rotates_and_rewraps_when_it_is_due_and_not_before() {
        let outer = tempfile::tempdir().unwrap();
        let environment: EnvironmentId = "env".parse().unwrap();
        let clock = Arc::new(FakeClock::default());
        let (dir, config) = (outer.path().join("data"), StorageConfig::default());
        let storage = Storage::create_or_open(
            &dir,
            &environment,
            &config,
            None,
            Arc::<FakeClock>::clone(&clock),
            "node",
        );
        let storage = storage.await.unwrap();
        let (every, output) = (Duration::from_hours(90 * 24), Output::new(true));
        let stop = rewrap::stop_at_signal().unwrap();
        let versions = async || storage.manage.info().await.unwrap().versions.len();
        let under = async |version: &str| {
            let kek = storage.manage.info().await.unwrap().uri;
            let counted = super::super::count(&storage).await.unwrap();
            counted.wraps_under(&kek, version)
        };
        let look = async || {
            let both = (&storage, &storage.vault);
            turn(both, &environment, every, &stop, output)
                .await
                .unwrap();
        };
        clock.advance_millis(90 * DAY_MS - 1);
        look().await;
        assert_eq!((versions().await, under("1").await), (1, 1));
        clock.advance_millis(1);
        look().await;
        assert_eq!(versions().await, 2);
        assert_eq!((under("1").await, under("2").await), (0, 1));
        // The next look, and a clock that went back, change nothing.
        look().await;
        clock.advance_millis(-DAY_MS);
        look().await;
        assert_eq!(versions().await, 2);
        storage.close().await;
    }

    #[test]
    fn a_version_is_due_at_its_age_and_not_before() {
        let day = Duration::from_hours(24);
        assert!(!is_due(UnixMillis(0), UnixMillis(86_399_999), day));
        assert!(is_due(UnixMillis(0), UnixMillis(86_400_000), day));
        assert!(
            !is_due(UnixMillis(10), UnixMillis(0), day),
            "a clock that went back"
        );
    }
}
