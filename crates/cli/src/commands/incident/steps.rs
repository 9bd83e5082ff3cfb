//! The steps, each with its outcome.

use halfkey_core::random::os_rng;
use halfkey_core::{EnvironmentId, RequestId, SecretString};
use halfkey_vault::audit::verify::verify;
use halfkey_vault::{Access, Purpose, Storage, operator_key};
use serde::Serialize;
use serde_json::{Value, json};

use super::report;
use crate::args::Rewrap;
use crate::commands::vault::count;
use crate::commands::vault::rewrap::{self, stop_at_signal};
use crate::commands::vault::rotate::{note, rotate};
use crate::context::{DataDir, write_private};
use crate::exit_code::{ExitKind, Failure};
use crate::output::Output;
use crate::storage::{self, ACTOR};

/// One step of the report.
#[derive(Debug, Serialize)]
struct Step {
    name: &'static str,
    done: bool,
    detail: Value,
}

impl Step {
    fn of(name: &'static str, outcome: Result<Value, Failure>) -> Self {
        match outcome {
            Ok(detail) => Self {
                name,
                done: true,
                detail,
            },
            Err(failure) => Self {
                name,
                done: false,
                detail: json!({ "code": failure.code, "error": failure.message }),
            },
        }
    }
}

/// Takes every step even when one fails, and reports all of them.
pub(super) async fn run(
    data: &DataDir,
    passphrase: Option<SecretString>,
    reason: &str,
    disable_old: bool,
    output: Output,
) -> Result<(), Failure> {
    let (storage, environment) = storage::open_here(data, passphrase).await?;
    let access = Access {
        actor: ACTOR.to_owned(),
        purpose: Purpose::Operate,
        request_id: RequestId::generate(&mut os_rng()),
    };
    // Without a key there is no report: better to know before anything is done.
    let key = operator_key::load_or_make(&storage.vault, &environment, &access).await?;
    note(&storage, "incident", reason).await?;
    let began = storage.clock().now();
    let steps = steps(data, &storage, &environment, disable_old, output).await;
    let ended = storage.clock().now();
    let all_done = steps.iter().all(|step| step.done);
    let body = json!({
        "environment": environment,
        "incident": access.request_id.to_string(),
        "reason": reason,
        "began": began.to_string(),
        "ended": ended.to_string(),
        "steps": steps,
        "left_to_do": LEFT,
    });
    storage.close().await;
    let signed = report::sign(&body, &key);
    let file = format!("{}.json", access.request_id);
    let file = data.private_dir("incidents")?.join(file);
    let text =
        serde_json::to_vec_pretty(&signed).map_err(|error| Failure::internal(error.to_string()))?;
    write_private(&file, &text)?;
    let value = json!({ "file": file, "done": all_done, "report": body });
    output.result(&value, || table(&steps, &file.display().to_string()));
    if all_done {
        return Ok(());
    }
    Err(Failure::new(
        ExitKind::Storage,
        "incident_incomplete",
        "some steps were not done; see the report",
    )
    .with_hint("halfkey incident run again once the cause is mended"))
}

/// What these steps cannot do.
const LEFT: [&str; 3] = [
    "revoke API tokens that may be known: halfkey token revoke ID",
    "wallets whose key shares may have been read: move their funds",
    "take the old KEK versions' backups out of reach",
];

async fn steps(
    data: &DataDir,
    storage: &Storage,
    environment: &EnvironmentId,
    disable_old: bool,
    output: Output,
) -> Vec<Step> {
    let mut steps = Vec::new();
    let rotated = rotate(storage).await;
    steps.push(Step::of(
        "rotate the KEK",
        rotated.map(|version| json!({ "version": version })),
    ));
    steps.push(Step::of(
        "rewrap every record",
        rewrapped(storage, environment, output).await,
    ));
    if disable_old {
        steps.push(Step::of(
            "disable the older KEK versions",
            disabled(storage).await,
        ));
    }
    steps.push(Step::of("check the audit log", audited(data).await));
    steps
}

async fn rewrapped(
    storage: &Storage,
    environment: &EnvironmentId,
    output: Output,
) -> Result<Value, Failure> {
    let options = Rewrap {
        parallel: 8,
        per_second: None,
        no_verify: false,
    };
    let stop = stop_at_signal()?;
    let report = rewrap::walk(
        (storage, &storage.vault),
        environment,
        options,
        &stop,
        output,
    )
    .await?;
    let value = rewrap::describe(&report);
    if report.is_clean() {
        return Ok(value);
    }
    Err(Failure::new(
        ExitKind::Storage,
        "rewrap_incomplete",
        format!("some records were not moved: {value}"),
    ))
}

async fn disabled(storage: &Storage) -> Result<Value, Failure> {
    let kek = storage.manage.info().await?;
    let census = count(storage).await?;
    let newest = kek.newest().map(|newest| newest.version.clone());
    let mut versions = Vec::new();
    for one in &kek.versions {
        if Some(&one.version) == newest.as_ref() || census.wraps_under(&kek.uri, &one.version) > 0 {
            continue;
        }
        note(storage, "disable", &one.version).await?;
        storage.manage.disable(&one.version).await?;
        versions.push(one.version.clone());
    }
    storage.vault.clear_dek_cache();
    Ok(json!({ "versions": versions }))
}

async fn audited(data: &DataDir) -> Result<Value, Failure> {
    let report = verify(&data.customer().join("audit.sqlite"), None).await?;
    if !report.is_sound() {
        return Err(Failure::new(
            ExitKind::Custody,
            "audit_broken",
            report.to_string(),
        ));
    }
    Ok(json!({ "entries": report.entries, "chains": report.chains }))
}

fn table(steps: &[Step], file: &str) -> String {
    let mut lines: Vec<_> = steps
        .iter()
        .map(|step| {
            let mark = if step.done { "done  " } else { "FAILED" };
            format!("{mark}  {}: {}", step.name, step.detail)
        })
        .collect();
    lines.push("\nleft to do by hand:".to_owned());
    lines.extend(LEFT.iter().map(|left| format!("  {left}")));
    lines.push(format!("\nsigned report: {file}"));
    lines.join("\n")
}
