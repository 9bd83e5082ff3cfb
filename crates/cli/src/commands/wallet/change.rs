//! `halfkey wallet refresh | reshare | replace-share`.

use std::time::Duration;

use halfkey::{Changed, StoredWallet};
use halfkey_core::{PartyIndex, ThresholdSignatureScheme};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use super::Opened;
use crate::args::Refresh;
use crate::commands::vault::rewrap::{Stop, stop_at_signal};
use crate::exit_code::{ExitKind, Failure};
use crate::output::Output;
use crate::progress;

/// How often the service looks whether a wallet is due.
const LOOK_EVERY: Duration = Duration::from_mins(1);

pub(super) async fn refresh(
    opened: &Opened,
    options: &Refresh,
    output: Output,
) -> Result<(), Failure> {
    if let Some(every) = options.every {
        return service(opened, options, every, output).await;
    }
    let stop = stop_at_signal()?;
    let addresses = if options.all {
        let all = opened.store.list().await?;
        let all = all.into_iter().filter(is_refreshable);
        all.map(|wallet| wallet.account_address).collect()
    } else {
        options.addresses.clone()
    };
    let done = refresh_each(opened, &addresses, options.compromised, &stop, output).await?;
    output.result(&done.describe(), || done.human(options.compromised));
    done.verdict()
}

/// New shares of every wallet, and every earlier generation shredded: a step of an incident.
pub(crate) async fn refresh_compromised(opened: &Opened, output: Output) -> Result<Value, Failure> {
    let stop = stop_at_signal()?;
    let all = opened.store.list().await?.into_iter();
    let all = all.filter(is_refreshable);
    let addresses: Vec<_> = all.map(|wallet| wallet.account_address).collect();
    let done = refresh_each(opened, &addresses, true, &stop, output).await?;
    let value = done.describe();
    let verdict = done.verdict();
    verdict.map(|()| value.clone()).map_err(|failure| Failure {
        message: format!("{}: {value}", failure.message),
        ..failure
    })
}

pub(super) async fn reshare(
    opened: &Opened,
    address: &str,
    scheme: ThresholdSignatureScheme,
    output: Output,
) -> Result<(), Failure> {
    let bar = progress::spinner(output, "reshare, sealed write, proof, commit");
    let changed = opened.store.reshare(address, scheme).await;
    bar.finish_and_clear();
    let changed = opened.done(changed).await?;
    output.result(&describe(&changed), || {
        let note = if scheme == ThresholdSignatureScheme::TwoOfThree {
            "\n  your two shares sign without the provider from now on, for ever"
        } else {
            ""
        };
        format!("{}\n  scheme      {scheme}{note}", line(&changed))
    });
    Ok(())
}

pub(super) async fn replace_share(
    opened: &Opened,
    address: &str,
    lost: u8,
    output: Output,
) -> Result<(), Failure> {
    let lost = PartyIndex::try_from(lost)?;
    let bar = progress::spinner(output, "new shares, sealed write, proof, commit");
    let changed = opened.store.replace_share(address, lost).await;
    bar.finish_and_clear();
    let changed = opened.done(changed).await?;
    output.result(&describe(&changed), || {
        let generation = changed.before;
        format!(
            "{}\n  beware      the lost share of party {lost} still signs with another one of \
             generation {generation}",
            line(&changed)
        )
    });
    Ok(())
}

/// What a walk over wallets came to.
#[derive(Default)]
struct Done {
    changed: Vec<Changed>,
    failed: Vec<(String, Failure)>,
    /// A signal came before the end.
    stopped: bool,
}

