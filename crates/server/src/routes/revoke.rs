use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use halfkey_core::wire::{
    DelegationInfo, DelegationsReply, RevokeManyReply, RevokeManyRequest, RevokeOneReply,
    RevokedWallet, Scope,
};
use halfkey_core::{DelegationId, ShareSetId, UnixMillis};
use http::StatusCode;

use super::wallet_of;
use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::{Caller, Credential};
use crate::db::delegations::{self, DelegationRow};
use crate::db::wallets::WalletRow;
use crate::delegation::{self, Revocation};
use crate::web::Call;

/// `GET /environments/{env}/waas/{wallet}/delegatedAccess`: what the wallet was delegated to.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path((env, wallet)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::Either, Some(Scope::Read))
        .await?;
    let wallet = wallet_of(&app, &caller.environment, &wallet).await?;
    let mut conn = app.db.read().acquire().await?;
    let rows = delegations::of_wallet(&mut conn, &caller.environment.id, wallet.wallet).await?;
    let now = app.now();
    call.reply().ok(&DelegationsReply {
        wallet_id: wallet.wallet,
        delegations: rows.iter().map(|row| info(row, &wallet, now)).collect(),
    })
}

fn info(row: &DelegationRow, wallet: &WalletRow, now: UnixMillis) -> DelegationInfo {
    let is_current = (row.generation, row.attempt) == (wallet.generation, wallet.attempt);
    let status = match row.revoked_at {
        Some(_) => "revoked",
        None if !is_current => "ended",
        None if row.expires_at <= now => "expired",
        None => "active",
    };
    DelegationInfo {
        delegation_id: row.id,
        wallet_id: row.wallet,
        kid: row.kid.clone(),
        status: status.to_owned(),
        party: row.party,
        generation: row.generation,
        scopes: row.scopes.clone(),
        created_at: row.created_at.to_string(),
        expires_at: row.expires_at.to_string(),
        revoked_at: row.revoked_at.map(|at| at.to_string()),
        revoked_because: row.revoked_because.clone(),
        refresh_outstanding: row.revoked_at.is_some() && is_current,
    }
}

/// `DELETE /environments/{env}/waas/{wallet}/delegatedAccess`: every delegation of the wallet ends
/// at once. Takes the API token.
pub(super) async fn all_of_wallet(
    State(app): State<Arc<App>>,
    Path((env, wallet)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::ApiToken, Some(Scope::Delegate))
        .await?;
    let worker = Arc::clone(&app);
    app.to_the_end(async move {
        let wallet = wallet_of(&worker, &caller.environment, &wallet).await?;
        end(&worker, &caller, &wallet, |_| true).await
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `DELETE /sdk/{env}/waas/{wallet}/delegatedAccess/{id}`: one delegation by its id, or all of a
/// share set by the set's. Takes the API token.
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path((env, wallet, id)): Path<(String, String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::ApiToken, Some(Scope::Delegate))
        .await?;
    let reply = call.reply();
    let worker = Arc::clone(&app);
    let ended = app
        .to_the_end(async move {
            let wallet = wallet_of(&worker, &caller.environment, &wallet).await?;
            let wanted: DelegationId = id.parse().map_err(|_| ApiError::not_found("delegation"))?;
            let is_set = ShareSetId::from_bytes(*wanted.as_bytes()) == wallet.share_set;
            let which = |row: &DelegationRow| is_set || row.id == wanted;
            let known = end(&worker, &caller, &wallet, which).await?;
            if known == 0 && !is_set {
                return Err(ApiError::not_found("delegation"));
            }
            Ok(RevokeOneReply {
                wallet_id: wallet.wallet,
                share_set_id: id,
            })
        })
        .await?;
    reply.ok(&ended)
}

/// `POST /environments/{env}/waas/delegatedAccess/revoke`: as [`all_of_wallet`] for up to 100
/// wallets, each by itself. Takes the API token.
pub(super) async fn many(
    State(app): State<Arc<App>>,
    Path(env): Path<String>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::ApiToken, Some(Scope::Delegate))
        .await?;
    let decoded = call.decode::<RevokeManyRequest>().await?;
    let ids = decoded.body.wallet_ids;
    if !(1..=100).contains(&ids.len()) {
        return Err(ApiError::invalid("walletIds has 1 to 100 entries"));
    }
    let worker = Arc::clone(&app);
    let results = app
        .to_the_end(async move {
            let mut results = Vec::with_capacity(ids.len());
            for wallet_id in ids {
                let ended = revoked(&worker, &caller, &wallet_id).await;
                results.push(RevokedWallet {
                    wallet_id,
                    success: ended.is_ok(),
                    error: ended.err().map(|error| error.message.into_owned()),
                });
            }
            Ok(results)
        })
        .await?;
    let succeeded = results.iter().filter(|one| one.success).count();
    decoded.reply.ok(&RevokeManyReply {
        total: results.len(),
        succeeded,
        failed: results.len().saturating_sub(succeeded),
        results,
    })
}

async fn revoked(app: &Arc<App>, caller: &Caller, wallet: &str) -> Result<(), ApiError> {
    let wallet = wallet_of(app, &caller.environment, wallet).await?;
    end(app, caller, &wallet, |_| true).await.map(drop)
}

/// Ends delegations of one wallet in one transaction, then the ceremonies they have under way.
/// Returns how many there were, those that were over before among them.
async fn end(
    app: &Arc<App>,
    caller: &Caller,
    wallet: &WalletRow,
    which: impl Fn(&DelegationRow) -> bool + Send,
) -> Result<usize, ApiError> {
    let environment = &caller.environment.id;
    let actor = caller.actor();
    let why = Revocation {
        actor: &actor,
        request: Some(caller.request),
        because: "revoked by the customer",
    };
    let mut tx = app.db.begin().await?;
    let mut rows = delegations::of_wallet(tx.conn(), environment, wallet.wallet).await?;
    rows.retain(which);
    let mut ended = Vec::new();
    for row in &rows {
        if delegation::revoke(&mut tx, row, why).await? {
            ended.push(row.id);
        }
    }
    halfkey_core::crash_point("revoke.before-commit");
    tx.commit().await?;
    halfkey_core::crash_point("revoke.after-commit");
    delegation::end_ceremonies(app, environment, &ended).await;
    if !ended.is_empty() {
        app.advance_anchor().await;
    }
    Ok(rows.len())
}
