//! The public keys of delegates.

use super::sql::{self, SqliteConnection, SqliteRow};
use halfkey_core::{EnvironmentId, UnixMillis};

use super::Tx;

/// One key.
#[derive(Debug, Clone)]
pub(crate) struct DelegationKeyRow {
    pub(crate) kid: String,
    /// PEM.
    pub(crate) public_key: String,
    pub(crate) fingerprint: String,
    pub(crate) created_at: UnixMillis,
    pub(crate) updated_at: UnixMillis,
    pub(crate) revoked_at: Option<UnixMillis>,
}

fn from_row(row: &SqliteRow) -> Result<DelegationKeyRow, sql::Error> {
    let revoked_at: Option<i64> = row.try_get("revoked_at")?;
    Ok(DelegationKeyRow {
        kid: row.try_get("kid")?,
        public_key: row.try_get("public_key")?,
        fingerprint: row.try_get("fingerprint")?,
        created_at: UnixMillis(row.try_get("created_at")?),
        updated_at: UnixMillis(row.try_get("updated_at")?),
        revoked_at: revoked_at.map(UnixMillis),
    })
}

/// Every key of the environment, newest first.
pub(crate) async fn all(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
) -> Result<Vec<DelegationKeyRow>, sql::Error> {
    sql::query("SELECT * FROM delegation_keys WHERE environment = ? ORDER BY ordinal DESC")
        .bind(environment.as_str())
        .fetch_all(conn)
        .await?
        .iter()
        .map(from_row)
        .collect()
}

pub(crate) async fn by_kid(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    kid: &str,
) -> Result<Option<DelegationKeyRow>, sql::Error> {
    sql::query("SELECT * FROM delegation_keys WHERE environment = ? AND kid = ?")
        .bind(environment.as_str())
        .bind(kid)
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(from_row)
        .transpose()
}

/// Registers a key; `false` when it was registered before.
pub(crate) async fn insert(
    tx: &mut Tx,
    environment: &EnvironmentId,
    key: &DelegationKeyRow,
) -> Result<bool, sql::Error> {
    sql::query(
        "INSERT INTO delegation_keys (environment, kid, public_key, fingerprint, created_at,
             updated_at)
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(environment.as_str())
    .bind(&key.kid)
    .bind(&key.public_key)
    .bind(&key.fingerprint)
    .bind(key.created_at.0)
    .bind(key.updated_at.0)
    .execute(tx.conn())
    .await
    .map(|changed| changed == 1)
}

/// Nothing more is encrypted for the key; `false` when that held before.
pub(crate) async fn revoke(
    tx: &mut Tx,
    environment: &EnvironmentId,
    kid: &str,
) -> Result<bool, sql::Error> {
    let now = tx.now();
    sql::query(
        "UPDATE delegation_keys SET revoked_at = ?, updated_at = ?
         WHERE environment = ? AND kid = ? AND revoked_at IS NULL",
    )
    .bind(now.0)
    .bind(now.0)
    .bind(environment.as_str())
    .bind(kid)
    .execute(tx.conn())
    .await
    .map(|changed| changed == 1)
}