/// One wallet after the other; one that fails stops no other.
async fn refresh_each(
    opened: &Opened,
    addresses: &[String],
    compromised: bool,
    stop: &Stop,
    output: Output,
) -> Result<Done, Failure> {
    let mut done = Done::default();
    let bar = progress::bar(output, "wallets", addresses.len());
    for address in addresses {
        if stop.is_told() {
            done.stopped = true;
            break;
        }
        let changed = opened.store.refresh(address, compromised).await;
        match opened.done(changed).await {
            Ok(changed) => done.changed.push(changed),
            Err(failure) => done.failed.push((address.clone(), failure)),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(done)
}

/// Refreshes whatever is `every` old, until SIGINT or SIGTERM, after the wallet in hand.
async fn service(
    opened: &Opened,
    options: &Refresh,
    every: Duration,
    output: Output,
) -> Result<(), Failure> {
    let mut looks = interval(LOOK_EVERY.min(every.max(Duration::from_secs(1))));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stop = stop_at_signal()?;
    loop {
        tokio::select! {
            () = stop.wait() => return Ok(()),
            _ = looks.tick() => {}
        }
        let due = match due(opened, options, every).await {
            Ok(due) => due,
            Err(failure) => {
                // A service outlives an outage; the next look tries again.
                tracing::warn!(code = failure.code, "{}", failure.message);
                output.line(format!("not now: {}", failure.message));
                continue;
            }
        };
        let done = refresh_each(opened, &due, false, &stop, output).await?;
        if !done.changed.is_empty()
            && let Err(error) = opened.store.sweep().await
        {
            tracing::warn!(%error, "earlier generations beyond the horizon are not shredded");
        }
        for changed in &done.changed {
            output.line(line(changed));
        }
        for (address, failure) in &done.failed {
            tracing::warn!(address, code = failure.code, "{}", failure.message);
            output.line(format!("{address}: not now: {}", failure.message));
        }
    }
}

async fn due(opened: &Opened, options: &Refresh, every: Duration) -> Result<Vec<String>, Failure> {
    let every = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
    let now = opened.storage.clock().now();
    let wanted =
        |wallet: &StoredWallet| options.all || options.addresses.contains(&wallet.account_address);
    let all = opened.store.list().await?.into_iter();
    Ok(all
        .filter(is_refreshable)
        .filter(wanted)
        .filter(|wallet| now >= wallet.generation_since.saturating_add_millis(every))
        .map(|wallet| wallet.account_address)
        .collect())
}

fn is_refreshable(wallet: &StoredWallet) -> bool {
    matches!(wallet.state, "active" | "locked")
}

impl Done {
    fn describe(&self) -> Value {
        let failed = self.failed.iter().map(|(address, failure)| {
            json!({ "account_address": address, "code": failure.code, "error": failure.message })
        });
        json!({
            "refreshed": self.changed.iter().map(describe).collect::<Vec<_>>(),
            "failed": failed.collect::<Vec<_>>(),
            "stopped": self.stopped,
        })
    }

    fn human(&self, compromised: bool) -> String {
        let mut lines: Vec<_> = self.changed.iter().map(line).collect();
        let failed = self.failed.iter();
        lines.extend(
            failed.map(|(address, failure)| format!("{address}  FAILED  {}", failure.message)),
        );
        lines.push(format!(
            "{} refreshed, {} failed{}",
            self.changed.len(),
            self.failed.len(),
            if self.stopped {
                ", stopped by a signal"
            } else {
                ""
            }
        ));
        if compromised {
            lines.push(
                "earlier generations are shredded: a half restored from a backup of before cannot \
                 be healed; imported, exported, dealt and 2-of-3 keys may be known: sweep the funds"
                    .to_owned(),
            );
        }
        lines.join("\n")
    }

    /// The first failure's kind decides, as if it had been the only one.
    fn verdict(self) -> Result<(), Failure> {
        let of = self.changed.len().saturating_add(self.failed.len());
        let count = self.failed.len();
        match self.failed.into_iter().next() {
            Some((_, failure)) if of == 1 => Err(failure),
            Some((_, failure)) => Err(Failure::new(
                failure.kind,
                "refresh_incomplete",
                format!("{count} of {of} wallets were not refreshed"),
            )
            .with_hint("halfkey wallet resume, then the same command again")),
            None if self.stopped => Err(Failure::new(
                ExitKind::Unavailable,
                "refresh_stopped",
                "stopped before the end",
            )),
            None => Ok(()),
        }
    }
}

fn describe(changed: &Changed) -> Value {
    json!({
        "account_address": changed.properties.account_address,
        "scheme": changed.properties.threshold_signature_scheme,
        "generation": changed.generation,
        "before": changed.before,
    })
}

fn line(changed: &Changed) -> String {
    format!(
        "{}  generation {} → {}",
        changed.properties.account_address, changed.before, changed.generation
    )
}
