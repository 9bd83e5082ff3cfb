//! Accounting of OT ceremonies (custody rule 14).

use super::sql::{self, SqliteConnection};
use halfkey_core::{CeremonyId, DelegationId, EnvironmentId, Generation, WalletId};
use serde::{Deserialize, Serialize};

use super::Tx;
use super::columns::{bytes, signed, text, unsigned};
use super::locks;

/// Which slot: a ceremony under a generation of a wallet. As JSON it stands in the file of
/// suspicions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SlotKey {
    pub(crate) environment: EnvironmentId,
    pub(crate) wallet: WalletId,
    pub(crate) generation: Generation,
    pub(crate) ceremony: CeremonyId,
    /// Whose ceremony it is, where it is a delegate's.
    #[serde(default)]
    pub(crate) delegation: Option<DelegationId>,
}

/// How a ceremony ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlotOutcome {
    /// It yielded a signature that verifies.
    Signed,
    /// A benign refusal.
    Refused,
    /// The peer went silent while this node lived.
    Abandoned,
    /// Proven cheating.
    Failed,
    /// The signature does not verify, with nobody provably at fault.
    Suspect,
}

impl SlotOutcome {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Refused => "refused",
            Self::Abandoned => "abandoned",
            Self::Failed => "failed",
            Self::Suspect => "suspect",
        }
    }
}

/// What became of a wish for a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opened {
    /// It is ours.
    Open,
    /// That ceremony id was used before.
    Used,
    /// As many as allowed are open.
    Full,
    /// The generation is locked.
    Locked,
}

/// Takes a slot, unless the generation is locked, that ceremony id had one before or `cap` are
/// open.
pub(crate) async fn open(
    tx: &mut Tx,
    key: &SlotKey,
    boot: &[u8; 16],
    cap: u64,
) -> Result<Opened, sql::Error> {
    let now = tx.now();
    // One statement for all three conditions: every signature pays for each trip to the database.
    let done = sql::query(
        "INSERT INTO slots (environment, wallet_id, generation, ceremony_id, boot_id, opened_at,
             delegation_id)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?8
         WHERE NOT EXISTS (SELECT 1 FROM locks
                 WHERE environment = ?1 AND wallet_id = ?2 AND generation = ?3)
             AND (SELECT COUNT(*) FROM slots
                 WHERE environment = ?1 AND wallet_id = ?2 AND generation = ?3
                     AND outcome IS NULL) < ?7
         ON CONFLICT DO NOTHING",
    )
    .bind(key.environment.as_str())
    .bind(key.wallet.as_bytes().as_slice())
    .bind(signed(key.generation.0)?)
    .bind(key.ceremony.as_bytes().as_slice())
    .bind(boot.as_slice())
    .bind(now.0)
    .bind(signed(cap)?)
    .bind(key.delegation.map(|id| id.as_bytes().to_vec()))
    .execute(tx.conn())
    .await?;
    if done == 1 {
        return Ok(Opened::Open);
    }
    let subject = (key.wallet, key.generation);
    if locks::exists(tx.conn(), &key.environment, subject).await? {
        return Ok(Opened::Locked);
    }
    let used = sql::query_scalar::<i64>(
        "SELECT COUNT(*) FROM slots
         WHERE environment = ? AND wallet_id = ? AND generation = ? AND ceremony_id = ?",
    )
    .bind(key.environment.as_str())
    .bind(key.wallet.as_bytes().as_slice())
    .bind(signed(key.generation.0)?)
    .bind(key.ceremony.as_bytes().as_slice())
    .fetch_one(tx.conn())
    .await?;
    Ok(if used > 0 { Opened::Used } else { Opened::Full })
}

