//! `halfkey audit verify`: the audit chains of both halves, offline; `checkpoint` and `export` of
//! the customer's. A customer with a second vault has two logs.

mod checkpoint;
mod export;

use halfkey_core::SecretString;
use halfkey_core::wire::ActivityRef;
use halfkey_server::activity as activity_log;
use halfkey_vault::AuditPosition;
use halfkey_vault::audit::verify::{Report, TailProof, verify};
use serde_json::{Value, json};

use crate::args::Audit;
use crate::context::DataDir;
use crate::exit_code::{ExitKind, Failure};
use crate::output::Output;
use crate::storage;

pub(crate) async fn run(
    data: &DataDir,
    passphrase: Option<SecretString>,
    command: Audit,
    output: Output,
) -> Result<(), Failure> {
    match command {
        Audit::Verify {
            anchor,
            activity,
            checkpoint,
            checkpoint_key,
        } => {
            if let Some(file) = checkpoint {
                checkpoint::compare(data, &file, checkpoint_key.as_deref()).await?;
            }
            verify_both(data, anchor, activity, output).await
        }
        Audit::Checkpoint => Box::pin(checkpoint::sign(data, passphrase)).await,
        Audit::Export(options) => export::run(data, &options).await,
    }
}

async fn verify_both(
    data: &DataDir,
    anchor: Option<String>,
    activity: Option<String>,
    output: Output,
) -> Result<(), Failure> {
    let anchor = anchor.as_deref().map(parse_anchor).transpose()?;
    let activity = activity
        .as_deref()
        .map(parse_anchor)
        .transpose()?
        .map(|at| ActivityRef {
            chain: hex::encode(at.chain),
            sequence: at.sequence,
            head: hex::encode(at.head),
        });
    let (mut values, mut lines, mut sound) = (Vec::new(), Vec::new(), true);
    for (half, report) in verify_customer(data, anchor.as_ref()).await? {
        sound &= report.is_sound();
        values.push(describe(half, &report));
        lines.push(line(half, &report));
    }
    match activity_log::verify(data.path(), activity.as_ref()).await {
        Ok(report) => {
            sound &= report.problems.is_empty();
            values.push(describe_provider(&report));
            lines.push(provider_line(&report));
        }
        Err(halfkey_server::Error::NotInitialised(_)) => {}
        Err(error) => return Err(error.into()),
    }
    if values.is_empty() {
        return Err(Failure::new(
            ExitKind::NotFound,
            "no_audit_log",
            "there is no audit log here",
        ));
    }
    output.result(&values, || lines.join("\n"));
    if sound {
        Ok(())
    } else {
        Err(Failure::new(
            ExitKind::Custody,
            "audit_broken",
            "an audit chain is broken",
        ))
    }
}

/// The logs of the customer's vaults. An anchor lies in one of them. Where the first is there, the
/// second must be too: it is what a second vault opened.
pub(in crate::commands) async fn verify_customer(
    data: &DataDir,
    anchor: Option<&AuditPosition>,
) -> Result<Vec<(&'static str, Report)>, Failure> {
    let logs = storage::audit_logs(data)?;
    let mut reports = Vec::new();
    for log in &logs {
        if log.path.exists() {
            reports.push((log.half, verify(&log.path, anchor).await?));
        } else if !reports.is_empty() {
            let why = format!("{} is gone", log.path.display());
            return Err(
                Failure::new(ExitKind::Custody, "audit_broken", why).with_hint(
                    "restore it; a second vault that is new gets one with the first command",
                ),
            );
        }
    }
    let is_proven = |report: &Report| matches!(report.tail, TailProof::ProvenTo { .. });
    if reports.iter().any(|(_, report)| is_proven(report)) {
        for (_, report) in &mut reports {
            if report.tail == TailProof::Broken {
                report.tail = TailProof::Unproven;
            }
        }
    }
    Ok(reports)
}

/// `chain:sequence:head`, as an audit position prints.
fn parse_anchor(text: &str) -> Result<AuditPosition, Failure> {
    let bad = || Failure::input("an anchor is chain:sequence:head, in hexadecimal");
    let parts: Vec<&str> = text.split(':').collect();
    let [chain, sequence, head] = parts.as_slice() else {
        return Err(bad());
    };
    let mut anchor = AuditPosition {
        chain: [0; 16],
        sequence: sequence.parse().map_err(|_| bad())?,
        head: [0; 32],
    };
    hex::decode_to_slice(chain, &mut anchor.chain).map_err(|_| bad())?;
    hex::decode_to_slice(head, &mut anchor.head).map_err(|_| bad())?;
    Ok(anchor)
}

fn tail(report: &Report) -> &'static str {
    match report.tail {
        TailProof::Unproven => "tail unproven: give an anchor to know that nothing was cut off",
        TailProof::ProvenTo { .. } => "whole up to the anchor",
        TailProof::Broken => "does not reach the anchor: it was cut or rewritten",
    }
}

fn describe(half: &str, report: &Report) -> Value {
    json!({
        "half": half,
        "chains": report.chains,
        "entries": report.entries,
        "sound": report.is_sound(),
        "problems": report.problems.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>(),
        "tail": tail(report),
    })
}

fn line(half: &str, report: &Report) -> String {
    let problems: Vec<_> = report
        .problems
        .iter()
        .map(|one| format!("{one:?}"))
        .collect();
    summary(half, report.chains, report.entries, tail(report), &problems)
}

fn describe_provider(report: &activity_log::Report) -> Value {
    json!({
        "half": "provider",
        "chains": report.chains,
        "entries": report.entries,
        "sound": report.problems.is_empty(),
        "problems": report.problems,
        "tail": provider_tail(report),
    })
}

fn provider_line(report: &activity_log::Report) -> String {
    let tail = provider_tail(report);
    summary(
        "provider",
        report.chains,
        report.entries,
        tail,
        &report.problems,
    )
}

const fn provider_tail(report: &activity_log::Report) -> &'static str {
    if report.tail_proven {
        "whole to its end"
    } else if report.proven_to.is_some() {
        "whole up to the anchor; what came after it is not vouched for"
    } else {
        "tail unproven: give an activity reference that a customer kept"
    }
}

fn summary(half: &str, chains: u64, entries: u64, tail: &str, problems: &[String]) -> String {
    let count = problems.len();
    let mut text =
        format!("{half}: {entries} entries in {chains} chains, {count} problems; {tail}");
    for problem in problems {
        text.push_str("\n  ");
        text.push_str(problem);
    }
    text
}
