//! What is to be told to webhooks: an outbox.

use super::sql::{self, SqliteConnection, SqliteRow};
use halfkey_core::{DelegationId, EnvironmentId, UnixMillis};

use super::Tx;
use super::columns::{bytes, signed, text, unsigned};
use super::webhooks;

/// One event on its way to one webhook.
#[derive(Debug, Clone)]
pub(crate) struct MessageRow {
    pub(crate) environment: EnvironmentId,
    pub(crate) webhook: [u8; 16],
    pub(crate) id: [u8; 16],
    pub(crate) event: [u8; 16],
    pub(crate) event_name: String,
    pub(crate) redelivery: bool,
    pub(crate) state: String,
    pub(crate) tries: u64,
    pub(crate) next_at: Option<UnixMillis>,
    pub(crate) last_status: Option<u64>,
    pub(crate) last_error: Option<String>,
    pub(crate) created_at: UnixMillis,
}

fn from_row(row: &SqliteRow) -> Result<MessageRow, sql::Error> {
    let next_at: Option<i64> = row.try_get("next_at")?;
    let last_status: Option<i64> = row.try_get("last_status")?;
    Ok(MessageRow {
        environment: text(row, "environment")?,
        webhook: bytes(row, "webhook_id")?,
        id: bytes(row, "message_id")?,
        event: bytes(row, "event_id")?,
        event_name: row.try_get("event_name")?,
        redelivery: unsigned(row, "redelivery")? == 1,
        state: row.try_get("state")?,
        tries: unsigned(row, "tries")?,
        next_at: next_at.map(UnixMillis),
        last_status: last_status.and_then(|status| u64::try_from(status).ok()),
        last_error: row.try_get("last_error")?,
        created_at: UnixMillis(row.try_get("created_at")?),
    })
}

/// Adds an event to the outbox of every webhook that wants it, in the event's transaction.
pub(crate) async fn fan_out(
    tx: &mut Tx,
    environment: &EnvironmentId,
    event: &[u8; 16],
    name: &str,
) -> Result<(), sql::Error> {
    for webhook in webhooks::all(tx.conn(), environment).await? {
        let wanted = webhook.events.is_empty() || webhook.events.iter().any(|one| one == name);
        if webhook.enabled && wanted {
            insert(tx, environment, (&webhook.id, event), name, false).await?;
        }
    }
    Ok(())
}

/// Adds one message, due now.
pub(crate) async fn insert(
    tx: &mut Tx,
    environment: &EnvironmentId,
    (webhook, event): (&[u8; 16], &[u8; 16]),
    name: &str,
    redelivery: bool,
) -> Result<[u8; 16], sql::Error> {
    let (now, id) = (tx.now(), crate::ids::random_id());
    sql::query(
        "INSERT INTO webhook_messages (environment, webhook_id, message_id, event_id, event_name,
             redelivery, state, tries, next_at, created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, 'waiting', 0, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(environment.as_str())
    .bind(webhook.as_slice())
    .bind(id.as_slice())
    .bind(event.as_slice())
    .bind(name)
    .bind(i64::from(redelivery))
    .bind(now.0)
    .bind(now.0)
    .bind(now.0)
    .execute(tx.conn())
    .await?;
    Ok(id)
}

/// Messages whose next try is due, the longest due first.
pub(crate) async fn due(
    conn: &mut SqliteConnection,
    now: UnixMillis,
    limit: u64,
) -> Result<Vec<MessageRow>, sql::Error> {
    sql::query(
        "SELECT * FROM webhook_messages WHERE next_at IS NOT NULL AND next_at <= ?
         ORDER BY next_at, ordinal LIMIT ?",
    )
    .bind(now.0)
    .bind(signed(limit)?)
    .fetch_all(conn)
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// Begins a try, before anything is sent: a crash costs this one and no other. `false` when
/// somebody else began it.
pub(crate) async fn begin_try(
    tx: &mut Tx,
    message: &MessageRow,
    next_at: Option<UnixMillis>,
) -> Result<bool, sql::Error> {
    let now = tx.now();
    sql::query(
        "UPDATE webhook_messages SET tries = tries + 1, next_at = ?, updated_at = ?
         WHERE message_id = ? AND state = 'waiting' AND tries = ? AND next_at IS NOT NULL",
    )
    .bind(next_at.map(|at| at.0))
    .bind(now.0)
    .bind(message.id.as_slice())
    .bind(signed(message.tries)?)
    .execute(tx.conn())
    .await
    .map(|changed| changed == 1)
}

/// How a try ended.
pub(crate) async fn end_try(
    tx: &mut Tx,
    id: &[u8; 16],
    state: &str,
    status: Option<u16>,
    error: Option<&str>,
) -> Result<(), sql::Error> {
    let now = tx.now();
    sql::query(
        "UPDATE webhook_messages SET state = ?, last_status = ?, last_error = ?, updated_at = ?,
             next_at = CASE WHEN ? = 'waiting' THEN next_at ELSE NULL END
         WHERE message_id = ? AND state = 'waiting'",
    )
    .bind(state)
    .bind(status.map(i64::from))
    .bind(error)
    .bind(now.0)
    .bind(state)
    .bind(id.as_slice())
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Nothing more is told of a delegation's delivery.
pub(crate) async fn cancel(
    tx: &mut Tx,
    environment: &EnvironmentId,
    delegation: DelegationId,
) -> Result<(), sql::Error> {
    let now = tx.now();
    sql::query(
        "UPDATE webhook_messages SET state = 'cancelled', next_at = NULL, updated_at = ?
         WHERE environment = ? AND state = 'waiting' AND event_id IN (
             SELECT event_id FROM events WHERE environment = ? AND delegation_id = ?)",
    )
    .bind(now.0)
    .bind(environment.as_str())
    .bind(environment.as_str())
    .bind(delegation.as_bytes().as_slice())
    .execute(tx.conn())
    .await
    .map(drop)
}

/// The newest messages of a webhook.
pub(crate) async fn of_webhook(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    webhook: &[u8; 16],
    limit: u64,
) -> Result<Vec<MessageRow>, sql::Error> {
    sql::query(
        "SELECT * FROM webhook_messages WHERE environment = ? AND webhook_id = ?
         ORDER BY ordinal DESC LIMIT ?",
    )
    .bind(environment.as_str())
    .bind(webhook.as_slice())
    .bind(signed(limit)?)
    .fetch_all(conn)
    .await?
    .iter()
    .map(from_row)
    .collect()
}

pub(crate) async fn by_id(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    id: &[u8; 16],
) -> Result<Option<MessageRow>, sql::Error> {
    sql::query("SELECT * FROM webhook_messages WHERE environment = ? AND message_id = ?")
        .bind(environment.as_str())
        .bind(id.as_slice())
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(from_row)
        .transpose()
}
