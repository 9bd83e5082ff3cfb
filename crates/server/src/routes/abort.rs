use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use halfkey_core::wire::{
    AbortReply, ActivityRef, AttemptState, ChangeOperation, Scope, WalletState,
};
use halfkey_core::{AttemptId, Generation, WalletId, crash_point};

use super::attempt_id;
use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::{Caller, Credential};
use crate::ceremony::running::dispose_all;
use crate::db::attempts::AttemptRow;
use crate::db::slots::SlotOutcome;
use crate::db::{Entry, Tx, attempts, changes, wallets};
use crate::web::Call;

/// Each of them lets some attempt be ended.
const ENDING: [Scope; 4] = [Scope::Create, Scope::Refresh, Scope::Reshare, Scope::Export];

/// What an abort found.
#[derive(Debug)]
pub(super) enum Aborted {
    /// It was staged or unknown and is aborted by this.
    Now(ActivityRef),
    /// It was aborted before.
    Before(AttemptRow),
    /// It is committed, and stays so.
    Never(AttemptRow),
}

/// `POST …/{wallet}/attempts/{attempt}/abort`: a tombstone that beats any later commit. A committed
/// attempt stays committed; the signed reply says which. Takes what the operation took that the
/// attempt is of: a new wallet's goes with the scope to create, a change's with its own.
pub(super) async fn abort(
    State(app): State<Arc<App>>,
    Path((env, wallet, attempt)): Path<(String, String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call.authorize(&env, Credential::Either, None).await?;
    // Which one it has to be depends on the attempt.
    if !ENDING.iter().any(|scope| caller.require(*scope).is_ok()) {
        caller.require(Scope::Create)?;
    }
    let wallet = wallet
        .parse::<WalletId>()
        .map_err(|_| ApiError::not_found("wallet"))?;
    let attempt = attempt_id(&attempt)?;
    let worker = Arc::clone(&app);
    let reply = app
        .to_the_end(async move { abort_attempt(&worker, &caller, wallet, attempt).await })
        .await?;
    call.reply().ok(&reply)
}

async fn abort_attempt(
    app: &Arc<App>,
    caller: &Caller,
    wallet: WalletId,
    attempt: AttemptId,
) -> Result<AbortReply, ApiError> {
    let environment = &caller.environment;
    let mut tx = app.db.begin().await?;
    check_scope(&mut tx, caller, wallet, attempt).await?;
    let aborted = abort_in(&mut tx, caller, Some(wallet), attempt).await?;
    crash_point("abort.before-commit");
    tx.commit().await?;
    crash_point("abort.after-commit");
    app.advance_anchor().await;
    let (state, activity) = match aborted {
        Aborted::Now(activity) => (AttemptState::Aborted, Some(activity)),
        Aborted::Before(row) | Aborted::Never(row) => (row.state, row.settled),
    };
    if state == AttemptState::Aborted {
        let cells = app.table.kill_attempt(&environment.id, attempt);
        dispose_all(app, cells, SlotOutcome::Refused).await;
    }
    let activity =
        activity.ok_or_else(|| ApiError::internal("a settled attempt without its entry"))?;
    Ok(AbortReply {
        attempt: app.attempt_reply(environment, attempt, Some(wallet), state),
        activity,
    })
}

/// An attempt ends by the scope it begins with, so that a token that may not change a wallet's
/// shares cannot keep them from being changed either (custody rule 28).
async fn check_scope(
    tx: &mut Tx,
    caller: &Caller,
    wallet: WalletId,
    attempt: AttemptId,
) -> Result<(), ApiError> {
    let environment = &caller.environment.id;
    if let Some(change) = changes::by_attempt(tx.conn(), environment, attempt).await? {
        return caller.require(match change.operation {
            ChangeOperation::Refresh => Scope::Refresh,
            _ => Scope::Reshare,
        });
    }
    let known = attempts::by_id(tx.conn(), environment, attempt).await?;
    let owner = wallets::by_id(tx.conn(), environment, wallet).await?;
    let is_active = owner.is_some_and(|row| row.stored_state == WalletState::Active);
    if known.is_none() && is_active {
        // Of a wallet that was made, an attempt to come is no create.
        let may_end = [Scope::Refresh, Scope::Reshare, Scope::Export];
        if may_end.iter().any(|scope| caller.require(*scope).is_ok()) {
            return Ok(());
        }
        return caller.require(Scope::Refresh);
    }
    caller.require(Scope::Create)
}

/// Aborts in a transaction of the caller's: one compare-and-set (custody rule 6). `wallet` is what
/// the caller believes the attempt belongs to.
pub(super) async fn abort_in(
    tx: &mut Tx,
    caller: &Caller,
    wallet: Option<WalletId>,
    attempt: AttemptId,
) -> Result<Aborted, ApiError> {
    let environment = &caller.environment.id;
    let known = attempts::by_id(tx.conn(), environment, attempt).await?;
    let owner = known.as_ref().and_then(|row| row.wallet);
    if wallet.is_some() && owner.is_some() && wallet != owner {
        return Err(ApiError::not_found("attempt"));
    }
    match known {
        Some(row) if row.state == AttemptState::Aborted => return Ok(Aborted::Before(row)),
        Some(row) if row.state != AttemptState::Staged => return Ok(Aborted::Never(row)),
        _ => {}
    }
    let actor = caller.actor();
    let mut entry = Entry::new(environment, "attempt.aborted", &actor)
        .attempt(attempt)
        .request(caller.request);
    if let Some(owner) = owner {
        entry = entry.wallet(owner);
    }
    let activity = tx.record(&entry).await?;
    if !attempts::abort(tx, environment, attempt, Generation(0), &activity).await? {
        return Err(ApiError::internal(
            "a staged attempt did not become aborted",
        ));
    }
    if let Some(owner) = owner {
        wallets::abort(tx, environment, owner).await?;
    }
    Ok(Aborted::Now(activity))
}
