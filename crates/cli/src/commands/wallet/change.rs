//! `halfkey wallet refresh | reshare | replace-share`.

use std::time::Duration;

use halfkey::{Changed, Listed, StoredWallet};
use halfkey_chain::canonical_address;
use halfkey_core::{ChainName, PartyIndex, ThresholdSignatureScheme};
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
    let (addresses, unread) = if options.all {
        every_wallet(opened).await?
    } else {
        (options.addresses.clone(), Vec::new())
    };
    let mut done = refresh_each(opened, &addresses, options.compromised, &stop, output).await?;
    done.failed.extend(unread);
    output.result(&done.describe(), || done.human(options.compromised));
    done.verdict()
}

/// New shares of every wallet, and every earlier generation shredded: a step of an incident.
pub(crate) async fn refresh_compromised(opened: &Opened, output: Output) -> Result<Value, Failure> {
    let stop = stop_at_signal()?;
    let (addresses, unread) = every_wallet(opened).await?;
    let mut done = refresh_each(opened, &addresses, true, &stop, output).await?;
    done.failed.extend(unread);
    let value = done.describe();
    let verdict = done.verdict();
    verdict.map(|()| value.clone()).map_err(|failure| Failure {
        message: format!("{}: {value}", failure.message),
        ..failure
    })
}

/// Every wallet that can be refreshed, and every row that does not say which one it is of.
async fn every_wallet(opened: &Opened) -> Result<(Vec<String>, Vec<(String, Failure)>), Failure> {
    let Listed { found, unreadable } = opened.store.list().await?;
    let found = found.into_iter().filter(is_refreshable);
    let unread = unreadable.into_iter();
    Ok((
        found.map(|wallet| wallet.account_address).collect(),
        unread.map(|row| (row.record, row.error.into())).collect(),
    ))
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
    // A name that is none of this customer's would never be due, and nobody would know.
    for address in &options.addresses {
        opened.store.show(address).await?;
    }
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
            output.result(&describe(changed), || line(changed));
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
    let wanted = |wallet: &StoredWallet| {
        options.all || names(&options.addresses, wallet.chain, &wallet.account_address)
    };
    let all = opened.store.list().await?.into_iter();
    Ok(all
        .filter(is_refreshable)
        .filter(wanted)
        .filter(|wallet| now >= wallet.generation_since.saturating_add_millis(every))
        .map(|wallet| wallet.account_address)
        .collect())
}

/// Whether one of `addresses` is this one: an EVM address has more than one spelling.
fn names(addresses: &[String], chain: ChainName, address: &str) -> bool {
    let Ok(wanted) = canonical_address(chain, address) else {
        return false;
    };
    let mut found = addresses.iter().map(|text| canonical_address(chain, text));
    found.any(|found| found.is_ok_and(|found| found == wanted))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_named_in_any_spelling() {
        let address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
        let named = |text: &str| names(&[text.to_owned()], ChainName::Evm, address);
        assert!(named(address));
        assert!(named(&address.to_lowercase()));
        assert!(!named("0x70997970C51812dc3A010C7d01b50e0d17dc79C8"));
        assert!(!named("payouts"));
    }
}
