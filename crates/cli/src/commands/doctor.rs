//! `halfkey doctor`: the ten requirements of safe storage, checked on the set-up as it is.

mod check;
mod horizon;
mod host;
mod keys;
mod probe;
mod tiers;

use halfkey_core::SecretString;
use serde_json::json;

use self::check::{Check, Status};
use crate::args::Doctor;
use crate::context::DataDir;
use crate::exit_code::{ExitKind, Failure};
use crate::output::Output;
use crate::storage;

/// Runs every check; fails when one of them does.
pub(crate) async fn run(
    data: &DataDir,
    passphrase: Option<SecretString>,
    options: &Doctor,
    output: Output,
) -> Result<(), Failure> {
    let (storage, environment) = storage::open_here(data, passphrase.clone()).await?;
    let second = storage::open_second(data, passphrase, &environment, &storage).await?;
    let mut checks = probe::run(&storage, &environment).await;
    checks.extend(tiers::run(data, &storage, second.as_ref()).await);
    checks.extend(keys::run(&storage, &environment, options.max_key_age).await);
    checks.extend(host::run(data));
    checks.push(horizon::run(data, &storage, options.api_url.as_deref()).await);
    storage.close().await;
    if let Some(second) = second {
        second.close().await;
    }
    checks.sort_by_key(|check| check.requirement);
    let failed = checks.iter().filter(|check| check.status == Status::Fail);
    let failed = failed.count();
    let unclear = checks
        .iter()
        .filter(|check| check.status == Status::CannotTell);
    let unclear = unclear.count();
    let value = json!({
        "checks": checks,
        "passed": checks.len().saturating_sub(failed).saturating_sub(unclear),
        "failed": failed,
        "cannot_tell": unclear,
    });
    output.result(&value, || table(&checks));
    if failed == 0 {
        return Ok(());
    }
    Err(Failure::new(
        ExitKind::Custody,
        "doctor_failed",
        format!("{failed} checks failed"),
    ))
}

fn table(checks: &[Check]) -> String {
    let mut lines = Vec::new();
    for check in checks {
        let (status, requirement) = (check.status.as_str(), check.requirement);
        lines.push(format!("{status:<11} {requirement:>2}  {}", check.title));
        lines.push(format!("                {}", check.evidence));
        if let Some(remedy) = &check.remedy {
            lines.push(format!("                remedy: {remedy}"));
        }
    }
    lines.join("\n")
}
