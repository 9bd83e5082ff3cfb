//! The beginning of a chain: it names where the others stand.

use sqlx::sqlite::SqliteConnection;

use super::rows::{self, ChainRow};
use crate::Error;
use crate::audit::chain::{self, ChainStart, Standing};
use crate::store::sqlite::{Database, from_sqlx};

/// Chains that no chain named as far as they go, with the number of their entries. Sequences have
/// no gaps: the last one tells how many there are.
const UNNAMED: &str = "
    SELECT * FROM (
        SELECT *, coalesce((SELECT max(sequence) + 1 FROM audit_entries
                            WHERE audit_entries.chain = audit_chains.chain), 0) AS entries
        FROM audit_chains
    ) AS other
    WHERE NOT EXISTS (SELECT 1 FROM audit_joins
                      WHERE named = other.chain AND entries = other.entries)
    ORDER BY chain";

/// Writes a chain's row, and where it finds every other chain that was begun or grew since a chain
/// last named it. One transaction, so that of two processes that start at once the later one names
/// the earlier.
pub(super) async fn begin_chain(
    database: &Database,
    mut start: ChainStart,
) -> Result<ChainStart, Error> {
    let writer = database.writer();
    let mut transaction = writer
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(from_sqlx)?;
    start.joins = unnamed(&mut transaction).await?;
    sqlx::query(
        "INSERT INTO audit_chains (number, chain, environment, node, started_at)
         VALUES ((SELECT coalesce(max(number), 0) + 1 FROM audit_chains), ?1, ?2, ?3, ?4)",
    )
    .bind(start.chain.as_slice())
    .bind(&start.environment)
    .bind(&start.node)
    .bind(start.started_at.0)
    .execute(&mut *transaction)
    .await
    .map_err(from_sqlx)?;
    for join in &start.joins {
        sqlx::query(
            "INSERT INTO audit_joins (chain, named, entries, head) VALUES (?1, ?2, ?3, ?4)",
        )
        .bind(start.chain.as_slice())
        .bind(join.chain.as_slice())
        .bind(rows::signed(join.entries)?)
        .bind(join.head.as_slice())
        .execute(&mut *transaction)
        .await
        .map_err(from_sqlx)?;
    }
    transaction.commit().await.map_err(from_sqlx)?;
    Ok(start)
}

/// Where every chain stands that has to be named, ascending by id.
async fn unnamed(connection: &mut SqliteConnection) -> Result<Vec<Standing>, Error> {
    let others: Vec<ChainRow> = sqlx::query_as(UNNAMED)
        .fetch_all(&mut *connection)
        .await
        .map_err(from_sqlx)?;
    let mut standings = Vec::with_capacity(others.len());
    for ChainRow { mut start, .. } in others {
        let last = rows::last_entry(&mut *connection, &start.chain).await?;
        let (entries, head) = if let Some((sequence, head)) = last {
            (sequence.saturating_add(1), head)
        } else {
            start.joins = rows::joins(&mut *connection, &start.chain).await?;
            (0, chain::genesis(&start))
        };
        standings.push(Standing {
            chain: start.chain,
            entries,
            head,
        });
    }
    Ok(standings)
}
