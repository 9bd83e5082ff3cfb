//! `halfkey vault rewrap`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use halfkey::StoreContexts;
use halfkey_core::EnvironmentId;
use halfkey_vault::rotation::Progress;
use halfkey_vault::{Purpose, RewrapOptions, RewrapParts, RewrapReport, Rewrapper, Storage, Vault};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use super::access;
use super::rotate::note_refused;
use crate::args::Rewrap;
use crate::exit_code::{ExitKind, Failure};
use crate::output::Output;
use crate::progress;

pub(in crate::commands) async fn run(
    (storage, rows): (&Storage, &Vault),
    environment: &EnvironmentId,
    options: Rewrap,
    output: Output,
) -> Result<(), Failure> {
    let stop = stop_at_signal()?;
    let report = walk((storage, rows), environment, options, &stop, output).await?;
    output.result(&describe(&report), || table(&report));
    if report.is_clean() {
        return Ok(());
    }
    let (code, why) = if report.is_complete {
        ("rewrap_incomplete", "some records were not moved")
    } else {
        ("rewrap_stopped", "stopped before the end")
    };
    Err(Failure::new(ExitKind::Storage, code, why).with_hint("halfkey vault rewrap"))
}

/// One walk over the store, with a progress bar.
pub(in crate::commands) async fn walk(
    (storage, rows): (&Storage, &Vault),
    environment: &EnvironmentId,
    options: Rewrap,
    stop: &Stop,
    output: Output,
) -> Result<RewrapReport, Failure> {
    let parts = match parts((storage, rows), environment, &options) {
        Ok(parts) => parts,
        Err(refusal) => {
            note_refused(storage, "rewrap", Some(environment), &refusal.message).await?;
            return Err(refusal);
        }
    };
    let kek = storage.manage.info().await?;
    let newest = kek
        .newest()
        .ok_or_else(|| Failure::internal("the KEK has no version"))?;
    let policy = storage.config.audit.policy();
    let rewrapper = Rewrapper::new(parts, access(Purpose::Rewrap)).with_audit_policy(policy);
    let rewrapper = Arc::new(rewrapper);
    let options = RewrapOptions {
        prefix: options.prefix,
        newest: newest.version.clone(),
        parallel: options.parallel,
        per_second: options.per_second,
    };
    let bar = progress::counter(output, "records");
    let show = |at: Progress| {
        bar.set_position(at.seen);
        bar.set_message(format!("{} moved", at.moved));
    };
    let report = rewrapper.run(&options, &stop.flag, &show).await;
    bar.finish_and_clear();
    storage.vault.clear_dek_cache();
    Ok(report?)
}

fn parts(
    (storage, rows): (&Storage, &Vault),
    environment: &EnvironmentId,
    options: &Rewrap,
) -> Result<RewrapParts, Failure> {
    let forbidden = || {
        let role = storage.role.as_str();
        Failure::new(
            ExitKind::Input,
            "forbidden",
            format!("the role {role} may not move wrapped keys"),
        )
        .with_hint("role = \"rewrapper\" or \"full\" in storage.toml")
    };
    let contexts = StoreContexts::new(rows.clone(), environment.clone(), &*options.prefix);
    Ok(RewrapParts {
        list: storage.list().cloned().ok_or_else(forbidden)?,
        get: storage.get().cloned().ok_or_else(forbidden)?,
        put: storage.put().cloned().ok_or_else(forbidden)?,
        rewrap: storage.rewrap.clone().ok_or_else(forbidden)?,
        verify: storage.unwrap_key().filter(|_| !options.no_verify).cloned(),
        contexts: Arc::new(contexts),
        audit: Arc::<halfkey_vault::audit::sqlite::SqliteAudit>::clone(&storage.audit),
        clock: Arc::clone(storage.clock()),
    })
}

/// Set by SIGINT or SIGTERM: what is in flight is finished, then the walk ends.
pub(in crate::commands) struct Stop {
    flag: Arc<AtomicBool>,
    told: Arc<Notify>,
}

impl Stop {
    /// Whether a signal came.
    pub(in crate::commands) fn is_told(&self) -> bool {
        self.flag.load(Ordering::Acquire)
    }

    /// Until a signal came.
    pub(in crate::commands) async fn wait(&self) {
        while !self.flag.load(Ordering::Acquire) {
            self.told.notified().await;
        }
    }
}

pub(in crate::commands) fn stop_at_signal() -> Result<Stop, Failure> {
    let stop = Stop {
        flag: Arc::default(),
        told: Arc::default(),
    };
    let (flag, told) = (Arc::clone(&stop.flag), Arc::clone(&stop.told));
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    drop(tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        flag.store(true, Ordering::Release);
        told.notify_one();
    }));
    Ok(stop)
}

pub(in crate::commands) fn describe(report: &RewrapReport) -> Value {
    let failed = report
        .failed
        .iter()
        .map(|(name, why)| json!({ "record": name.as_str(), "why": why }));
    let unknown = report.unknown.iter().map(ToString::to_string);
    json!({
        "seen": report.seen,
        "moved": report.moved,
        "already": report.already,
        "plain": report.plain,
        "foreign": report.foreign,
        "unknown": unknown.collect::<Vec<_>>(),
        "failed": failed.collect::<Vec<_>>(),
        "complete": report.is_complete,
    })
}

fn table(report: &RewrapReport) -> String {
    let mut lines = vec![format!(
        "{} names: {} moved, {} were there already, {} plain, {} under other KEKs only, {} of \
         unknown context, {} failed",
        report.seen,
        report.moved,
        report.already,
        report.plain,
        report.foreign,
        report.unknown.len(),
        report.failed.len()
    )];
    lines.extend(
        report
            .unknown
            .iter()
            .map(|name| format!("  unknown: {name}")),
    );
    let failed = report.failed.iter();
    lines.extend(failed.map(|(name, why)| format!("  failed: {name}: {why}")));
    if !report.is_complete {
        lines.push("stopped before the end; run it again".to_owned());
    }
    lines.join("\n")
}
