//! API tokens at rest: hashes only.

use super::sql::{self, SqliteConnection, SqliteRow};
use halfkey_core::wire::Scope;
use halfkey_core::{EnvironmentId, UnixMillis};

use super::Tx;
use super::columns::{bad_cell, bytes, text};
use crate::ids::TokenId;

/// One token's row.
#[derive(Debug, Clone)]
pub(crate) struct TokenRow {
    pub(crate) id: TokenId,
    pub(crate) environment: EnvironmentId,
    pub(crate) hash: [u8; 32],
    pub(crate) name: String,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) created_at: UnixMillis,
    pub(crate) expires_at: Option<UnixMillis>,
    pub(crate) last_used_at: Option<UnixMillis>,
    pub(crate) revoked_at: Option<UnixMillis>,
}

fn from_row(row: &SqliteRow) -> Result<TokenRow, sql::Error> {
    let scopes: &str = row.try_get("scopes")?;
    let time = |column: &'static str| -> Result<Option<UnixMillis>, sql::Error> {
        row.try_get::<Option<i64>>(column)
            .map(|at| at.map(UnixMillis))
    };
    Ok(TokenRow {
        id: TokenId::from_bytes(bytes(row, "token_id")?),
        environment: text(row, "environment")?,
        hash: bytes(row, "token_hash")?,
        name: row.try_get("name")?,
        scopes: scopes
            .split_whitespace()
            .map(|scope| scope.parse().map_err(|_| bad_cell("scopes")))
            .collect::<Result<_, _>>()?,
        created_at: UnixMillis(row.try_get("created_at")?),
        expires_at: time("expires_at")?,
        last_used_at: time("last_used_at")?,
        revoked_at: time("revoked_at")?,
    })
}

pub(crate) async fn insert(tx: &mut Tx, token: &TokenRow) -> Result<(), sql::Error> {
    let scopes = token
        .scopes
        .iter()
        .map(|scope| scope.as_str())
        .collect::<Vec<_>>()
        .join(" ");
    sql::query(
        "INSERT INTO api_tokens (token_id, environment, token_hash, name, scopes, created_at,
             expires_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(token.id.as_bytes().as_slice())
    .bind(token.environment.as_str())
    .bind(token.hash.as_slice())
    .bind(&token.name)
    .bind(scopes)
    .bind(token.created_at.0)
    .bind(token.expires_at.map(|at| at.0))
    .execute(tx.conn())
    .await
    .map(drop)
}

/// The one query that does not name an environment: it is how a token's is found.
pub(crate) async fn by_hash(
    conn: &mut SqliteConnection,
    hash: &[u8; 32],
) -> Result<Option<TokenRow>, sql::Error> {
    sql::query("SELECT * FROM api_tokens WHERE token_hash = ?")
        .bind(hash.as_slice())
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(from_row)
        .transpose()
}

pub(crate) async fn by_id(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    id: TokenId,
) -> Result<Option<TokenRow>, sql::Error> {
    sql::query("SELECT * FROM api_tokens WHERE environment = ? AND token_id = ?")
        .bind(environment.as_str())
        .bind(id.as_bytes().as_slice())
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(from_row)
        .transpose()
}

/// Every token of `environment`, oldest first.
pub(crate) async fn all(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
) -> Result<Vec<TokenRow>, sql::Error> {
    sql::query("SELECT * FROM api_tokens WHERE environment = ? ORDER BY created_at, token_id")
        .bind(environment.as_str())
        .fetch_all(conn)
        .await?
        .iter()
        .map(from_row)
        .collect()
}

pub(crate) async fn touch(
    tx: &mut Tx,
    environment: &EnvironmentId,
    id: TokenId,
) -> Result<(), sql::Error> {
    let now = tx.now();
    sql::query("UPDATE api_tokens SET last_used_at = ? WHERE environment = ? AND token_id = ?")
        .bind(now.0)
        .bind(environment.as_str())
        .bind(id.as_bytes().as_slice())
        .execute(tx.conn())
        .await
        .map(drop)
}

/// Revokes; `false` when there is no such token. A repeat keeps the first time.
pub(crate) async fn revoke(
    tx: &mut Tx,
    environment: &EnvironmentId,
    id: TokenId,
) -> Result<bool, sql::Error> {
    let now = tx.now();
    sql::query(
        "UPDATE api_tokens SET revoked_at = COALESCE(revoked_at, ?)
         WHERE environment = ? AND token_id = ?",
    )
    .bind(now.0)
    .bind(environment.as_str())
    .bind(id.as_bytes().as_slice())
    .execute(tx.conn())
    .await
    .map(|changed| changed == 1)
}
