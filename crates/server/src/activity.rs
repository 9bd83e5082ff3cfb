//! Checking the activity log: every chain unbroken, every hash right (custody rule 27).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::db::sql::{self, SqliteConnection, SqliteRow};
use halfkey_core::SystemClock;
use halfkey_core::wire::ActivityRef;
use serde::Deserialize;

use crate::Error;
use crate::db::activities::{self, hash_fields};
use crate::db::columns::{bytes, unsigned};
use crate::db::{BootKind, Db};
use crate::provider_dir::ProviderDir;

/// What checking the log found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Chains: one per (node, boot).
    pub chains: u64,
    /// Entries in all of them.
    pub entries: u64,
    /// What is wrong, in words; empty for a sound log.
    pub problems: Vec<String>,
    /// The anchor's chain (32 hex digits) and entry, if it stands in the log: everything up to
    /// there is as it was when the anchor was returned.
    pub proven_to: Option<(String, u64)>,
    /// Whether nothing lies beyond what is proven: the anchor is the last entry of its chain, and
    /// the end of every other chain is named by a later one. Otherwise entries cut off an end would
    /// not be missed.
    pub tail_proven: bool,
}

/// What a chain's first entry says.
#[derive(Debug, Deserialize)]
struct First {
    ends: Vec<ActivityRef>,
}

/// Where each chain ends, and up to where later chains vouch for it.
#[derive(Debug, Default)]
struct Ends {
    last: BTreeMap<String, u64>,
    named: BTreeMap<String, u64>,
}

impl Ends {
    /// Whether every chain but `anchored` is named to its end.
    fn all_named_but(&self, anchored: &str) -> bool {
        self.last
            .iter()
            .filter(|(chain, _)| *chain != anchored)
            .all(|(chain, last)| self.named.get(chain) == Some(last))
    }
}

/// Recomputes every chain, offline. `anchor` is a reference some reply has returned; it must stand
/// in the log.
///
/// # Errors
/// [`Error::NotInitialised`], [`Error::Database`]; what is wrong with the log is no error.
pub async fn verify(data_dir: &Path, anchor: Option<&ActivityRef>) -> Result<Report, Error> {
    let path = ProviderDir::new(data_dir).database();
    // Nothing that is checked depends on the time.
    let db = Db::open(&path, Arc::new(SystemClock), BootKind::Admin, false).await?;
    let mut conn = db.read().acquire().await?;
    let (mut report, mut ends) = (Report::default(), Ends::default());
    let chains: Vec<Vec<u8>> = sql::query_scalar("SELECT DISTINCT chain FROM activities")
        .fetch_all(&mut conn)
        .await?;
    for chain in chains {
        report.chains = report.chains.saturating_add(1);
        check_chain(&mut conn, &chain, &mut report, &mut ends).await?;
    }
    if let Some(anchor) = anchor {
        check_anchor(&mut conn, anchor, &mut report).await?;
    }
    if let Some((chain, sequence)) = &report.proven_to {
        report.tail_proven = ends.last.get(chain) == Some(sequence) && ends.all_named_but(chain);
    }
    drop(conn);
    db.close().await;
    Ok(report)
}

async fn check_chain(
    conn: &mut SqliteConnection,
    chain: &[u8],
    report: &mut Report,
    ends: &mut Ends,
) -> Result<(), Error> {
    let name = hex::encode(chain);
    let Ok(id) = <&[u8; 16]>::try_from(chain) else {
        report
            .problems
            .push(format!("chain {name} has no proper id"));
        return Ok(());
    };
    let mut previous = activities::genesis(id);
    let mut expected = 0_u64;
    loop {
        let sql = "SELECT * FROM activities WHERE chain = ? AND sequence >= ?
                   ORDER BY sequence LIMIT 500";
        let page = sql::query(sql)
            .bind(chain)
            .bind(i64::try_from(expected).unwrap_or(i64::MAX))
            .fetch_all(conn)
            .await?;
        if page.is_empty() {
            return Ok(());
        }
        for row in &page {
            report.entries = report.entries.saturating_add(1);
            let sequence = unsigned(row, "sequence")?;
            let head: [u8; 32] = bytes(row, "head")?;
            if sequence != expected || bytes::<32>(row, "previous")? != previous {
                report
                    .problems
                    .push(format!("chain {name} is broken before entry {sequence}"));
            }
            if hash_of(row)? != head {
                report
                    .problems
                    .push(format!("chain {name}: entry {sequence} was changed"));
            }
            if sequence == 0 {
                check_named(conn, row, report, ends).await?;
            }
            ends.last.insert(name.clone(), sequence);
            previous = head;
            expected = sequence.saturating_add(1);
        }
    }
}

/// The ends that a chain's first entry names must stand in the log.
async fn check_named(
    conn: &mut SqliteConnection,
    row: &SqliteRow,
    report: &mut Report,
    ends: &mut Ends,
) -> Result<(), Error> {
    let detail: &str = row.try_get("detail")?;
    let Ok(First { ends: named }) = serde_json::from_str(detail) else {
        report
            .problems
            .push("a chain's first entry does not name the others".to_owned());
        return Ok(());
    };
    for named in named {
        if !stands(conn, &named).await? {
            report.problems.push(format!(
                "chain {} was cut or replaced: its entry {}, which a later chain names, is missing",
                named.chain, named.sequence
            ));
        }
        let furthest = ends.named.entry(named.chain).or_default();
        *furthest = named.sequence.max(*furthest);
    }
    Ok(())
}

async fn stands(conn: &mut SqliteConnection, entry: &ActivityRef) -> Result<bool, Error> {
    let (Ok(chain), Ok(head)) = (hex::decode(&entry.chain), hex::decode(&entry.head)) else {
        return Ok(false);
    };
    Ok(activities::contains(conn, &chain, entry.sequence, &head).await?)
}

async fn check_anchor(
    conn: &mut SqliteConnection,
    anchor: &ActivityRef,
    report: &mut Report,
) -> Result<(), Error> {
    if stands(conn, anchor).await? {
        report.proven_to = Some((anchor.chain.clone(), anchor.sequence));
    } else {
        report.problems.push(format!(
            "the anchor (entry {} of chain {}) is missing: the log was cut or replaced",
            anchor.sequence, anchor.chain
        ));
    }
    Ok(())
}

/// The hash of an entry as it stands in the table.
fn hash_of(row: &SqliteRow) -> Result<[u8; 32], sql::Error> {
    let sequence = unsigned(row, "sequence")?;
    let at: i64 = row.try_get("at")?;
    let text = |column: &'static str| row.try_get::<&str>(column).map(str::as_bytes);
    let blob = |column: &'static str| row.try_get::<&[u8]>(column);
    Ok(hash_fields([
        blob("previous")?,
        blob("chain")?,
        &sequence.to_be_bytes(),
        text("environment")?,
        &at.to_be_bytes(),
        text("kind")?,
        text("actor")?,
        blob("wallet_id")?,
        blob("attempt_id")?,
        blob("request_id")?,
        text("detail")?,
    ]))
}
