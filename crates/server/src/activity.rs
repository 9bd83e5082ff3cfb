//! Checking the activity log: every chain unbroken, every hash right (custody rule 27).

use std::path::Path;
use std::sync::Arc;

use halfkey_core::Clock;
use halfkey_core::wire::ActivityRef;
use sqlx::Row as _;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use crate::Error;
use crate::db::Db;
use crate::db::activities::{self, hash_fields};
use crate::db::columns::{bytes, unsigned};
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
    /// Whether the end of the log is vouched for by an anchor from outside. Without one, entries
    /// cut off the end of the newest chain cannot be missed.
    pub tail_proven: bool,
}

/// Recomputes every chain. `anchor` is a reference some reply has returned; it must stand in the
/// log.
///
/// # Errors
/// [`Error::NotInitialised`], [`Error::Database`]; what is wrong with the log is no error.
pub async fn verify(
    data_dir: &Path,
    anchor: Option<&ActivityRef>,
    clock: Arc<dyn Clock>,
) -> Result<Report, Error> {
    let db = Db::open(&ProviderDir::new(data_dir).database(), clock, false).await?;
    let mut conn = db.read().acquire().await?;
    let mut report = Report::default();
    let chains: Vec<Vec<u8>> = sqlx::query_scalar("SELECT DISTINCT chain FROM activities")
        .fetch_all(&mut *conn)
        .await?;
    for chain in chains {
        report.chains = report.chains.saturating_add(1);
        check_chain(&mut conn, &chain, &mut report).await?;
    }
    if let Some(anchor) = anchor {
        report.tail_proven = check_anchor(&mut conn, anchor, &mut report).await?;
    }
    drop(conn);
    db.close().await;
    Ok(report)
}

async fn check_chain(
    conn: &mut SqliteConnection,
    chain: &[u8],
    report: &mut Report,
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
        let page = sqlx::query(
            "SELECT * FROM activities WHERE chain = ? AND sequence >= ? ORDER BY sequence LIMIT 500",
        )
        .bind(chain)
        .bind(i64::try_from(expected).unwrap_or(i64::MAX))
        .fetch_all(&mut *conn)
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
            previous = head;
            expected = sequence.saturating_add(1);
        }
    }
}

/// The hash of an entry as it stands in the table.
fn hash_of(row: &SqliteRow) -> Result<[u8; 32], sqlx::Error> {
    let sequence = unsigned(row, "sequence")?;
    let at: i64 = row.try_get("at")?;
    let text = |column: &str| row.try_get::<&str, _>(column).map(str::as_bytes);
    let blob = |column: &str| row.try_get::<&[u8], _>(column);
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

async fn check_anchor(
    conn: &mut SqliteConnection,
    anchor: &ActivityRef,
    report: &mut Report,
) -> Result<bool, Error> {
    let (chain, head) = (hex::decode(&anchor.chain), hex::decode(&anchor.head));
    let found = match (chain, head) {
        (Ok(chain), Ok(head)) => activities::contains(conn, &chain, anchor.sequence, &head).await?,
        _ => false,
    };
    if !found {
        report.problems.push(format!(
            "the anchor (entry {} of chain {}) is missing: the log was cut or replaced",
            anchor.sequence, anchor.chain
        ));
    }
    Ok(found)
}
