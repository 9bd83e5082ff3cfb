//! Leave of the provider's operator to fall back to an earlier generation (custody rule 11).

use super::sql::{self, SqliteConnection};
use halfkey_core::{AttemptId, EnvironmentId, Generation, UnixMillis, WalletId};

use super::Tx;
use super::columns::signed;

/// Lets the wallet fall back to the generation, once, until `expires_at`.
pub(crate) async fn approve(
    tx: &mut Tx,
    environment: &EnvironmentId,
    (wallet, generation, attempt): (WalletId, Generation, AttemptId),
    reason: &str,
    expires_at: UnixMillis,
) -> Result<(), sql::Error> {
    let now = tx.now();
    sql::query(
        "INSERT INTO recoveries (environment, wallet_id, generation, attempt_id, reason,
             approved_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(signed(generation.0)?)
    .bind(attempt.as_bytes().as_slice())
    .bind(reason)
    .bind(now.0)
    .bind(expires_at.0)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Whether the wallet may fall back to the generation now.
pub(crate) async fn is_approved(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    (wallet, attempt): (WalletId, AttemptId),
    now: UnixMillis,
) -> Result<bool, sql::Error> {
    sql::query_scalar::<i64>(
        "SELECT COUNT(*) FROM recoveries WHERE environment = ? AND wallet_id = ?
             AND attempt_id = ? AND used_at IS NULL AND expires_at > ?",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(attempt.as_bytes().as_slice())
    .bind(now.0)
    .fetch_one(conn)
    .await
    .map(|count| count > 0)
}

/// The wallet has fallen back: every open leave of it is used up.
pub(crate) async fn use_up(
    tx: &mut Tx,
    environment: &EnvironmentId,
    wallet: WalletId,
) -> Result<(), sql::Error> {
    let now = tx.now();
    sql::query(
        "UPDATE recoveries SET used_at = ?
         WHERE environment = ? AND wallet_id = ? AND used_at IS NULL",
    )
    .bind(now.0)
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .execute(tx.conn())
    .await
    .map(drop)
}
