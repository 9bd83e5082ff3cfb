//! The provider's shares, sealed.

use super::sql::{self, SqliteConnection, SqliteRow};
use halfkey_core::{
    AttemptId, ChainName, EnvironmentId, Generation, KeyShareId, PartyIndex, ShareSetId, WalletId,
};
use halfkey_vault::{BindCtx, RecordPurpose};
use sha2::{Digest as _, Sha256};

use super::Tx;
use super::columns::{bytes, signed, text, unsigned};

pub(crate) async fn insert(
    tx: &mut Tx,
    environment: &EnvironmentId,
    wallet: WalletId,
    (generation, attempt): (Generation, AttemptId),
    sealed: &[u8],
) -> Result<(), sql::Error> {
    let now = tx.now();
    sql::query(
        "INSERT INTO shares (environment, wallet_id, attempt_id, generation, sealed, created_at)
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(attempt.as_bytes().as_slice())
    .bind(signed(generation.0)?)
    .bind(sealed)
    .bind(now.0)
    .execute(tx.conn())
    .await
    .map(drop)
}

pub(crate) async fn sealed(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    wallet: WalletId,
    attempt: AttemptId,
) -> Result<Option<Vec<u8>>, sql::Error> {
    sql::query_scalar(
        "SELECT sealed FROM shares WHERE environment = ? AND wallet_id = ? AND attempt_id = ?",
    )
    .bind(environment.as_str())
    .bind(wallet.as_bytes().as_slice())
    .bind(attempt.as_bytes().as_slice())
    .fetch_optional(conn)
    .await
}

/// One sealed share, of whatever generation, and what it is bound to.
#[derive(Debug)]
pub(crate) struct BoundShare {
    pub(crate) ctx: BindCtx,
    pub(crate) sealed: Vec<u8>,
}

/// Where a walk over the shares stands: after this one.
pub(crate) type After = Option<(WalletId, AttemptId)>;

/// The next `limit` shares of the environment, of every generation. What a share that is not its
/// wallet's active one is bound to stands with the change that made it, or with the generation that
/// ended.
pub(crate) async fn page(
    conn: &mut SqliteConnection,
    environment: &EnvironmentId,
    after: After,
    limit: u32,
) -> Result<Vec<BoundShare>, sql::Error> {
    let (wallet, attempt) = after.map_or_else(
        || (Vec::new(), Vec::new()),
        |(wallet, attempt)| (wallet.as_bytes().to_vec(), attempt.as_bytes().to_vec()),
    );
    let rows = sql::query(
        "SELECT s.wallet_id, s.attempt_id, s.generation, s.sealed, w.chain, w.canonical_address,
                w.group_public_key,
                COALESCE(c.scheme, g.scheme, w.scheme) AS scheme,
                COALESCE(c.share_set_id, g.share_set_id, w.share_set_id) AS share_set_id,
                COALESCE(c.key_share_id, g.key_share_id, w.key_share_id) AS key_share_id
         FROM shares s
         JOIN wallets w ON w.environment = s.environment AND w.wallet_id = s.wallet_id
         LEFT JOIN staged_changes c
             ON c.environment = s.environment AND c.attempt_id = s.attempt_id
         LEFT JOIN generations g ON g.environment = s.environment AND g.wallet_id = s.wallet_id
             AND g.attempt_id = s.attempt_id
         WHERE s.environment = ? AND (s.wallet_id, s.attempt_id) > (?, ?)
         ORDER BY s.wallet_id, s.attempt_id LIMIT ?",
    )
    .bind(environment.as_str())
    .bind(wallet)
    .bind(attempt)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| bound(environment, row)).collect()
}

fn bound(environment: &EnvironmentId, row: &SqliteRow) -> Result<BoundShare, sql::Error> {
    let ctx = BindCtx {
        environment: environment.clone(),
        chain: text::<ChainName>(row, "chain")?,
        account_address: row.try_get("canonical_address")?,
        wallet: WalletId::from_bytes(bytes(row, "wallet_id")?),
        key_share: KeyShareId::from_bytes(bytes(row, "key_share_id")?),
        share_set: ShareSetId::from_bytes(bytes(row, "share_set_id")?),
        party: PartyIndex::PROVIDER,
        scheme: text(row, "scheme")?,
        purpose: RecordPurpose::Share,
        generation: Generation(unsigned(row, "generation")?),
        attempt: AttemptId::from_bytes(bytes(row, "attempt_id")?),
        group_public_key_hash: Sha256::digest(row.try_get::<&[u8]>("group_public_key")?).into(),
    };
    Ok(BoundShare {
        ctx,
        sealed: row.try_get("sealed")?,
    })
}

/// Puts `moved` where `sealed` stands; `false` when something else stands there by now.
pub(crate) async fn rewrap(
    tx: &mut Tx,
    share: &BoundShare,
    moved: &[u8],
) -> Result<bool, sql::Error> {
    let done = sql::query(
        "UPDATE shares SET sealed = ?
         WHERE environment = ? AND wallet_id = ? AND attempt_id = ? AND sealed = ?",
    )
    .bind(moved)
    .bind(share.ctx.environment.as_str())
    .bind(share.ctx.wallet.as_bytes().as_slice())
    .bind(share.ctx.attempt.as_bytes().as_slice())
    .bind(share.sealed.as_slice())
    .execute(tx.conn())
    .await?;
    Ok(done == 1)
}
