//! `halfkey vault rotate`.

use std::time::Duration;

use halfkey_core::{EnvironmentId, UnixMillis};
use halfkey_vault::{AuditEvent, AuditOutcome, AuditSink as _, Error, Purpose, Storage, Vault};
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

/// Rotates, with an audit event before it, and forgets cached data keys.
pub(in crate::commands) async fn rotate(storage: &Storage) -> Result<String, Failure> {
    note(storage, "rotate", "").await?;
    let version = storage.manage.rotate().await?;
    storage.vault.clear_dek_cache();
    Ok(version)
}

/// An operator's act on the KEK, before it is done.
pub(in crate::commands) async fn note(
    storage: &Storage,
    action: &str,
    detail: &str,
) -> Result<(), Error> {
    let kek = storage.manage.info().await?;
    let access = access(Purpose::Operate);
    let event = AuditEvent {
        at: storage.clock().now(),
        actor: access.actor,
        action: format!("kek_{action}"),
        purpose: access.purpose.as_str().to_owned(),
        environment: kek.environment.to_string(),
        wallet: String::new(),
        record: kek.uri,
        request_id: access.request_id.to_string(),
        outcome: AuditOutcome::Granted,
        detail: detail.to_owned(),
    };
    storage.audit.append(event).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

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
