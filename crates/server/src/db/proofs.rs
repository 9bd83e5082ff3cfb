//! Which pairs have proven an attempt (custody rules 3 and 7).

use super::sql::{self, SqliteConnection};
use halfkey_core::proof_message::ProofOperation;
use halfkey_core::{AttemptId, EnvironmentId, PartyIndex, UnixMillis, WalletId};

use super::Tx;
use super::columns::{bad_cell, unsigned};

/// Records that `party` and the provider signed the proof message; a repeat changes nothing.
pub(crate) async fn insert(
    tx: &mut Tx,
    environment: &EnvironmentId,
    (wallet, attempt): (WalletId, AttemptId),
    party: PartyIndex,
    operation: ProofOperation,
    signature_hash: Option<[u8; 32]>,
) -> Result<(), sql::Error> {
    let now = tx.now();
    sql::query(
        "INSERT INTO proofs (environment, wallet_id, attempt_id, party, operation, proven_at,
             signature_hash)
         VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(attempt.as_bytes().as_slice())
    .bind(i64::from(party.as_u8()))
    .bind(operation.as_str())
    .bind(now.0)
    .bind(signature_hash.map(Vec::from))
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Whether `party` and the provider have proven this attempt for `operation`.
pub(crate) async fn has(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    (wallet, attempt): (WalletId, AttemptId),
    party: PartyIndex,
    operation: ProofOperation,
) -> Result<bool, sql::Error> {
    sql::query_scalar::<i64>(
        "SELECT COUNT(*) FROM proofs WHERE environment = ? AND wallet_id = ? AND attempt_id = ?
             AND party = ? AND operation = ?",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(attempt.as_bytes().as_slice())
    .bind(i64::from(party.as_u8()))
    .bind(operation.as_str())
    .fetch_one(conn)
    .await
    .map(|count| count == 1)
}

/// Whether any customer party has proven `operation` for this attempt at `since` or later.
pub(crate) async fn has_fresh(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    (wallet, attempt): (WalletId, AttemptId),
    operation: ProofOperation,
    since: UnixMillis,
) -> Result<bool, sql::Error> {
    sql::query_scalar::<i64>(
        "SELECT COUNT(*) FROM proofs WHERE environment = ? AND wallet_id = ? AND attempt_id = ?
             AND operation = ? AND proven_at >= ?",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(attempt.as_bytes().as_slice())
    .bind(operation.as_str())
    .bind(since.0)
    .fetch_one(conn)
    .await
    .map(|count| count > 0)
}

/// The customer party that has proven `operation` for this attempt at `since` or later; the lowest
/// where several have.
pub(crate) async fn fresh_party(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    (wallet, attempt): (WalletId, AttemptId),
    operation: ProofOperation,
    since: UnixMillis,
) -> Result<Option<PartyIndex>, sql::Error> {
    sql::query(
        "SELECT party FROM proofs WHERE environment = ? AND wallet_id = ? AND attempt_id = ?
             AND operation = ? AND proven_at >= ? ORDER BY party LIMIT 1",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(attempt.as_bytes().as_slice())
    .bind(operation.as_str())
    .bind(since.0)
    .fetch_optional(conn)
    .await?
    .map(|row| {
        u8::try_from(unsigned(&row, "party")?)
            .ok()
            .and_then(|party| PartyIndex::try_from(party).ok())
            .ok_or_else(|| bad_cell("party"))
    })
    .transpose()
}

/// Whether the provider was sent this signature for this attempt before.
pub(crate) async fn is_used(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    (wallet, attempt): (WalletId, AttemptId),
    signature_hash: &[u8; 32],
) -> Result<bool, sql::Error> {
    sql::query_scalar::<i64>(
        "SELECT COUNT(*) FROM proofs
         WHERE environment = ? AND wallet_id = ? AND attempt_id = ? AND signature_hash = ?",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(attempt.as_bytes().as_slice())
    .bind(signature_hash.as_slice())
    .fetch_one(conn)
    .await
    .map(|count| count > 0)
}
