//! `halfkey wallet check`: whether both halves still match, by a try.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;

use halfkey::Health;
use serde_json::{Value, json};

use super::Opened;
use crate::commands::vault::rewrap::stop_at_signal;
use crate::exit_code::{ExitKind, Failure};
use crate::output::Output;
use crate::progress;

/// Wallets asked for at a time.
const PAGE: usize = 16;

/// What the tries came to.
#[derive(Default)]
struct Tally {
    counts: BTreeMap<&'static str, u64>,
    /// Those that do not sign.
    notable: Vec<(String, &'static str, String)>,
    skipped: u64,
    stopped: bool,
}

pub(super) async fn run(
    opened: &Opened,
    addresses: &[String],
    report: Option<&Path>,
    output: Output,
) -> Result<(), Failure> {
    let mut tally = Tally::default();
    if addresses.is_empty() {
        walk(opened, report, &mut tally, output).await?;
    } else {
        for address in addresses {
            let health = opened.store.check(address).await?;
            tally.add(address, &health);
        }
    }
    output.result(&tally.describe(), || tally.human());
    tally.verdict()
}

/// Every wallet of the store; what the report names already is left out.
async fn walk(
    opened: &Opened,
    report: Option<&Path>,
    tally: &mut Tally,
    output: Output,
) -> Result<(), Failure> {
    let known = report.map(read_report).transpose()?.unwrap_or_default();
    let mut file = match report {
        Some(path) => Some(OpenOptions::new().create(true).append(true).open(path)?),
        None => None,
    };
    let stop = stop_at_signal()?;
    let bar = progress::counter(output, "wallets");
    let mut after = None;
    loop {
        let page = opened
            .store
            .check_page(after.as_deref(), PAGE, |address| known.contains(address))
            .await?;
        for (address, health) in &page.wallets {
            tally.add(address, health);
            if let Some(file) = &mut file {
                writeln!(file, "{}", entry(address, health))?;
            }
            bar.inc(1);
        }
        tally.skipped = tally.skipped.saturating_add(page.skipped);
        bar.set_message(format!("{} do not sign", tally.notable.len()));
        if let Some(file) = &mut file {
            file.sync_data()?;
        }
        after = page.next;
        tally.stopped = stop.is_told() && after.is_some();
        if after.is_none() || tally.stopped {
            bar.finish_and_clear();
            return Ok(());
        }
    }
}

/// The addresses that an earlier run has written; a torn last line is tried again. What could not
/// be checked then is not known.
fn read_report(path: &Path) -> Result<BTreeSet<String>, Failure> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error.into()),
    };
    let mut known = BTreeSet::new();
    for line in BufReader::new(file).lines() {
        let Ok(entry) = serde_json::from_str::<Value>(&line?) else {
            continue;
        };
        let text = |name| entry.get(name).and_then(Value::as_str);
        if let (Some(address), Some(class)) = (text("account_address"), text("health"))
            && class != "unchecked"
        {
            known.insert(address.to_owned());
        }
    }
    Ok(known)
}

fn entry(address: &str, health: &Health) -> Value {
    json!({ "account_address": address, "health": health.as_str(), "detail": detail(health) })
}

fn detail(health: &Health) -> String {
    match health {
        Health::Recoverable { why } | Health::Locked { why } | Health::Lost { why } => why.clone(),
        Health::Stale { ours, theirs } => {
            format!("this half is at generation {ours}, the provider at {theirs}")
        }
        Health::Unchecked(error) => error.to_string(),
        _ => String::new(),
    }
}

impl Tally {
    fn add(&mut self, address: &str, health: &Health) {
        let class = health.as_str();
        let count = self.counts.entry(class).or_default();
        *count = count.saturating_add(1);
        if !matches!(health, Health::Signs) {
            self.notable
                .push((address.to_owned(), class, detail(health)));
        }
    }

    fn describe(&self) -> Value {
        let notable = self.notable.iter().map(|(address, class, detail)| {
            json!({ "account_address": address, "health": class, "detail": detail })
        });
        json!({
            "counts": self.counts,
            "not_signing": notable.collect::<Vec<_>>(),
            "skipped": self.skipped,
            "stopped": self.stopped,
        })
    }

    fn human(&self) -> String {
        let mut lines: Vec<_> = self
            .notable
            .iter()
            .map(|(address, class, detail)| format!("{address}  {class}  {detail}"))
            .collect();
        let counts = self.counts.iter();
        let counts: Vec<_> = counts
            .map(|(class, count)| format!("{count} {class}"))
            .collect();
        if counts.is_empty() {
            lines.push("nothing to check".to_owned());
        } else {
            lines.push(counts.join(", "));
        }
        if self.skipped > 0 {
            lines.push(format!("{} stood in the report already", self.skipped));
        }
        lines.join("\n")
    }

    fn verdict(&self) -> Result<(), Failure> {
        let unchecked = self.counts.get("unchecked").copied().unwrap_or_default();
        let count = self.notable.len();
        let (kind, code) = if self.stopped {
            (ExitKind::Unavailable, "check_stopped")
        } else if u64::try_from(count).unwrap_or(u64::MAX) > unchecked {
            (ExitKind::Custody, "wallets_do_not_sign")
        } else if unchecked > 0 {
            (ExitKind::Unavailable, "wallets_unchecked")
        } else {
            return Ok(());
        };
        Err(Failure::new(
            kind,
            code,
            format!("{count} wallets do not sign or were not checked"),
        ))
    }
}
