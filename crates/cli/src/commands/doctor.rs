//! `halfkey doctor`: the ten requirements of safe storage, checked on the set-up as it is.

mod check;
mod escrow;
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
use crate::storage::{self, Both};

/// What the checks of each vault are marked with.
const VAULTS: [Option<&str>; 2] = [None, Some("second")];

/// Runs every check, on each vault of the customer's; fails when one of them does.
pub(crate) async fn run(
    data: &DataDir,
    passphrase: Option<SecretString>,
    options: &Doctor,
    output: Output,
) -> Result<(), Failure> {
    let logs = storage::audit_logs(data)?;
    let both = Both::open(data, passphrase).await?;
    let mut checks = tiers::of_both(data, &both.first, both.second.as_ref());
    checks.extend(escrow::run(data));
    checks.extend(host::run(data));
    let vaults = [Some(&both.first), both.second.as_ref()];
    for ((storage, log), name) in vaults.into_iter().flatten().zip(&logs).zip(VAULTS) {
        let mut own = probe::run(storage, &both.environment).await;
        own.extend(tiers::run(storage, &log.path).await);
        own.extend(keys::run(storage, &both.environment, options.max_key_age).await);
        checks.extend(own.into_iter().map(|check| check.of(name)));
    }
    checks.push(horizon::run(data, &both.first, options.api_url.as_deref()).await);
    both.close().await;
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
        let vault = check.vault.map(|vault| format!(" ({vault} vault)"));
        let vault = vault.unwrap_or_default();
        lines.push(format!(
            "{status:<11} {requirement:>2}  {}{vault}",
            check.title
        ));
        lines.push(format!("                {}", check.evidence));
        if let Some(remedy) = &check.remedy {
            lines.push(format!("                remedy: {remedy}"));
        }
    }
    lines.join("\n")
}
