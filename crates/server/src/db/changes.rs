//! Changes of a wallet's shares that are staged, and the generations they ended (custody rules 6, 9
//! and 10).

use super::sql::{self, SqliteConnection, SqliteRow};
use halfkey_core::wire::ChangeOperation;
use halfkey_core::{
    AttemptId, CustodyOrigin, EnvironmentId, Generation, KeyShareId, ShareSetId,
    ThresholdSignatureScheme, WalletId,
};

use super::Tx;
use super::columns::{bad_cell, bytes, optional_unsigned, signed, text, unsigned};
use super::wallets::WalletRow;

/// What an attempt would make of its wallet.
#[derive(Debug, Clone)]
pub(crate) struct StagedChange {
    pub(crate) operation: ChangeOperation,
    pub(crate) wallet: WalletId,
    pub(crate) attempt: AttemptId,
    pub(crate) generation: Generation,
    /// What it follows.
    pub(crate) from: (Generation, AttemptId),
    pub(crate) scheme: ThresholdSignatureScheme,
    pub(crate) share_set: ShareSetId,
    pub(crate) key_share: KeyShareId,
    pub(crate) custody_origin: CustodyOrigin,
    pub(crate) compromised: bool,
    /// How far back the customer's half can be restored, in milliseconds, if it said so.
    pub(crate) horizon_ms: Option<u64>,
}

impl StagedChange {
    /// The wallet as it would be under the new generation, its locks aside.
    pub(crate) fn applied_to(&self, wallet: &WalletRow) -> WalletRow {
        WalletRow {
            scheme: self.scheme,
            share_set: self.share_set,
            key_share: self.key_share,
            custody_origin: self.custody_origin,
            generation: self.generation,
            attempt: self.attempt,
            horizon_ms: self.horizon_ms.or(wallet.horizon_ms),
            locked: None,
            refresh_needed: None,
            ..wallet.clone()
        }
    }
}

fn operation_from(text: &str) -> Result<ChangeOperation, sql::Error> {
    [
        ChangeOperation::Refresh,
        ChangeOperation::Reshare,
        ChangeOperation::ReplaceShare,
    ]
    .into_iter()
    .find(|operation| operation.as_str() == text)
    .ok_or_else(|| bad_cell("operation"))
}

fn from_row(row: &SqliteRow) -> Result<StagedChange, sql::Error> {
    let bits =
        u8::try_from(unsigned(row, "custody_origin")?).map_err(|_| bad_cell("custody_origin"))?;
    Ok(StagedChange {
        operation: operation_from(row.try_get("operation")?)?,
        wallet: WalletId::from_bytes(bytes(row, "wallet_id")?),
        attempt: AttemptId::from_bytes(bytes(row, "attempt_id")?),
        generation: Generation(unsigned(row, "generation")?),
        from: (
            Generation(unsigned(row, "from_generation")?),
            AttemptId::from_bytes(bytes(row, "from_attempt_id")?),
        ),
        scheme: text(row, "scheme")?,
        share_set: ShareSetId::from_bytes(bytes(row, "share_set_id")?),
        key_share: KeyShareId::from_bytes(bytes(row, "key_share_id")?),
        custody_origin: CustodyOrigin::from_bits(bits).map_err(|_| bad_cell("custody_origin"))?,
        compromised: unsigned(row, "compromised")? == 1,
        horizon_ms: optional_unsigned(row, "customer_horizon_ms")?,
    })
}

pub(crate) async fn by_attempt(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    attempt: AttemptId,
) -> Result<Option<StagedChange>, sql::Error> {
    sql::query("SELECT * FROM staged_changes WHERE environment = ? AND attempt_id = ?")
        .bind(environment.as_str())
        .bind(attempt.as_bytes().as_slice())
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(from_row)
        .transpose()
}

/// Beside the attempt's own row, in the transaction that stores the share.
pub(crate) async fn insert(
    tx: &mut Tx,
    environment: &EnvironmentId,
    change: &StagedChange,
) -> Result<(), sql::Error> {
    sql::query(
        "INSERT INTO staged_changes (environment, attempt_id, wallet_id, operation, generation,
             from_generation, from_attempt_id, scheme, share_set_id, key_share_id, custody_origin,
             compromised, customer_horizon_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(environment.as_str())
    .bind(change.attempt.as_bytes().as_slice())
    .bind(change.wallet.as_bytes().as_slice())
    .bind(change.operation.as_str())
    .bind(signed(change.generation.0)?)
    .bind(signed(change.from.0.0)?)
    .bind(change.from.1.as_bytes().as_slice())
    .bind(change.scheme.as_str())
    .bind(change.share_set.as_bytes().as_slice())
    .bind(change.key_share.as_bytes().as_slice())
    .bind(i64::from(change.custody_origin.to_bits()))
    .bind(i64::from(change.compromised))
    .bind(change.horizon_ms.map(signed).transpose()?)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// The highest number any attempt of the wallet ever had: the next one is above it (custody rule
/// 11).
pub(crate) async fn high_water(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    wallet: WalletId,
) -> Result<Generation, sql::Error> {
    let row = sql::query(
        "SELECT MAX(generation) AS generation FROM attempts
         WHERE environment = ? AND wallet_id = ?",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .fetch_one(conn)
    .await?;
    Ok(Generation(unsigned(&row, "generation")?))
}

/// The staged generation becomes the wallet's active one: a compare-and-set on what it follows.
/// `false` when that is no longer active.
pub(crate) async fn apply(
    tx: &mut Tx,
    environment: &EnvironmentId,
    change: &StagedChange,
) -> Result<bool, sql::Error> {
    sql::query(
        "UPDATE wallets SET generation = ?, attempt_id = ?, scheme = ?, share_set_id = ?,
             key_share_id = ?, custody_origin = ?, proof = 'proven',
             customer_horizon_ms = COALESCE(?, customer_horizon_ms)
         WHERE environment = ? AND wallet_id = ? AND state = 'active'
             AND generation = ? AND attempt_id = ?",
    )
    .bind(signed(change.generation.0)?)
    .bind(change.attempt.as_bytes().as_slice())
    .bind(change.scheme.as_str())
    .bind(change.share_set.as_bytes().as_slice())
    .bind(change.key_share.as_bytes().as_slice())
    .bind(i64::from(change.custody_origin.to_bits()))
    .bind(change.horizon_ms.map(signed).transpose()?)
    .bind(environment.as_str())
    .bind(change.wallet.as_bytes().as_slice())
    .bind(signed(change.from.0.0)?)
    .bind(change.from.1.as_bytes().as_slice())
    .execute(tx.conn())
    .await
    .map(|changed| changed == 1)
}
