//! `halfkey provider …`: the KEK of the provider's half, and what its operator may allow.

mod recover;

use std::sync::Arc;

use halfkey_core::{SecretString, SystemClock};
use halfkey_server::keys::{self, KeysOptions, KeysReport};
use serde_json::{Value, json};

use crate::args::{ProviderSide, Which};
use crate::context::DataDir;
use crate::exit_code::{ExitKind, Failure};
use crate::output::Output;

pub(crate) async fn run(
    data: &DataDir,
    passphrase: Option<SecretString>,
    command: ProviderSide,
    output: Output,
) -> Result<(), Failure> {
    let options = |which: Which| KeysOptions {
        environment: which.environment,
        passphrase,
        clock: Arc::new(SystemClock),
    };
    match command {
        ProviderSide::Recover(options) => recover::recover(data, options, output).await,
        ProviderSide::Status(which) => {
            let kek = keys::info(data.path(), &options(which)).await?;
            let versions = kek.versions.iter().map(|one| {
                json!({
                    "version": one.version,
                    "state": one.state.as_str(),
                    "created_at": one.created_at.map(|at| at.to_string()),
                })
            });
            let value = json!({
                "uri": kek.uri,
                "environment": kek.environment,
                "hardware_or_remote": kek.hardware_or_remote,
                "versions": versions.collect::<Vec<_>>(),
            });
            output.result(&value, || {
                let mut text = format!("{}\n  environment  {}", kek.uri, kek.environment);
                for one in &kek.versions {
                    text.push_str("\n  version      ");
                    text.push_str(&one.version);
                    text.push(' ');
                    text.push_str(one.state.as_str());
                }
                text
            });
            Ok(())
        }
        ProviderSide::Rotate(which) => {
            let version = keys::rotate(data.path(), &options(which)).await?;
            output.result(&json!({ "version": version }), || {
                format!(
                    "new KEK version {version}; new keys use it now\nnext: halfkey provider rewrap \
                     moves the others"
                )
            });
            Ok(())
        }
        ProviderSide::Rewrap(which) => {
            let report = keys::rewrap(data.path(), &options(which)).await?;
            output.result(&describe(&report), || text(&report));
            if report.is_clean() {
                return Ok(());
            }
            let left = report.failed.len();
            let message = format!("{left} keys were not moved; they are as they were");
            Err(Failure::new(ExitKind::Storage, "not_moved", message))
        }
    }
}

fn describe(report: &KeysReport) -> Value {
    let failed = report.failed.iter();
    let failed = failed.map(|(name, why)| json!({ "name": name, "why": why }));
    json!({
        "environment": report.environment,
        "kek": report.kek_uri,
        "version": report.kek_version,
        "moved": report.moved,
        "already": report.already,
        "failed": failed.collect::<Vec<_>>(),
    })
}

fn text(report: &KeysReport) -> String {
    let KeysReport {
        kek_uri,
        kek_version,
        moved,
        already,
        ..
    } = report;
    let mut text = format!(
        "{kek_uri}, version {kek_version}\n  moved now     {moved}\n  there before  {already}"
    );
    for (name, why) in &report.failed {
        for piece in ["\n  not moved     ", name, ": ", why] {
            text.push_str(piece);
        }
    }
    text
}