/// Ends an open slot; the first outcome stays.
pub(crate) async fn close(
    tx: &mut Tx,
    key: &SlotKey,
    outcome: SlotOutcome,
) -> Result<bool, sql::Error> {
    let now = tx.now();
    sql::query(
        "UPDATE slots SET outcome = ?, closed_at = ?
         WHERE environment = ? AND wallet_id = ? AND generation = ? AND ceremony_id = ?
             AND outcome IS NULL",
    )
    .bind(outcome.as_str())
    .bind(now.0)
    .bind(key.environment.as_str())
    .bind(key.wallet.as_bytes().as_slice())
    .bind(signed(key.generation.0)?)
    .bind(key.ceremony.as_bytes().as_slice())
    .execute(tx.conn())
    .await
    .map(|changed| changed == 1)
}

/// Ends an open slot as signed; `false` when there is none, or the generation was locked in the
/// meantime, so that nothing may leave.
pub(crate) async fn close_signed(tx: &mut Tx, key: &SlotKey) -> Result<bool, sql::Error> {
    let now = tx.now();
    sql::query(
        "UPDATE slots SET outcome = 'signed', closed_at = ?5
         WHERE environment = ?1 AND wallet_id = ?2 AND generation = ?3 AND ceremony_id = ?4
             AND outcome IS NULL
             AND NOT EXISTS (SELECT 1 FROM locks
                 WHERE environment = ?1 AND wallet_id = ?2 AND generation = ?3)",
    )
    .bind(key.environment.as_str())
    .bind(key.wallet.as_bytes().as_slice())
    .bind(signed(key.generation.0)?)
    .bind(key.ceremony.as_bytes().as_slice())
    .bind(now.0)
    .execute(tx.conn())
    .await
    .map(|changed| changed == 1)
}

/// How many slots of this generation ended as `suspect`.
pub(crate) async fn suspects(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    (wallet, generation): (WalletId, Generation),
) -> Result<u64, sql::Error> {
    sql::query_scalar::<i64>(
        "SELECT COUNT(*) FROM slots
         WHERE environment = ? AND wallet_id = ? AND generation = ? AND outcome = 'suspect'",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(signed(generation.0)?)
    .fetch_one(conn)
    .await
    .map(|count| u64::try_from(count).unwrap_or(u64::MAX))
}

/// The delegates whose ceremonies count against this generation (custody rule 16).
pub(crate) async fn delegations_at_fault(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    (wallet, generation): (WalletId, Generation),
) -> Result<Vec<DelegationId>, sql::Error> {
    sql::query(
        "SELECT DISTINCT delegation_id FROM slots
         WHERE environment = ? AND wallet_id = ? AND generation = ?
             AND outcome IN ('failed', 'suspect') AND delegation_id IS NOT NULL
         ORDER BY delegation_id",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(signed(generation.0)?)
    .fetch_all(conn)
    .await?
    .iter()
    .map(|row| Ok(DelegationId::from_bytes(bytes(row, "delegation_id")?)))
    .collect()
}

/// Slots whose owning boot died without an outcome are `lost`. Only right while no other process
/// serves this database.
pub(crate) async fn settle_lost(tx: &mut Tx, boot: &[u8; 16]) -> Result<u64, sql::Error> {
    let now = tx.now();
    sql::query(
        "UPDATE slots SET outcome = 'lost', closed_at = ? WHERE outcome IS NULL AND boot_id <> ?",
    )
    .bind(now.0)
    .bind(boot.as_slice())
    .execute(tx.conn())
    .await
}

/// Generations with at least `at_least` lost slots, and how many.
pub(crate) async fn lost_at_least(
    conn: &mut SqliteConnection,
    at_least: u64,
) -> Result<Vec<(EnvironmentId, WalletId, Generation, u64)>, sql::Error> {
    sql::query(
        "SELECT environment, wallet_id, generation, COUNT(*) AS lost FROM slots
         WHERE outcome = 'lost' GROUP BY environment, wallet_id, generation HAVING COUNT(*) >= ?",
    )
    .bind(signed(at_least)?)
    .fetch_all(conn)
    .await?
    .iter()
    .map(|row| {
        Ok((
            text(row, "environment")?,
            WalletId::from_bytes(bytes(row, "wallet_id")?),
            Generation(unsigned(row, "generation")?),
            u64::try_from(row.try_get::<i64>("lost")?).unwrap_or(u64::MAX),
        ))
    })
    .collect()
}
