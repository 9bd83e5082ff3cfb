//! Exports that were made: each id once.

use super::sql::{self, SqliteConnection};
use halfkey_core::{AttemptId, EnvironmentId, WalletId};

use super::Tx;

/// Whether an export with this id was made.
pub(crate) async fn is_made(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    export: AttemptId,
) -> Result<bool, sql::Error> {
    sql::query_scalar::<i64>("SELECT COUNT(*) FROM exports WHERE environment = ? AND export_id = ?")
        .bind(environment.as_str())
        .bind(export.as_bytes().as_slice())
        .fetch_one(conn)
        .await
        .map(|count| count > 0)
}

/// Notes an export; `false` when its id was used before.
pub(crate) async fn insert(
    tx: &mut Tx,
    environment: &EnvironmentId,
    (wallet, export): (WalletId, AttemptId),
    recipient: Option<&str>,
) -> Result<bool, sql::Error> {
    let now = tx.now();
    sql::query(
        "INSERT INTO exports (environment, export_id, wallet_id, exported_at, recipient)
         VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(environment.as_str())
    .bind(export.as_bytes().as_slice())
    .bind(wallet.as_bytes().as_slice())
    .bind(now.0)
    .bind(recipient)
    .execute(tx.conn())
    .await
    .map(|changed| changed == 1)
}
