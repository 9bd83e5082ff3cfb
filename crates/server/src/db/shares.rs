//! The provider's shares, sealed.

use super::sql::{self, SqliteConnection};
use halfkey_core::{AttemptId, EnvironmentId, Generation, WalletId};

use super::Tx;
use super::columns::signed;

pub(crate) async fn insert(
    tx: &mut Tx,
    environment: &EnvironmentId,
    wallet: WalletId,
    (generation, attempt): (Generation, AttemptId),
    sealed: &[u8],
) -> Result<(), sql::Error> {
    let now = tx.now();
    sql::query(
        "INSERT INTO shares (environment, wallet_id, attempt_id, generation, sealed, created_at)
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(attempt.as_bytes().as_slice())
    .bind(signed(generation.0)?)
    .bind(sealed)
    .bind(now.0)
    .execute(tx.conn())
    .await
    .map(drop)
}

pub(crate) async fn sealed(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    wallet: WalletId,
    attempt: AttemptId,
) -> Result<Option<Vec<u8>>, sql::Error> {
    sql::query_scalar(
        "SELECT sealed FROM shares WHERE environment = ? AND wallet_id = ? AND attempt_id = ?",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(attempt.as_bytes().as_slice())
    .fetch_optional(conn)
    .await
}
