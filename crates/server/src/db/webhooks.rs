//! Webhooks.

use super::sql::{self, SqliteConnection, SqliteRow};
use halfkey_core::{EnvironmentId, UnixMillis};

use super::Tx;
use super::columns::{bytes, signed, unsigned};

/// One webhook.
#[derive(Debug, Clone)]
pub(crate) struct WebhookRow {
    pub(crate) id: [u8; 16],
    pub(crate) url: String,
    /// Empty for all.
    pub(crate) events: Vec<String>,
    pub(crate) enabled: bool,
    pub(crate) secret_version: u64,
    pub(crate) created_at: UnixMillis,
    pub(crate) updated_at: UnixMillis,
}

fn from_row(row: &SqliteRow) -> Result<WebhookRow, sql::Error> {
    let events: &str = row.try_get("events")?;
    Ok(WebhookRow {
        id: bytes(row, "webhook_id")?,
        url: row.try_get("url")?,
        events: events.split_whitespace().map(str::to_owned).collect(),
        enabled: unsigned(row, "enabled")? == 1,
        secret_version: unsigned(row, "secret_version")?,
        created_at: UnixMillis(row.try_get("created_at")?),
        updated_at: UnixMillis(row.try_get("updated_at")?),
    })
}

/// Every webhook of the environment, oldest first.
pub(crate) async fn all(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
) -> Result<Vec<WebhookRow>, sql::Error> {
    sql::query("SELECT * FROM webhooks WHERE environment = ? ORDER BY ordinal")
        .bind(environment.as_str())
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
) -> Result<Option<WebhookRow>, sql::Error> {
    sql::query("SELECT * FROM webhooks WHERE environment = ? AND webhook_id = ?")
        .bind(environment.as_str())
        .bind(id.as_slice())
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(from_row)
        .transpose()
}

pub(crate) async fn insert(
    tx: &mut Tx,
    environment: &EnvironmentId,
    row: &WebhookRow,
) -> Result<(), sql::Error> {
    sql::query(
        "INSERT INTO webhooks (environment, webhook_id, url, events, enabled, secret_version,
             created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(environment.as_str())
    .bind(row.id.as_slice())
    .bind(&row.url)
    .bind(row.events.join(" "))
    .bind(i64::from(row.enabled))
    .bind(signed(row.secret_version)?)
    .bind(row.created_at.0)
    .bind(row.updated_at.0)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Replaces what can change.
pub(crate) async fn update(
    tx: &mut Tx,
    environment: &EnvironmentId,
    row: &WebhookRow,
) -> Result<(), sql::Error> {
    let now = tx.now();
    sql::query(
        "UPDATE webhooks SET url = ?, events = ?, enabled = ?, secret_version = ?, updated_at = ?
         WHERE environment = ? AND webhook_id = ?",
    )
    .bind(&row.url)
    .bind(row.events.join(" "))
    .bind(i64::from(row.enabled))
    .bind(signed(row.secret_version)?)
    .bind(now.0)
    .bind(environment.as_str())
    .bind(row.id.as_slice())
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Removes a webhook and what was to be told to it; `false` when there was none.
pub(crate) async fn delete(
    tx: &mut Tx,
    environment: &EnvironmentId,
    id: &[u8; 16],
) -> Result<bool, sql::Error> {
    sql::query("DELETE FROM webhook_messages WHERE environment = ? AND webhook_id = ?")
        .bind(environment.as_str())
        .bind(id.as_slice())
        .execute(tx.conn())
        .await?;
    sql::query("DELETE FROM webhooks WHERE environment = ? AND webhook_id = ?")
        .bind(environment.as_str())
        .bind(id.as_slice())
        .execute(tx.conn())
        .await
        .map(|changed| changed == 1)
}
