//! Encrypted backups of the customer's shares.

use super::sql::{self, SqliteConnection, SqliteRow};
use halfkey_core::{BackupId, BackupLocation, EnvironmentId, Generation, UnixMillis, WalletId};

use super::Tx;
use super::columns::{bytes, signed, unsigned};

/// One backup.
#[derive(Debug, Clone)]
pub(crate) struct BackupRow {
    pub(crate) id: BackupId,
    pub(crate) generation: Generation,
    pub(crate) location: BackupLocation,
    pub(crate) external_id: Option<String>,
    pub(crate) password_encrypted: bool,
    pub(crate) encryption_version: String,
    /// The encrypted share, where it is kept here.
    pub(crate) credential: Option<String>,
    pub(crate) content_hash: [u8; 32],
}

fn from_row(row: &SqliteRow) -> Result<BackupRow, sql::Error> {
    let location: String = row.try_get("location")?;
    Ok(BackupRow {
        id: BackupId::from_bytes(bytes(row, "backup_id")?),
        generation: Generation(unsigned(row, "generation")?),
        location: location.into(),
        external_id: row.try_get("external_id")?,
        password_encrypted: unsigned(row, "password_encrypted")? == 1,
        encryption_version: row.try_get("encryption_version")?,
        credential: row.try_get("credential")?,
        content_hash: bytes(row, "content_hash")?,
    })
}

/// Every backup of one generation, oldest first.
pub(crate) async fn of_generation(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    (wallet, generation): (WalletId, Generation),
) -> Result<Vec<BackupRow>, sql::Error> {
    sql::query(
        "SELECT * FROM backups WHERE environment = ? AND wallet_id = ? AND generation = ?
         ORDER BY created_at, backup_id",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(signed(generation.0)?)
    .fetch_all(conn)
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// One backup of this wallet.
pub(crate) async fn by_id(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    wallet: WalletId,
    id: BackupId,
) -> Result<Option<BackupRow>, sql::Error> {
    sql::query("SELECT * FROM backups WHERE environment = ? AND wallet_id = ? AND backup_id = ?")
        .bind(environment.as_str())
        .bind(wallet.as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(from_row)
        .transpose()
}

/// Stores a backup; the same content again changes nothing. Returns the id it has.
pub(crate) async fn insert(
    tx: &mut Tx,
    environment: &EnvironmentId,
    wallet: WalletId,
    row: &BackupRow,
) -> Result<BackupId, sql::Error> {
    let now = tx.now();
    sql::query(
        "INSERT INTO backups (environment, wallet_id, backup_id, generation, location, external_id,
             password_encrypted, encryption_version, credential, content_hash, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(row.id.as_bytes().as_slice())
    .bind(signed(row.generation.0)?)
    .bind(String::from(row.location.clone()))
    .bind(&row.external_id)
    .bind(i64::from(row.password_encrypted))
    .bind(&row.encryption_version)
    .bind(&row.credential)
    .bind(row.content_hash.as_slice())
    .bind(now.0)
    .execute(tx.conn())
    .await?;
    let stored = sql::query(
        "SELECT backup_id FROM backups
         WHERE environment = ? AND wallet_id = ? AND generation = ? AND content_hash = ?",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(signed(row.generation.0)?)
    .bind(row.content_hash.as_slice())
    .fetch_one(tx.conn())
    .await?;
    Ok(BackupId::from_bytes(bytes(&stored, "backup_id")?))
}

/// Forgets a backup that is kept here, if it is this wallet's.
pub(crate) async fn remove(
    tx: &mut Tx,
    environment: &EnvironmentId,
    wallet: WalletId,
    id: BackupId,
) -> Result<(), sql::Error> {
    sql::query(
        "DELETE FROM backups
         WHERE environment = ? AND wallet_id = ? AND backup_id = ? AND credential IS NOT NULL",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(id.as_bytes().as_slice())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Which backups of one generation there are.
pub(crate) async fn ids_of_generation(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    (wallet, generation): (WalletId, Generation),
) -> Result<Vec<BackupId>, sql::Error> {
    sql::query(
        "SELECT backup_id FROM backups
         WHERE environment = ? AND wallet_id = ? AND generation = ?",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(signed(generation.0)?)
    .fetch_all(conn)
    .await?
    .iter()
    .map(|row| Ok(BackupId::from_bytes(bytes(row, "backup_id")?)))
    .collect()
}

/// Forgets a backup of this wallet, wherever it is kept; how many went.
pub(crate) async fn forget(
    tx: &mut Tx,
    environment: &EnvironmentId,
    wallet: WalletId,
    id: BackupId,
) -> Result<u64, sql::Error> {
    sql::query("DELETE FROM backups WHERE environment = ? AND wallet_id = ? AND backup_id = ?")
        .bind(environment.as_str())
        .bind(wallet.as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .execute(tx.conn())
        .await
}

/// Counts one more fetch; the number since `since`, this one included. Older ones are forgotten.
pub(crate) async fn count_fetch(
    tx: &mut Tx,
    environment: &EnvironmentId,
    wallet: WalletId,
    since: UnixMillis,
) -> Result<u64, sql::Error> {
    let now = tx.now();
    sql::query(
        "DELETE FROM backup_fetches
         WHERE environment = ? AND wallet_id = ? AND fetched_at < ?",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(since.0)
    .execute(tx.conn())
    .await?;
    sql::query("INSERT INTO backup_fetches (environment, wallet_id, fetched_at) VALUES (?, ?, ?)")
        .bind(environment.as_str())
        .bind(wallet.as_bytes().as_slice())
        .bind(now.0)
        .execute(tx.conn())
        .await?;
    let row = sql::query(
        "SELECT COUNT(*) AS n FROM backup_fetches WHERE environment = ? AND wallet_id = ?",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .fetch_one(tx.conn())
    .await?;
    unsigned(&row, "n")
}
