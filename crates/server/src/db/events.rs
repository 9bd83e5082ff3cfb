//! What happened in an environment, for those who fetch it or are told.

use super::sql::{self, SqliteConnection, SqliteRow};
use halfkey_core::{DelegationId, EnvironmentId, UnixMillis};

use super::columns::{bad_cell, bytes, signed, unsigned};
use super::{Tx, messages};

/// One event.
#[derive(Debug, Clone)]
pub(crate) struct EventRow {
    pub(crate) ordinal: u64,
    pub(crate) id: [u8; 16],
    pub(crate) name: String,
    pub(crate) data: serde_json::Value,
    pub(crate) created_at: UnixMillis,
}

fn from_row(row: &SqliteRow) -> Result<EventRow, sql::Error> {
    let data: &str = row.try_get("data")?;
    Ok(EventRow {
        ordinal: unsigned(row, "ordinal")?,
        id: bytes(row, "event_id")?,
        name: row.try_get("name")?,
        data: serde_json::from_str(data).map_err(|_| bad_cell("data"))?,
        created_at: UnixMillis(row.try_get("created_at")?),
    })
}

/// Events after `after`, oldest first.
pub(crate) async fn page(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    after: u64,
    limit: u64,
) -> Result<Vec<EventRow>, sql::Error> {
    sql::query(
        "SELECT * FROM events WHERE environment = ? AND ordinal > ? ORDER BY ordinal LIMIT ?",
    )
    .bind(environment.as_str())
    .bind(signed(after)?)
    .bind(signed(limit)?)
    .fetch_all(conn)
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// Adds an event, in the transaction of what it tells.
pub(crate) async fn insert(
    tx: &mut Tx,
    environment: &EnvironmentId,
    name: &str,
    delegation: Option<DelegationId>,
    data: &serde_json::Value,
) -> Result<(), sql::Error> {
    let (now, id) = (tx.now(), crate::ids::random_id());
    sql::query(
        "INSERT INTO events (environment, event_id, name, delegation_id, data, created_at)
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(environment.as_str())
    .bind(id.as_slice())
    .bind(name)
    .bind(delegation.map(|id| id.as_bytes().to_vec()))
    .bind(data.to_string())
    .bind(now.0)
    .execute(tx.conn())
    .await?;
    messages::fan_out(tx, environment, &id, name).await
}

pub(crate) async fn by_id(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    id: &[u8; 16],
) -> Result<Option<EventRow>, sql::Error> {
    sql::query("SELECT * FROM events WHERE environment = ? AND event_id = ?")
        .bind(environment.as_str())
        .bind(id.as_slice())
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(from_row)
        .transpose()
}

/// Forgets what was to be delivered of a delegation, also by webhooks.
pub(crate) async fn forget(
    tx: &mut Tx,
    environment: &EnvironmentId,
    delegation: DelegationId,
) -> Result<(), sql::Error> {
    messages::cancel(tx, environment, delegation).await?;
    sql::query("DELETE FROM events WHERE environment = ? AND delegation_id = ?")
        .bind(environment.as_str())
        .bind(delegation.as_bytes().as_slice())
        .execute(tx.conn())
        .await
        .map(drop)
}
