//! Idempotency rows (custody rule 26): never ceremony bytes, shares or masks.

use super::sql::{self, SqliteConnection};
use halfkey_core::{AttemptId, EnvironmentId, UnixMillis};

use super::Tx;
use super::columns::bytes;
use crate::ids::TokenId;

/// Whose key it is, and for which route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdempotencyKey {
    pub(crate) environment: EnvironmentId,
    pub(crate) subject: TokenId,
    /// The operation's name, plus what stands in its path.
    pub(crate) route: String,
    pub(crate) key: String,
}

/// What the first request under a key was.
#[derive(Debug, Clone)]
pub(crate) struct IdempotencyRow {
    pub(crate) body_hash: [u8; 32],
    /// Zeros for a route that makes none.
    pub(crate) attempt: AttemptId,
    pub(crate) outcome: Option<String>,
}

pub(crate) async fn find(
    conn: &mut SqliteConnection,
    key: &IdempotencyKey,
) -> Result<Option<IdempotencyRow>, sql::Error> {
    let row = sql::query(
        "SELECT body_hash, attempt_id, outcome FROM idempotency
         WHERE environment = ? AND subject = ? AND route = ? AND key = ?",
    )
    .bind(key.environment.as_str())
    .bind(key.subject.as_bytes().as_slice())
    .bind(&key.route)
    .bind(&key.key)
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(IdempotencyRow {
            body_hash: bytes(&row, "body_hash")?,
            attempt: AttemptId::from_bytes(bytes(&row, "attempt_id")?),
            outcome: row.try_get("outcome")?,
        })
    })
    .transpose()
}

/// Forgets the rows of this subject's route from before `before`: what they stand for is over.
pub(crate) async fn forget(
    tx: &mut Tx,
    key: &IdempotencyKey,
    before: UnixMillis,
) -> Result<(), sql::Error> {
    sql::query(
        "DELETE FROM idempotency
         WHERE environment = ? AND subject = ? AND route = ? AND created_at < ?",
    )
    .bind(key.environment.as_str())
    .bind(key.subject.as_bytes().as_slice())
    .bind(&key.route)
    .bind(before.0)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Writes the row, or moves it on to a new attempt or outcome.
pub(crate) async fn put(
    tx: &mut Tx,
    key: &IdempotencyKey,
    row: &IdempotencyRow,
) -> Result<(), sql::Error> {
    let now = tx.now();
    sql::query(
        "INSERT INTO idempotency (environment, subject, route, key, body_hash, attempt_id,
             outcome, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (environment, subject, route, key) DO UPDATE
         SET attempt_id = excluded.attempt_id, outcome = excluded.outcome",
    )
    .bind(key.environment.as_str())
    .bind(key.subject.as_bytes().as_slice())
    .bind(&key.route)
    .bind(&key.key)
    .bind(row.body_hash.as_slice())
    .bind(row.attempt.as_bytes().as_slice())
    .bind(&row.outcome)
    .bind(now.0)
    .execute(tx.conn())
    .await
    .map(drop)
}
