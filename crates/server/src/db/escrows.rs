//! Escrow keys, and the provider's shares sealed to them (custody rule 30).

use halfkey_core::wire::{EscrowFile, ExportRecipient};
use halfkey_core::{AttemptId, EnvironmentId, UnixMillis, WalletId};

use super::Tx;
use super::columns::{bad_cell, bytes, signed};
use super::sql::{self, SqliteConnection, SqliteRow};

fn key_from_row(row: &SqliteRow) -> Result<ExportRecipient, sql::Error> {
    Ok(ExportRecipient {
        recipient: row.try_get("recipient")?,
        name: row.try_get("name")?,
        added_at: UnixMillis(row.try_get("added_at")?),
        usable_at: UnixMillis(row.try_get("usable_at")?),
    })
}

/// The registered keys, oldest first.
pub(crate) async fn keys(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
) -> Result<Vec<ExportRecipient>, sql::Error> {
    sql::query(
        "SELECT * FROM escrow_keys WHERE environment = ? AND removed_at IS NULL ORDER BY ordinal",
    )
    .bind(environment.as_str())
    .fetch_all(conn)
    .await?
    .iter()
    .map(key_from_row)
    .collect()
}

/// The key that shares are sealed to: the newest whose delay is over.
pub(crate) async fn in_force(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    now: UnixMillis,
) -> Result<Option<String>, sql::Error> {
    let keys = keys(conn, environment).await?;
    let usable = keys.into_iter().rev().find(|key| key.usable_at <= now);
    Ok(usable.map(|key| key.recipient))
}

pub(crate) async fn insert_key(
    tx: &mut Tx,
    environment: &EnvironmentId,
    key: &ExportRecipient,
) -> Result<(), sql::Error> {
    sql::query(
        "INSERT INTO escrow_keys (environment, recipient, name, added_at, usable_at)
         VALUES (?, ?, ?, ?, ?)",
    )
    .bind(environment.as_str())
    .bind(&key.recipient)
    .bind(&key.name)
    .bind(key.added_at.0)
    .bind(key.usable_at.0)
    .execute(tx.conn())
    .await
    .map(drop)
}

pub(crate) async fn remove_key(
    tx: &mut Tx,
    environment: &EnvironmentId,
    recipient: &str,
) -> Result<(), sql::Error> {
    let now = tx.now();
    sql::query(
        "UPDATE escrow_keys SET removed_at = ?
         WHERE environment = ? AND recipient = ? AND removed_at IS NULL",
    )
    .bind(now.0)
    .bind(environment.as_str())
    .bind(recipient)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// A share, sealed.
#[derive(Debug, Clone)]
pub(crate) struct Escrow {
    pub(crate) file: EscrowFile,
    pub(crate) digest: [u8; 32],
}

fn from_row(row: &SqliteRow) -> Result<Escrow, sql::Error> {
    let file: String = row.try_get("file")?;
    Ok(Escrow {
        file: serde_json::from_str(&file).map_err(|_| bad_cell("file"))?,
        digest: bytes(row, "digest")?,
    })
}

/// What was sealed of one attempt: to `recipient` where one is named, else the newest.
pub(crate) async fn sealed(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    attempt: AttemptId,
    recipient: Option<&str>,
) -> Result<Option<Escrow>, sql::Error> {
    sql::query(
        "SELECT * FROM escrows
         WHERE environment = ? AND attempt_id = ? AND recipient = COALESCE(?, recipient)
         ORDER BY sealed_at DESC LIMIT 1",
    )
    .bind(environment.as_str())
    .bind(attempt.as_bytes().as_slice())
    .bind(recipient)
    .fetch_optional(conn)
    .await?
    .as_ref()
    .map(from_row)
    .transpose()
}

/// Stores what was sealed; `false` when another call has done so for that attempt and key.
pub(crate) async fn insert(
    tx: &mut Tx,
    environment: &EnvironmentId,
    escrow: &Escrow,
) -> Result<bool, sql::Error> {
    let now = tx.now();
    let file = &escrow.file;
    let json = serde_json::to_string(file).map_err(|_| bad_cell("file"))?;
    sql::query(
        "INSERT INTO escrows (environment, attempt_id, recipient, wallet_id, generation, digest,
             file, sealed_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(environment.as_str())
    .bind(file.attempt_id.as_bytes().as_slice())
    .bind(&file.recipient)
    .bind(file.wallet_id.as_bytes().as_slice())
    .bind(signed(file.generation.0)?)
    .bind(escrow.digest.as_slice())
    .bind(json)
    .bind(now.0)
    .execute(tx.conn())
    .await
    .map(|changed| changed == 1)
}

/// Notes that the customer has what was sealed of `attempt`; `false` when nothing has that digest.
pub(crate) async fn acknowledge(
    tx: &mut Tx,
    environment: &EnvironmentId,
    attempt: AttemptId,
    digest: &[u8; 32],
) -> Result<bool, sql::Error> {
    let now = tx.now();
    sql::query(
        "UPDATE escrows SET acknowledged_at = COALESCE(acknowledged_at, ?)
         WHERE environment = ? AND attempt_id = ? AND digest = ?",
    )
    .bind(now.0)
    .bind(environment.as_str())
    .bind(attempt.as_bytes().as_slice())
    .bind(digest.as_slice())
    .execute(tx.conn())
    .await
    .map(|changed| changed == 1)
}

/// Destroys what was sealed of every attempt of the wallet but the active one (custody rule 10).
pub(crate) async fn shred_ended(
    tx: &mut Tx,
    environment: &EnvironmentId,
    wallet: WalletId,
    active: AttemptId,
) -> Result<u64, sql::Error> {
    sql::query("DELETE FROM escrows WHERE environment = ? AND wallet_id = ? AND attempt_id <> ?")
        .bind(environment.as_str())
        .bind(wallet.as_bytes().as_slice())
        .bind(active.as_bytes().as_slice())
        .execute(tx.conn())
        .await
}
