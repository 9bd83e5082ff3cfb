use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use halfkey_core::WalletId;
use halfkey_core::wire::{
    Freeze, FreezeReply, FreezeRequest, FreezesReply, RevokeOthersReply, Scope, UnfreezeRequest,
};

use super::once::Once;
use super::wallet_of;
use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::{Caller, Credential};
use crate::ceremony::running::dispose_all;
use crate::db::slots::SlotOutcome;
use crate::db::{Entry, freezes, tokens};
use crate::web::Call;

/// `GET /environments/{env}/waas/freezes`.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path(env): Path<String>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::Either, Some(Scope::Read))
        .await?;
    let mut conn = app.db.read().acquire().await?;
    let freezes = freezes::all(&mut conn, &caller.environment.id).await?;
    call.reply().ok(&FreezesReply { freezes })
}

/// `POST /environments/{env}/waas/freeze`. Takes the API token.
pub(super) async fn freeze(
    State(app): State<Arc<App>>,
    Path(env): Path<String>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::Either, Some(Scope::Freeze))
        .await?;
    let key = call.idempotency_key()?;
    let decoded = call.decode::<FreezeRequest>().await?;
    let once = Once::new(&caller, "freeze", key, decoded.digest);
    let (worker, body) = (Arc::clone(&app), decoded.body);
    let reply = app
        .to_the_end(async move { hold(&worker, &caller, body, &once).await })
        .await?;
    decoded.reply.ok(&reply)
}

async fn hold(
    app: &Arc<App>,
    caller: &Caller,
    body: FreezeRequest,
    once: &Once,
) -> Result<FreezeReply, ApiError> {
    if body.reason.is_empty() || body.reason.chars().count() > 500 {
        return Err(ApiError::invalid("a reason is 1 to 500 characters"));
    }
    if let Some(wallet) = &body.wallet_id {
        wallet_of(app, &caller.environment, &wallet.to_string()).await?;
    }
    let environment = &caller.environment.id;
    let mut tx = app.db.begin().await?;
    // A late repeat does not freeze again what was unfrozen since.
    if let Some(first) = once.first(&mut tx).await? {
        return Ok(first);
    }
    let held = freezes::of(tx.conn(), environment, body.wallet_id.as_ref()).await?;
    let reply = if let Some(freeze) = held {
        let reply = FreezeReply {
            freeze,
            activity: None,
        };
        once.keep(&mut tx, &reply).await?;
        tx.commit().await?;
        reply
    } else {
        let freeze = Freeze {
            wallet_id: body.wallet_id,
            reason: body.reason,
            frozen_at: tx.now(),
        };
        freezes::insert(&mut tx, environment, &freeze).await?;
        let actor = caller.actor();
        let entry = entry(caller, "frozen", &actor, freeze.wallet_id)
            .detail(serde_json::json!({ "reason": freeze.reason }));
        let activity = tx.record(&entry).await?;
        let reply = FreezeReply {
            freeze,
            activity: Some(activity),
        };
        once.keep(&mut tx, &reply).await?;
        tx.commit().await?;
        app.advance_anchor().await;
        reply
    };
    caller.environment.keys.forget();
    // What is under way ends now, not at its next round.
    let killed = match &reply.freeze.wallet_id {
        Some(wallet) => app.table.kill_wallet(environment, *wallet, None),
        None => app.table.kill_environment(environment),
    };
    dispose_all(app, killed, SlotOutcome::Refused).await;
    Ok(reply)
}

fn entry<'a>(
    caller: &'a Caller,
    kind: &'a str,
    actor: &'a str,
    wallet: Option<WalletId>,
) -> Entry<'a> {
    let entry = Entry::new(&caller.environment.id, kind, actor).request(caller.request);
    match wallet {
        Some(wallet) => entry.wallet(wallet),
        None => entry,
    }
}

/// `POST /environments/{env}/waas/unfreeze`. Takes the API token.
pub(super) async fn unfreeze(
    State(app): State<Arc<App>>,
    Path(env): Path<String>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::Either, Some(Scope::Unfreeze))
        .await?;
    let key = call.idempotency_key()?;
    let decoded = call.decode::<UnfreezeRequest>().await?;
    let once = Once::new(&caller, "unfreeze", key, decoded.digest);
    let (worker, wallet) = (Arc::clone(&app), decoded.body.wallet_id);
    let reply = app
        .to_the_end(async move { release(&worker, &caller, wallet, &once).await })
        .await?;
    decoded.reply.ok(&reply)
}

async fn release(
    app: &App,
    caller: &Caller,
    wallet: Option<WalletId>,
    once: &Once,
) -> Result<FreezeReply, ApiError> {
    let environment = &caller.environment.id;
    let mut tx = app.db.begin().await?;
    // A late repeat does not unfreeze what was frozen again since.
    if let Some(first) = once.first(&mut tx).await? {
        return Ok(first);
    }
    let held = freezes::of(tx.conn(), environment, wallet.as_ref()).await?;
    let freeze = held.ok_or_else(|| ApiError::not_found("freeze"))?;
    freezes::end(&mut tx, environment, wallet.as_ref()).await?;
    let actor = caller.actor();
    let activity = tx
        .record(&entry(caller, "unfrozen", &actor, wallet))
        .await?;
    let reply = FreezeReply {
        freeze,
        activity: Some(activity),
    };
    once.keep(&mut tx, &reply).await?;
    tx.commit().await?;
    app.advance_anchor().await;
    Ok(reply)
}

/// `POST /environments/{env}/waas/tokens/revokeOthers`: ends every token of the environment but the
/// caller's, with their sessions. Takes the API token.
pub(super) async fn revoke_others(
    State(app): State<Arc<App>>,
    Path(env): Path<String>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::Either, Some(Scope::Freeze))
        .await?;
    let key = call.idempotency_key()?;
    let decoded = call.unparsed().await?;
    let once = Once::new(&caller, "revokeOthers", key, decoded.digest);
    let worker = Arc::clone(&app);
    let reply = app
        .to_the_end(async move { end_others(&worker, &caller, &once).await })
        .await?;
    decoded.reply.ok(&reply)
}

async fn end_others(
    app: &App,
    caller: &Caller,
    once: &Once,
) -> Result<RevokeOthersReply, ApiError> {
    let environment = &caller.environment.id;
    let mut tx = app.db.begin().await?;
    // A late repeat does not end tokens that were made since.
    if let Some(first) = once.first(&mut tx).await? {
        return Ok(first);
    }
    let mut revoked = Vec::new();
    for token in tokens::all(tx.conn(), environment).await? {
        if token.id == caller.token || token.revoked_at.is_some() {
            continue;
        }
        tokens::revoke(&mut tx, environment, token.id).await?;
        revoked.push(token.id.to_string());
    }
    if revoked.is_empty() {
        let reply = RevokeOthersReply {
            revoked,
            activity: None,
        };
        once.keep(&mut tx, &reply).await?;
        tx.commit().await?;
        return Ok(reply);
    }
    let actor = caller.actor();
    let entry = entry(caller, "tokens.revoked", &actor, None)
        .detail(serde_json::json!({ "tokens": revoked }));
    let activity = tx.record(&entry).await?;
    let reply = RevokeOthersReply {
        revoked,
        activity: Some(activity),
    };
    once.keep(&mut tx, &reply).await?;
    tx.commit().await?;
    app.advance_anchor().await;
    Ok(reply)
}
