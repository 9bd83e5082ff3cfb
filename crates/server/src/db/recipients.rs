//! Keys that exports may go to (custody rule 28).

use super::sql::{self, SqliteConnection, SqliteRow};
use halfkey_core::wire::ExportRecipient;
use halfkey_core::{EnvironmentId, UnixMillis};

use super::Tx;

fn from_row(row: &SqliteRow) -> Result<ExportRecipient, sql::Error> {
    Ok(ExportRecipient {
        recipient: row.try_get("recipient")?,
        name: row.try_get("name")?,
        added_at: UnixMillis(row.try_get("added_at")?),
        usable_at: UnixMillis(row.try_get("usable_at")?),
    })
}

/// The keys on the list, oldest first.
pub(crate) async fn all(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
) -> Result<Vec<ExportRecipient>, sql::Error> {
    sql::query(
        "SELECT * FROM export_recipients WHERE environment = ? AND removed_at IS NULL
         ORDER BY ordinal",
    )
    .bind(environment.as_str())
    .fetch_all(conn)
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// One key, if it is on the list.
pub(crate) async fn listed(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    recipient: &str,
) -> Result<Option<ExportRecipient>, sql::Error> {
    sql::query(
        "SELECT * FROM export_recipients
         WHERE environment = ? AND recipient = ? AND removed_at IS NULL",
    )
    .bind(environment.as_str())
    .bind(recipient)
    .fetch_optional(conn)
    .await?
    .as_ref()
    .map(from_row)
    .transpose()
}

/// Whether the list ever had a key.
pub(crate) async fn is_required(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
) -> Result<bool, sql::Error> {
    sql::query_scalar::<i64>(
        "SELECT EXISTS (SELECT 1 FROM export_recipients WHERE environment = ?)",
    )
    .bind(environment.as_str())
    .fetch_one(conn)
    .await
    .map(|found| found == 1)
}

pub(crate) async fn insert(
    tx: &mut Tx,
    environment: &EnvironmentId,
    one: &ExportRecipient,
) -> Result<(), sql::Error> {
    sql::query(
        "INSERT INTO export_recipients (environment, recipient, name, added_at, usable_at)
         VALUES (?, ?, ?, ?, ?)",
    )
    .bind(environment.as_str())
    .bind(&one.recipient)
    .bind(&one.name)
    .bind(one.added_at.0)
    .bind(one.usable_at.0)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Takes a key off the list.
pub(crate) async fn remove(
    tx: &mut Tx,
    environment: &EnvironmentId,
    recipient: &str,
) -> Result<(), sql::Error> {
    let now = tx.now();
    sql::query(
        "UPDATE export_recipients SET removed_at = ?
         WHERE environment = ? AND recipient = ? AND removed_at IS NULL",
    )
    .bind(now.0)
    .bind(environment.as_str())
    .bind(recipient)
    .execute(tx.conn())
    .await
    .map(drop)
}
