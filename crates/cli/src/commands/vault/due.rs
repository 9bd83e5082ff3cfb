//! `halfkey vault due`.

use std::time::Duration;

use halfkey_vault::Storage;
use serde_json::json;

use super::count;
use crate::exit_code::{ExitKind, Failure};
use crate::output::Output;

pub(super) async fn run(
    storage: &Storage,
    older_than: Duration,
    output: Output,
) -> Result<(), Failure> {
    let census = count(storage).await?;
    let age_ms = i64::try_from(older_than.as_millis()).unwrap_or(i64::MAX);
    let then = storage
        .clock()
        .now()
        .saturating_add_millis(age_ms.saturating_neg());
    let due = census.older_than(then);
    let unknown = census
        .versions
        .iter()
        .filter(|version| version.created_at.is_none())
        .map(|version| version.wraps)
        .fold(0, u64::saturating_add);
    let versions: Vec<_> = census
        .versions
        .iter()
        .map(|version| {
            json!({
                "kek": version.kek_uri,
                "version": version.kek_version,
                "created_at": version.created_at.map(|at| at.to_string()),
                "wraps": version.wraps,
                "due": version.created_at.map(|at| at < then),
            })
        })
        .collect();
    let value = json!({
        "due": due,
        "of_unknown_age": unknown,
        "older_than_s": older_than.as_secs(),
        "versions": versions,
    });
    output.result(&value, || {
        format!("{due} wrapped keys are older than {then}; {unknown} are of unknown age")
    });
    if due == 0 {
        return Ok(());
    }
    Err(Failure::new(
        ExitKind::Custody,
        "rotation_due",
        format!("{due} records are due for rotation"),
    )
    .with_hint("halfkey vault rotate && halfkey vault rewrap"))
}
