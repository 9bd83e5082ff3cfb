//! Generations that were active once: kept for the customer's horizon, burnt, or shredded at its
//! end (custody rules 9 and 10).

use super::sql::{self, SqliteConnection, SqliteRow};
use halfkey_core::{
    AttemptId, CustodyOrigin, EnvironmentId, Generation, KeyShareId, ShareSetId,
    ThresholdSignatureScheme, UnixMillis, WalletId,
};

use super::Tx;
use super::columns::{bad_cell, bytes, signed, text, unsigned};
use super::wallets::WalletRow;

/// A generation that has ended.
#[derive(Debug, Clone)]
pub(crate) struct EndedGeneration {
    pub(crate) generation: Generation,
    pub(crate) attempt: AttemptId,
    scheme: ThresholdSignatureScheme,
    share_set: ShareSetId,
    key_share: KeyShareId,
    custody_origin: CustodyOrigin,
    /// It must never be used again.
    pub(crate) burnt: bool,
    /// Its shares are gone since the end of the horizon.
    pub(crate) shredded: bool,
}

impl EndedGeneration {
    /// The wallet as it was, and would be, under this generation; its locks aside.
    pub(crate) fn applied_to(&self, wallet: &WalletRow) -> WalletRow {
        WalletRow {
            scheme: self.scheme,
            share_set: self.share_set,
            key_share: self.key_share,
            custody_origin: self.custody_origin,
            generation: self.generation,
            attempt: self.attempt,
            locked: None,
            refresh_needed: None,
            ..wallet.clone()
        }
    }
}

fn from_row(row: &SqliteRow) -> Result<EndedGeneration, sql::Error> {
    let bits =
        u8::try_from(unsigned(row, "custody_origin")?).map_err(|_| bad_cell("custody_origin"))?;
    let state: &str = row.try_get("state")?;
    let shredded_at: Option<i64> = row.try_get("shredded_at")?;
    Ok(EndedGeneration {
        generation: Generation(unsigned(row, "generation")?),
        attempt: AttemptId::from_bytes(bytes(row, "attempt_id")?),
        scheme: text(row, "scheme")?,
        share_set: ShareSetId::from_bytes(bytes(row, "share_set_id")?),
        key_share: KeyShareId::from_bytes(bytes(row, "key_share_id")?),
        custody_origin: CustodyOrigin::from_bits(bits).map_err(|_| bad_cell("custody_origin"))?,
        burnt: state == "burnt",
        shredded: shredded_at.is_some(),
    })
}

