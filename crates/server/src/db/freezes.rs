//! What is frozen (custody rule 28).

use super::sql::{self, SqliteConnection, SqliteRow};
use halfkey_core::wire::Freeze;
use halfkey_core::{EnvironmentId, UnixMillis, WalletId};

use super::Tx;
use super::columns::bad_cell;

fn from_row(row: &SqliteRow) -> Result<Freeze, sql::Error> {
    let wallet: Vec<u8> = row.try_get("wallet_id")?;
    let wallet_id = if wallet.is_empty() {
        None
    } else {
        let bytes = <[u8; 16]>::try_from(wallet).map_err(|_| bad_cell("wallet_id"))?;
        Some(WalletId::from_bytes(bytes))
    };
    Ok(Freeze {
        wallet_id,
        reason: row.try_get("reason")?,
        frozen_at: UnixMillis(row.try_get("frozen_at")?),
    })
}

fn key(wallet: Option<&WalletId>) -> &[u8] {
    wallet.map_or(&[], |wallet| wallet.as_bytes())
}

/// The freezes that hold, oldest first.
pub(crate) async fn all(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
) -> Result<Vec<Freeze>, sql::Error> {
    sql::query("SELECT * FROM freezes WHERE environment = ? AND ended_at IS NULL ORDER BY ordinal")
        .bind(environment.as_str())
        .fetch_all(conn)
        .await?
        .iter()
        .map(from_row)
        .collect()
}

/// The freeze of exactly this, if it holds.
pub(crate) async fn of(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    wallet: Option<&WalletId>,
) -> Result<Option<Freeze>, sql::Error> {
    sql::query("SELECT * FROM freezes WHERE environment = ? AND wallet_id = ? AND ended_at IS NULL")
        .bind(environment.as_str())
        .bind(key(wallet))
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(from_row)
        .transpose()
}

/// Whether the environment, or the wallet, is frozen.
pub(crate) async fn holds(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    wallet: Option<&WalletId>,
) -> Result<bool, sql::Error> {
    sql::query_scalar::<i64>(
        "SELECT EXISTS (SELECT 1 FROM freezes
         WHERE environment = ? AND wallet_id IN (x'', ?) AND ended_at IS NULL)",
    )
    .bind(environment.as_str())
    .bind(key(wallet))
    .fetch_one(conn)
    .await
    .map(|found| found == 1)
}

pub(crate) async fn insert(
    tx: &mut Tx,
    environment: &EnvironmentId,
    freeze: &Freeze,
) -> Result<(), sql::Error> {
    sql::query(
        "INSERT INTO freezes (environment, wallet_id, reason, frozen_at) VALUES (?, ?, ?, ?)",
    )
    .bind(environment.as_str())
    .bind(key(freeze.wallet_id.as_ref()))
    .bind(&freeze.reason)
    .bind(freeze.frozen_at.0)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Ends the freeze of exactly this.
pub(crate) async fn end(
    tx: &mut Tx,
    environment: &EnvironmentId,
    wallet: Option<&WalletId>,
) -> Result<(), sql::Error> {
    let now = tx.now();
    sql::query(
        "UPDATE freezes SET ended_at = ?
         WHERE environment = ? AND wallet_id = ? AND ended_at IS NULL",
    )
    .bind(now.0)
    .bind(environment.as_str())
    .bind(key(wallet))
    .execute(tx.conn())
    .await
    .map(drop)
}
