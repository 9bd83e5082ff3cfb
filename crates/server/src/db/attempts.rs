//! Attempts at making a generation, and their tombstones (custody rule 6).

use super::sql::{self, SqliteConnection, SqliteRow};
use halfkey_core::wire::{ActivityRef, AttemptState, ProofState};
use halfkey_core::{AttemptId, EnvironmentId, Generation, WalletId};

use super::Tx;
use super::columns::{bad_cell, optional_bytes, signed, unsigned};
use super::wallets::proof_text;

/// One attempt.
#[derive(Debug, Clone)]
pub(crate) struct AttemptRow {
    pub(crate) wallet: Option<WalletId>,
    /// The number it took; none for a tombstone without a wallet.
    pub(crate) generation: Option<Generation>,
    /// Never `Unknown`.
    pub(crate) state: AttemptState,
    /// What the commit said, once there was one.
    pub(crate) committed_proof: Option<ProofState>,
    /// The activity entry of the commit or abort.
    pub(crate) settled: Option<ActivityRef>,
}

fn from_row(row: &SqliteRow) -> Result<AttemptRow, sql::Error> {
    let state: &str = row.try_get("state")?;
    let committed_proof: Option<&str> = row.try_get("committed_proof")?;
    let chain: Option<[u8; 16]> = optional_bytes(row, "settled_chain")?;
    let head: Option<[u8; 32]> = optional_bytes(row, "settled_head")?;
    let settled = match (chain, head) {
        (Some(chain), Some(head)) => Some(ActivityRef {
            chain: hex::encode(chain),
            sequence: unsigned(row, "settled_sequence")?,
            head: hex::encode(head),
        }),
        _ => None,
    };
    let wallet = optional_bytes(row, "wallet_id")?.map(WalletId::from_bytes);
    let generation = Generation(unsigned(row, "generation")?);
    Ok(AttemptRow {
        wallet,
        generation: wallet.map(|_| generation),
        state: match state {
            "staged" => AttemptState::Staged,
            "committed" => AttemptState::Committed,
            "finalised" => AttemptState::Finalised,
            "aborted" => AttemptState::Aborted,
            _ => return Err(bad_cell("state")),
        },
        committed_proof: match committed_proof {
            None => None,
            Some("proven") => Some(ProofState::Proven),
            Some("unproven") => Some(ProofState::Unproven),
            Some(_) => return Err(bad_cell("committed_proof")),
        },
        settled,
    })
}

pub(crate) async fn by_id(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    attempt: AttemptId,
) -> Result<Option<AttemptRow>, sql::Error> {
    sql::query("SELECT * FROM attempts WHERE environment = ? AND attempt_id = ?")
        .bind(environment.as_str())
        .bind(attempt.as_bytes().as_slice())
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(from_row)
        .transpose()
}

/// The attempts of a wallet that were not aborted: their ids and generations.
pub(crate) async fn live_of_wallet(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    wallet: WalletId,
) -> Result<Vec<(AttemptId, Generation)>, sql::Error> {
    sql::query(
        "SELECT attempt_id, generation FROM attempts
         WHERE environment = ? AND wallet_id = ? AND state <> 'aborted'",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .fetch_all(conn)
    .await?
    .iter()
    .map(|row| {
        Ok((
            AttemptId::from_bytes(super::columns::bytes(row, "attempt_id")?),
            Generation(unsigned(row, "generation")?),
        ))
    })
    .collect()
}

/// A new staged attempt, in the transaction that stores the share.
pub(crate) async fn insert_staged(
    tx: &mut Tx,
    environment: &EnvironmentId,
    attempt: AttemptId,
    wallet: WalletId,
    generation: Generation,
) -> Result<(), sql::Error> {
    let now = tx.now();
    sql::query(
        "INSERT INTO attempts (environment, attempt_id, wallet_id, generation, state, created_at)
         VALUES (?, ?, ?, ?, 'staged', ?)",
    )
    .bind(environment.as_str())
    .bind(attempt.as_bytes().as_slice())
    .bind(wallet.as_bytes().as_slice())
    .bind(signed(generation.0)?)
    .bind(now.0)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// `staged` → `committed`: one compare-and-set. `false` when the attempt is not staged.
pub(crate) async fn commit(
    tx: &mut Tx,
    environment: &EnvironmentId,
    attempt: AttemptId,
    proof: ProofState,
    activity: &ActivityRef,
) -> Result<bool, sql::Error> {
    let now = tx.now();
    sql::query(
        "UPDATE attempts SET state = 'committed', committed_proof = ?, settled_chain = unhex(?),
             settled_sequence = ?, settled_head = unhex(?), settled_at = ?
         WHERE environment = ? AND attempt_id = ? AND state = 'staged'",
    )
    .bind(proof_text(proof))
    .bind(&activity.chain)
    .bind(signed(activity.sequence)?)
    .bind(&activity.head)
    .bind(now.0)
    .bind(environment.as_str())
    .bind(attempt.as_bytes().as_slice())
    .execute(tx.conn())
    .await
    .map(|changed| changed == 1)
}

/// Tombstones an attempt that is staged or was never heard of. `false` when it is settled already.
pub(crate) async fn abort(
    tx: &mut Tx,
    environment: &EnvironmentId,
    attempt: AttemptId,
    generation: Generation,
    activity: &ActivityRef,
) -> Result<bool, sql::Error> {
    let now = tx.now();
    sql::query(
        "INSERT INTO attempts (environment, attempt_id, generation, state, settled_chain,
             settled_sequence, settled_head, created_at, settled_at)
         VALUES (?1, ?2, ?3, 'aborted', unhex(?4), ?5, unhex(?6), ?7, ?7)
         ON CONFLICT (environment, attempt_id) DO UPDATE
         SET state = 'aborted', settled_chain = excluded.settled_chain,
             settled_sequence = excluded.settled_sequence,
             settled_head = excluded.settled_head, settled_at = excluded.settled_at
         WHERE attempts.state = 'staged'",
    )
    .bind(environment.as_str())
    .bind(attempt.as_bytes().as_slice())
    .bind(signed(generation.0)?)
    .bind(&activity.chain)
    .bind(signed(activity.sequence)?)
    .bind(&activity.head)
    .bind(now.0)
    .execute(tx.conn())
    .await
    .map(|changed| changed == 1)
}
