//! What delegates were given (custody rule 31). Of a wallet's API key only the hash is kept.

use super::sql::{self, SqliteConnection, SqliteRow};
use halfkey_core::wire::WalletKeyScope;
use halfkey_core::{
    AttemptId, DelegationId, EnvironmentId, Generation, PartyIndex, UnixMillis, WalletId,
};

use super::Tx;
use super::columns::{bad_cell, bytes, signed, text, unsigned};

/// One delegation.
#[derive(Debug, Clone)]
pub(crate) struct DelegationRow {
    pub(crate) id: DelegationId,
    pub(crate) environment: EnvironmentId,
    pub(crate) wallet: WalletId,
    pub(crate) generation: Generation,
    pub(crate) attempt: AttemptId,
    pub(crate) party: PartyIndex,
    pub(crate) kid: String,
    pub(crate) content_hash: [u8; 32],
    pub(crate) key_hash: [u8; 32],
    pub(crate) scopes: Vec<WalletKeyScope>,
    pub(crate) created_at: UnixMillis,
    pub(crate) expires_at: UnixMillis,
    pub(crate) revoked_at: Option<UnixMillis>,
    pub(crate) revoked_because: Option<String>,
}

fn from_row(row: &SqliteRow) -> Result<DelegationRow, sql::Error> {
    let scopes: &str = row.try_get("scopes")?;
    let revoked_at: Option<i64> = row.try_get("revoked_at")?;
    let party = u8::try_from(unsigned(row, "party")?).map_err(|_| bad_cell("party"))?;
    Ok(DelegationRow {
        id: DelegationId::from_bytes(bytes(row, "delegation_id")?),
        environment: text(row, "environment")?,
        wallet: WalletId::from_bytes(bytes(row, "wallet_id")?),
        generation: Generation(unsigned(row, "generation")?),
        attempt: AttemptId::from_bytes(bytes(row, "attempt_id")?),
        party: PartyIndex::try_from(party).map_err(|_| bad_cell("party"))?,
        kid: row.try_get("kid")?,
        content_hash: bytes(row, "content_hash")?,
        key_hash: bytes(row, "key_hash")?,
        scopes: scopes
            .split_whitespace()
            .map(|scope| scope.parse().map_err(|_| bad_cell("scopes")))
            .collect::<Result<_, _>>()?,
        created_at: UnixMillis(row.try_get("created_at")?),
        expires_at: UnixMillis(row.try_get("expires_at")?),
        revoked_at: revoked_at.map(UnixMillis),
        revoked_because: row.try_get("revoked_because")?,
    })
}

pub(crate) async fn by_id(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    id: DelegationId,
) -> Result<Option<DelegationRow>, sql::Error> {
    sql::query("SELECT * FROM delegations WHERE environment = ? AND delegation_id = ?")
        .bind(environment.as_str())
        .bind(id.as_bytes().as_slice())
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(from_row)
        .transpose()
}

/// By the hash of its key, in whichever environment: that is how a key is found.
pub(crate) async fn by_key_hash(
    conn: &mut SqliteConnection,
    hash: &[u8; 32],
) -> Result<Option<DelegationRow>, sql::Error> {
    sql::query("SELECT * FROM delegations WHERE key_hash = ?")
        .bind(hash.as_slice())
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(from_row)
        .transpose()
}

/// Every delegation of a wallet, newest first.
pub(crate) async fn of_wallet(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    wallet: WalletId,
) -> Result<Vec<DelegationRow>, sql::Error> {
    sql::query(
        "SELECT * FROM delegations WHERE environment = ? AND wallet_id = ?
         ORDER BY created_at DESC, delegation_id",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .fetch_all(conn)
    .await?
    .iter()
    .map(from_row)
    .collect()
}

/// Whether a delegate has a share of this generation and is not to have it any more.
pub(crate) async fn any_revoked(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    (wallet, generation): (WalletId, Generation),
) -> Result<bool, sql::Error> {
    sql::query_scalar::<i64>(
        "SELECT COUNT(*) FROM delegations
         WHERE environment = ? AND wallet_id = ? AND generation = ? AND revoked_at IS NOT NULL",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(signed(generation.0)?)
    .fetch_one(conn)
    .await
    .map(|count| count > 0)
}

/// Whether the delegation may sign at this moment.
pub(crate) async fn is_live(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    id: DelegationId,
    now: UnixMillis,
) -> Result<bool, sql::Error> {
    sql::query_scalar::<i64>(
        "SELECT COUNT(*) FROM delegations WHERE environment = ? AND delegation_id = ?
             AND revoked_at IS NULL AND expires_at > ?",
    )
    .bind(environment.as_str())
    .bind(id.as_bytes().as_slice())
    .bind(now.0)
    .fetch_one(conn)
    .await
    .map(|count| count == 1)
}

pub(crate) async fn insert(tx: &mut Tx, row: &DelegationRow) -> Result<(), sql::Error> {
    let scopes = row.scopes.iter().map(|scope| scope.as_str());
    sql::query(
        "INSERT INTO delegations (environment, delegation_id, wallet_id, generation, attempt_id,
             party, kid, content_hash, key_hash, scopes, created_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(row.environment.as_str())
    .bind(row.id.as_bytes().as_slice())
    .bind(row.wallet.as_bytes().as_slice())
    .bind(signed(row.generation.0)?)
    .bind(row.attempt.as_bytes().as_slice())
    .bind(i64::from(row.party.as_u8()))
    .bind(&row.kid)
    .bind(row.content_hash.as_slice())
    .bind(row.key_hash.as_slice())
    .bind(scopes.collect::<Vec<_>>().join(" "))
    .bind(row.created_at.0)
    .bind(row.expires_at.0)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Ends a delegation; `false` when it was revoked before, or never was.
pub(crate) async fn revoke(
    tx: &mut Tx,
    environment: &EnvironmentId,
    id: DelegationId,
    because: &str,
) -> Result<bool, sql::Error> {
    let now = tx.now();
    sql::query(
        "UPDATE delegations SET revoked_at = ?, revoked_because = ?
         WHERE environment = ? AND delegation_id = ? AND revoked_at IS NULL",
    )
    .bind(now.0)
    .bind(because)
    .bind(environment.as_str())
    .bind(id.as_bytes().as_slice())
    .execute(tx.conn())
    .await
    .map(|changed| changed == 1)
}
