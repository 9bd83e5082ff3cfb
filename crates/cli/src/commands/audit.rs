//! `halfkey audit verify`: the audit chains of both halves, offline.

use halfkey_vault::AuditPosition;
use halfkey_vault::audit::verify::{Report, TailProof, verify};
use serde_json::{Value, json};

use crate::args::Audit;
use crate::context::DataDir;
use crate::exit_code::{ExitKind, Failure};
use crate::output::Output;

/// Where each half keeps its vault's audit log below the data directory.
const LOGS: [(&str, &str); 2] = [
    ("customer", "customer/audit.sqlite"),
    ("provider", "provider/audit.sqlite"),
];

pub(crate) async fn run(data: &DataDir, command: Audit, output: Output) -> Result<(), Failure> {
    let Audit::Verify { anchor } = command;
    let anchor = anchor.as_deref().map(parse_anchor).transpose()?;
    let mut values = Vec::new();
    let mut lines = Vec::new();
    let mut sound = true;
    for (half, file) in LOGS {
        let path = data.path().join(file);
        if !path.exists() {
            continue;
        }
        // An anchor names its chain, so it can only fit the log that holds it.
        let report = verify(&path, anchor.as_ref()).await?;
        sound &= report.is_sound();
        values.push(describe(half, &report));
        lines.push(line(half, &report));
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
    let mut text = format!(
        "{half}: {} entries in {} chains, {} problems; {}",
        report.entries,
        report.chains,
        report.problems.len(),
        tail(report),
    );
    for problem in &report.problems {
        text.push_str(&format!("\n  {problem:?}"));
    }
    text
}