/// A generation of the wallet that has ended; `None` for one that never was active.
pub(crate) async fn ended(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    (wallet, generation): (WalletId, Generation),
) -> Result<Option<EndedGeneration>, sql::Error> {
    sql::query(
        "SELECT * FROM generations WHERE environment = ? AND wallet_id = ? AND generation = ?",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(signed(generation.0)?)
    .fetch_optional(conn)
    .await?
    .as_ref()
    .map(from_row)
    .transpose()
}

/// How many generations of the wallet are kept for the customer's horizon.
pub(crate) async fn kept(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    wallet: WalletId,
) -> Result<u64, sql::Error> {
    let row = sql::query(
        "SELECT COUNT(*) AS kept FROM generations WHERE environment = ? AND wallet_id = ?
             AND state = 'retired' AND shredded_at IS NULL",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .fetch_one(conn)
    .await?;
    unsigned(&row, "kept")
}

/// Keeps the history of the generation that `wallet` was at. One that a recovery had made active
/// again ends anew, and its horizon counts from now.
pub(crate) async fn end(
    tx: &mut Tx,
    environment: &EnvironmentId,
    wallet: &WalletRow,
    burnt: bool,
) -> Result<(), sql::Error> {
    let now = tx.now();
    sql::query(
        "INSERT INTO generations (environment, wallet_id, generation, attempt_id, scheme,
             share_set_id, key_share_id, custody_origin, state, ended_at, customer_horizon_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (environment, wallet_id, generation) DO UPDATE SET state = excluded.state,
             ended_at = excluded.ended_at, customer_horizon_ms = excluded.customer_horizon_ms",
    )
    .bind(environment.as_str())
    .bind(wallet.wallet.as_bytes().as_slice())
    .bind(signed(wallet.generation.0)?)
    .bind(wallet.attempt.as_bytes().as_slice())
    .bind(wallet.scheme.as_str())
    .bind(wallet.share_set.as_bytes().as_slice())
    .bind(wallet.key_share.as_bytes().as_slice())
    .bind(i64::from(wallet.custody_origin.to_bits()))
    .bind(if burnt { "burnt" } else { "retired" })
    .bind(now.0)
    .bind(wallet.horizon_ms.map(signed).transpose()?)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// An ended generation becomes the wallet's active one again: a compare-and-set on what `wallet` is
/// at now. `false` when that is no longer active.
pub(crate) async fn reactivate(
    tx: &mut Tx,
    environment: &EnvironmentId,
    wallet: &WalletRow,
    ended: &EndedGeneration,
) -> Result<bool, sql::Error> {
    sql::query(
        "UPDATE wallets SET generation = ?, attempt_id = ?, scheme = ?, share_set_id = ?,
             key_share_id = ?, custody_origin = ?
         WHERE environment = ? AND wallet_id = ? AND state = 'active'
             AND generation = ? AND attempt_id = ?",
    )
    .bind(signed(ended.generation.0)?)
    .bind(ended.attempt.as_bytes().as_slice())
    .bind(ended.scheme.as_str())
    .bind(ended.share_set.as_bytes().as_slice())
    .bind(ended.key_share.as_bytes().as_slice())
    .bind(i64::from(ended.custody_origin.to_bits()))
    .bind(environment.as_str())
    .bind(wallet.wallet.as_bytes().as_slice())
    .bind(signed(wallet.generation.0)?)
    .bind(wallet.attempt.as_bytes().as_slice())
    .execute(tx.conn())
    .await
    .map(|changed| changed == 1)
}

/// Burns every generation of the wallet that was ended, and shreds the provider's shares of all
/// but the active attempt (custody rule 10). Returns how many shares went.
pub(crate) async fn shred_ended(
    tx: &mut Tx,
    environment: &EnvironmentId,
    wallet: WalletId,
    active: AttemptId,
) -> Result<u64, sql::Error> {
    sql::query(
        "UPDATE generations SET state = 'burnt'
         WHERE environment = ? AND wallet_id = ? AND state = 'retired' AND attempt_id <> ?",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(active.as_bytes().as_slice())
    .execute(tx.conn())
    .await?;
    sql::query("DELETE FROM shares WHERE environment = ? AND wallet_id = ? AND attempt_id <> ?")
        .bind(environment.as_str())
        .bind(wallet.as_bytes().as_slice())
        .bind(active.as_bytes().as_slice())
        .execute(tx.conn())
        .await
}

/// The same for the generations of which a delegate had a share that was taken back since, whether
/// they were the active one then or had ended before (custody rule 31).
pub(crate) async fn shred_taken_back(
    tx: &mut Tx,
    environment: &EnvironmentId,
    wallet: WalletId,
    active: AttemptId,
) -> Result<u64, sql::Error> {
    sql::query(
        "UPDATE generations SET state = 'burnt'
         WHERE environment = ? AND wallet_id = ? AND state = 'retired' AND attempt_id IN
             (SELECT attempt_id FROM delegations
              WHERE environment = ? AND wallet_id = ? AND revoked_at IS NOT NULL)",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .execute(tx.conn())
    .await?;
    sql::query(
        "DELETE FROM shares
         WHERE environment = ? AND wallet_id = ? AND attempt_id <> ? AND attempt_id IN
             (SELECT attempt_id FROM delegations
              WHERE environment = ? AND wallet_id = ? AND revoked_at IS NOT NULL)",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(active.as_bytes().as_slice())
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .execute(tx.conn())
    .await
}

/// A retired generation that no copy of the customer's half can need any more.
#[derive(Debug, Clone)]
pub(crate) struct Due {
    pub(crate) environment: EnvironmentId,
    pub(crate) wallet: WalletId,
    pub(crate) generation: Generation,
    pub(crate) attempt: AttemptId,
    pub(crate) ended_at: UnixMillis,
    pub(crate) horizon_ms: u64,
}

/// The oldest of them, up to `limit`. The longer of the horizons counts: of the one in force when
/// the generation ended and of the one told last. A wallet whose customer never told one has none,
/// and the active generation is never among them, not even after a recovery.
pub(crate) async fn due(
    conn: &mut SqliteConnection,
    now: UnixMillis,
    limit: u32,
) -> Result<Vec<Due>, sql::Error> {
    sql::query(
        "SELECT g.environment, g.wallet_id, g.generation, g.attempt_id, g.ended_at,
             MAX(COALESCE(g.customer_horizon_ms, w.customer_horizon_ms), w.customer_horizon_ms)
                 AS horizon_ms
         FROM generations g JOIN wallets w
             ON w.environment = g.environment AND w.wallet_id = g.wallet_id
         WHERE g.state = 'retired' AND g.shredded_at IS NULL AND g.attempt_id <> w.attempt_id
             AND w.customer_horizon_ms IS NOT NULL
             AND g.ended_at < ?1 - MAX(COALESCE(g.customer_horizon_ms, w.customer_horizon_ms),
                 w.customer_horizon_ms)
         ORDER BY g.ended_at LIMIT ?2",
    )
    .bind(now.0)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?
    .iter()
    .map(|row| {
        Ok(Due {
            environment: text(row, "environment")?,
            wallet: WalletId::from_bytes(bytes(row, "wallet_id")?),
            generation: Generation(unsigned(row, "generation")?),
            attempt: AttemptId::from_bytes(bytes(row, "attempt_id")?),
            ended_at: UnixMillis(row.try_get("ended_at")?),
            horizon_ms: unsigned(row, "horizon_ms")?,
        })
    })
    .collect()
}

/// Shreds the share of one of them, for ever.
pub(crate) async fn shred(tx: &mut Tx, due: &Due) -> Result<(), sql::Error> {
    let now = tx.now();
    sql::query(
        "UPDATE generations SET shredded_at = ?
         WHERE environment = ? AND wallet_id = ? AND generation = ? AND shredded_at IS NULL",
    )
    .bind(now.0)
    .bind(due.environment.as_str())
    .bind(due.wallet.as_bytes().as_slice())
    .bind(signed(due.generation.0)?)
    .execute(tx.conn())
    .await?;
    sql::query("DELETE FROM shares WHERE environment = ? AND wallet_id = ? AND attempt_id = ?")
        .bind(due.environment.as_str())
        .bind(due.wallet.as_bytes().as_slice())
        .bind(due.attempt.as_bytes().as_slice())
        .execute(tx.conn())
        .await
        .map(drop)
}
