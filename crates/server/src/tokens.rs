//! API tokens: made, listed and revoked by whoever owns the data directory.

use std::path::Path;
use std::sync::Arc;

use halfkey_core::wire::Scope;
use halfkey_core::{Clock, EnvironmentId, SecretString, UnixMillis};

use crate::db::tokens::TokenRow;
use crate::db::{BootKind, Db, Entry, Tx, environments, tokens as rows};
use crate::provider_dir::ProviderDir;
use crate::token_text::API_TOKEN;
use crate::{Error, TokenId};

/// What a new token shall be.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// For people; at most 100 characters.
    pub name: String,
    /// What it may do; not empty.
    pub scopes: Vec<Scope>,
    /// When it ends by itself.
    pub expires_at: Option<UnixMillis>,
}

impl Default for NewToken {
    fn default() -> Self {
        Self {
            name: "default".to_owned(),
            scopes: Scope::DEFAULT.to_vec(),
            expires_at: None,
        }
    }
}

/// What is known of a token; its secret is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// Its public id.
    pub id: TokenId,
    /// The environment it is for.
    pub environment: EnvironmentId,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it ends by itself.
    pub expires_at: Option<UnixMillis>,
    /// When a session was last made with it.
    pub last_used_at: Option<UnixMillis>,
    /// When it was revoked.
    pub revoked_at: Option<UnixMillis>,
}

impl From<TokenRow> for TokenInfo {
    fn from(row: TokenRow) -> Self {
        Self {
            id: row.id,
            environment: row.environment,
            name: row.name,
            scopes: row.scopes,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            revoked_at: row.revoked_at,
        }
    }
}

/// A token just made. Its secret is shown here and never again.
#[derive(Debug)]
pub struct CreatedToken {
    /// What is known of it.
    pub info: TokenInfo,
    /// The token.
    pub token: SecretString,
}

/// Makes a token for `environment` (the directory's first one when `None`).
///
/// # Errors
/// [`Error::NotInitialised`], [`Error::NotFound`] for an unknown environment, [`Error::Caller`]
/// for a name or scopes that will not do, [`Error::Database`].
pub async fn create(
    data_dir: &Path,
    environment: Option<&EnvironmentId>,
    new: NewToken,
    clock: Arc<dyn Clock>,
) -> Result<CreatedToken, Error> {
    let db = open(data_dir, clock).await?;
    let environment = pick(&db, environment).await?;
    let mut tx = db.begin().await?;
    let created = create_in(&mut tx, environment, new).await?;
    tx.commit().await?;
    db.close().await;
    Ok(created)
}

/// Every token of `environment` (the directory's first one when `None`), oldest first.
///
/// # Errors
/// As [`create`].
pub async fn list(
    data_dir: &Path,
    environment: Option<&EnvironmentId>,
    clock: Arc<dyn Clock>,
) -> Result<Vec<TokenInfo>, Error> {
    let db = open(data_dir, clock).await?;
    let environment = pick(&db, environment).await?;
    let mut conn = db.read().acquire().await?;
    let tokens = rows::all(&mut conn, &environment).await?;
    drop(conn);
    db.close().await;
    Ok(tokens.into_iter().map(TokenInfo::from).collect())
}

/// Revokes a token; sessions made with it end at their next request.
///
/// # Errors
/// As [`create`]; [`Error::NotFound`] when the environment has no such token.
pub async fn revoke(
    data_dir: &Path,
    environment: Option<&EnvironmentId>,
    id: TokenId,
    clock: Arc<dyn Clock>,
) -> Result<(), Error> {
    let db = open(data_dir, clock).await?;
    let environment = pick(&db, environment).await?;
    let mut tx = db.begin().await?;
    if !rows::revoke(&mut tx, &environment, id).await? {
        return Err(Error::NotFound("token"));
    }
    let detail = serde_json::json!({ "token": id.to_string() });
    tx.record(&Entry::new(&environment, "token.revoked", "operator").detail(detail))
        .await?;
    tx.commit().await?;
    db.close().await;
    Ok(())
}

/// Draws a token and stores its hash, in a transaction of the caller's.
pub(crate) async fn create_in(
    tx: &mut Tx,
    environment: EnvironmentId,
    new: NewToken,
) -> Result<CreatedToken, Error> {
    if new.scopes.is_empty() {
        return Err(Error::Caller("a token needs at least one scope"));
    }
    if new.name.is_empty() || new.name.chars().count() > 100 {
        return Err(Error::Caller("a token's name is 1 to 100 characters"));
    }
    let token = API_TOKEN.generate();
    let hash = API_TOKEN
        .hash(token.expose())
        .ok_or(Error::Bug("a new token is well formed"))?;
    let row = TokenRow {
        id: TokenId::generate(),
        environment: environment.clone(),
        hash,
        name: new.name,
        scopes: new.scopes,
        created_at: tx.now(),
        expires_at: new.expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    rows::insert(tx, &row).await?;
    let detail = serde_json::json!({ "token": row.id.to_string(), "scopes": row.scopes });
    tx.record(&Entry::new(&environment, "token.created", "operator").detail(detail))
        .await?;
    Ok(CreatedToken {
        info: row.into(),
        token,
    })
}

async fn open(data_dir: &Path, clock: Arc<dyn Clock>) -> Result<Db, Error> {
    Db::open(
        &ProviderDir::new(data_dir).database(),
        clock,
        BootKind::Admin,
        false,
    )
    .await
}

/// The environment asked for, or the first.
pub(crate) async fn pick(db: &Db, wanted: Option<&EnvironmentId>) -> Result<EnvironmentId, Error> {
    let mut conn = db.read().acquire().await?;
    environments::all(&mut conn)
        .await?
        .into_iter()
        .map(|row| row.environment)
        .find(|environment| wanted.is_none_or(|wanted| wanted == environment))
        .ok_or(Error::NotFound("environment"))
}
