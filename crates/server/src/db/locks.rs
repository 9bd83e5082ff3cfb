//! Locks of generations (custody rules 13 and 14). Only ever added to.

use super::sql::{self, SqliteConnection};
use halfkey_core::{EnvironmentId, Generation, WalletId};

use super::Tx;
use super::columns::signed;

/// Why a generation does not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LockKind {
    /// Proven or repeated suspicion of cheating.
    Locked,
    /// Its OT state may have been used twice.
    NeedsCompleteRefresh,
}

impl LockKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::NeedsCompleteRefresh => "needs_complete_refresh",
        }
    }
}

/// Adds a lock; the first reason stays.
pub(crate) async fn insert(
    tx: &mut Tx,
    environment: &EnvironmentId,
    (wallet, generation): (WalletId, Generation),
    kind: LockKind,
    reason: &str,
) -> Result<bool, sql::Error> {
    let now = tx.now();
    sql::query(
        "INSERT INTO locks (environment, wallet_id, generation, kind, reason, locked_at)
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(signed(generation.0)?)
    .bind(kind.as_str())
    .bind(reason)
    .bind(now.0)
    .execute(tx.conn())
    .await
    .map(|changed| changed == 1)
}

/// Whether anything keeps this generation from signing.
pub(crate) async fn exists(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    (wallet, generation): (WalletId, Generation),
) -> Result<bool, sql::Error> {
    sql::query_scalar::<i64>(
        "SELECT COUNT(*) FROM locks WHERE environment = ? AND wallet_id = ? AND generation = ?",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(signed(generation.0)?)
    .fetch_one(conn)
    .await
    .map(|count| count > 0)
}

/// How many generations of the wallet were locked (custody rule 16).
pub(crate) async fn locked_generations(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    wallet: WalletId,
) -> Result<i64, sql::Error> {
    sql::query_scalar::<i64>(
        "SELECT COUNT(*) FROM locks
         WHERE environment = ? AND wallet_id = ? AND kind = 'locked'",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .fetch_one(conn)
    .await
}

/// Marks every ECDSA wallet's generation: the database was restored (custody rule 14).
pub(crate) async fn after_restore(tx: &mut Tx, reason: &str) -> Result<u64, sql::Error> {
    let now = tx.now();
    sql::query(
        "INSERT INTO locks (environment, wallet_id, generation, kind, reason, locked_at)
         SELECT environment, wallet_id, generation, 'needs_complete_refresh', ?, ?
         FROM wallets WHERE key_type = 'ecdsaSecp256k1' AND state <> 'aborted'
         ON CONFLICT DO NOTHING",
    )
    .bind(reason)
    .bind(now.0)
    .execute(tx.conn())
    .await
}
