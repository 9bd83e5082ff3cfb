//! Environments: the tenants.

use super::sql::{self, SqliteConnection};
use halfkey_core::EnvironmentId;

use super::Tx;
use super::columns::{bytes, text};

/// One environment.
#[derive(Debug, Clone)]
pub(crate) struct EnvironmentRow {
    pub(crate) environment: EnvironmentId,
    /// The public half of its identity key.
    pub(crate) identity_key: [u8; 32],
}

pub(crate) async fn insert(
    tx: &mut Tx,
    row: &EnvironmentRow,
    name: &str,
) -> Result<(), sql::Error> {
    let now = tx.now();
    sql::query(
        "INSERT INTO environments (environment, name, identity_key, created_at)
         VALUES (?, ?, ?, ?)",
    )
    .bind(row.environment.as_str())
    .bind(name)
    .bind(row.identity_key.as_slice())
    .bind(now.0)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Every environment, oldest first.
pub(crate) async fn all(conn: &mut SqliteConnection) -> Result<Vec<EnvironmentRow>, sql::Error> {
    sql::query("SELECT environment, identity_key FROM environments ORDER BY ordinal")
        .fetch_all(conn)
        .await?
        .iter()
        .map(|row| {
            Ok(EnvironmentRow {
                environment: text(row, "environment")?,
                identity_key: bytes(row, "identity_key")?,
            })
        })
        .collect()
}

/// What the environment is called.
pub(crate) async fn name(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
) -> Result<String, sql::Error> {
    sql::query_scalar("SELECT name FROM environments WHERE environment = ?")
        .bind(environment.as_str())
        .fetch_one(conn)
        .await
}
