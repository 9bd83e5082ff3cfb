//! The rows of the audit log.

use halfkey_core::UnixMillis;
use sqlx::sqlite::{SqliteExecutor, SqlitePool, SqliteRow};
use sqlx::{FromRow, Row as _};

use crate::audit::chain::{ChainStart, Standing};
use crate::store::sqlite::{Database, from_sqlx};
use crate::{AuditEvent, AuditPosition, Error};

/// A chain as it stands in its table, and in the one of its joins.
pub(in crate::audit) struct ChainRow {
    pub(in crate::audit) number: i64,
    pub(in crate::audit) start: ChainStart,
}

impl FromRow<'_, SqliteRow> for ChainRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            number: row.try_get("number")?,
            start: ChainStart {
                chain: array(&row.try_get::<Vec<u8>, _>("chain")?)?,
                environment: row.try_get("environment")?,
                node: row.try_get("node")?,
                started_at: UnixMillis(row.try_get("started_at")?),
                // Stands in a table of its own.
                joins: Vec::new(),
            },
        })
    }
}

impl FromRow<'_, SqliteRow> for Standing {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            chain: array(&row.try_get::<Vec<u8>, _>("named")?)?,
            entries: unsigned(row.try_get("entries")?)?,
            head: array(&row.try_get::<Vec<u8>, _>("head")?)?,
        })
    }
}

/// An entry as it stands in the table.
pub(in crate::audit) struct EntryRow {
    pub(in crate::audit) sequence: u64,
    pub(in crate::audit) head: [u8; 32],
    /// `None` when its outcome is not one.
    pub(in crate::audit) event: Option<AuditEvent>,
}

impl FromRow<'_, SqliteRow> for EntryRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let outcome = row.try_get::<String, _>("outcome")?.parse().ok();
        let event = match outcome {
            None => None,
            Some(outcome) => Some(AuditEvent {
                at: UnixMillis(row.try_get("at")?),
                actor: row.try_get("actor")?,
                action: row.try_get("action")?,
                purpose: row.try_get("purpose")?,
                environment: row.try_get("environment")?,
                wallet: row.try_get("wallet")?,
                record: row.try_get("record")?,
                request_id: row.try_get("request_id")?,
                outcome,
                detail: row.try_get("detail")?,
            }),
        };
        Ok(Self {
            sequence: unsigned(row.try_get("sequence")?)?,
            head: array(&row.try_get::<Vec<u8>, _>("head")?)?,
            event,
        })
    }
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], sqlx::Error> {
    bytes
        .try_into()
        .map_err(|_| sqlx::Error::Decode("a hash or id has the wrong length".into()))
}

fn unsigned(number: i64) -> Result<u64, sqlx::Error> {
    u64::try_from(number).map_err(|_| sqlx::Error::Decode("a sequence is negative".into()))
}

pub(super) fn signed(number: u64) -> Result<i64, Error> {
    i64::try_from(number).map_err(|_| Error::permanent("an audit sequence is too large"))
}

/// Every chain in the order they began, at most `limit` after `after`; without their joins.
pub(in crate::audit) async fn chains(
    pool: &SqlitePool,
    after: i64,
    limit: u32,
) -> Result<Vec<ChainRow>, Error> {
    sqlx::query_as("SELECT * FROM audit_chains WHERE number > ?1 ORDER BY number LIMIT ?2")
        .bind(after)
        .bind(limit)
        .fetch_all(pool)
        .await
        .map_err(from_sqlx)
}

/// What a chain names, ascending by id.
pub(in crate::audit) async fn joins(
    executor: impl SqliteExecutor<'_>,
    chain: &[u8; 16],
) -> Result<Vec<Standing>, Error> {
    sqlx::query_as("SELECT * FROM audit_joins WHERE chain = ?1 ORDER BY named")
        .bind(chain.as_slice())
        .fetch_all(executor)
        .await
        .map_err(from_sqlx)
}

/// The hash an entry has in the table; `None` when there is no such entry.
pub(in crate::audit) async fn head_of(
    pool: &SqlitePool,
    chain: &[u8; 16],
    sequence: u64,
) -> Result<Option<[u8; 32]>, Error> {
    let entry: Option<EntryRow> =
        sqlx::query_as("SELECT * FROM audit_entries WHERE chain = ?1 AND sequence = ?2")
            .bind(chain.as_slice())
            .bind(signed(sequence)?)
            .fetch_optional(pool)
            .await
            .map_err(from_sqlx)?;
    Ok(entry.map(|entry| entry.head))
}

/// The entries of a chain from `sequence` on, in order, at most `limit`.
pub(in crate::audit) async fn entries_from(
    pool: &SqlitePool,
    chain: &[u8; 16],
    sequence: u64,
    limit: u32,
) -> Result<Vec<EntryRow>, Error> {
    sqlx::query_as(
        "SELECT * FROM audit_entries WHERE chain = ?1 AND sequence >= ?2
         ORDER BY sequence LIMIT ?3",
    )
    .bind(chain.as_slice())
    .bind(signed(sequence)?)
    .bind(limit)
    .fetch_all(pool)
    .await
    .map_err(from_sqlx)
}

/// The last entry's sequence and head.
pub(super) async fn last_entry(
    executor: impl SqliteExecutor<'_>,
    chain: &[u8; 16],
) -> Result<Option<(u64, [u8; 32])>, Error> {
    let last: Option<EntryRow> = sqlx::query_as(
        "SELECT * FROM audit_entries WHERE chain = ?1 ORDER BY sequence DESC LIMIT 1",
    )
    .bind(chain.as_slice())
    .fetch_optional(executor)
    .await
    .map_err(from_sqlx)?;
    Ok(last.map(|row| (row.sequence, row.head)))
}

/// Writes entries in one durable transaction.
pub(super) async fn insert_entries(
    database: &Database,
    entries: &[(AuditPosition, &AuditEvent)],
) -> Result<(), Error> {
    let writer = database.writer();
    let mut transaction = writer
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(from_sqlx)?;
    for (position, event) in entries {
        sqlx::query(
            "INSERT INTO audit_entries (chain, sequence, at, actor, action, purpose, environment,
                                        wallet, record, request_id, outcome, detail, head)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )
        .bind(position.chain.as_slice())
        .bind(signed(position.sequence)?)
        .bind(event.at.0)
        .bind(&event.actor)
        .bind(&event.action)
        .bind(&event.purpose)
        .bind(&event.environment)
        .bind(&event.wallet)
        .bind(&event.record)
        .bind(&event.request_id)
        .bind(event.outcome.as_str())
        .bind(&event.detail)
        .bind(position.head.as_slice())
        .execute(&mut *transaction)
        .await
        .map_err(from_sqlx)?;
    }
    transaction.commit().await.map_err(from_sqlx)
}
