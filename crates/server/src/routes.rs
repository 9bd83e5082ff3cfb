//! The HTTP routes.

mod abort;
mod attempt;
mod authenticate;
mod backup;
mod change;
mod change_commit;
mod commit;
mod create;
mod delegation_keys;
mod deliver;
mod escrow;
mod escrow_keys;
mod events;
mod export;
mod fall_back;
mod freeze;
mod health;
mod identity;
mod once;
mod prove;
mod recipient;
mod revoke;
mod round;
mod sign;
mod wallets;
mod webhooks;

use std::sync::Arc;

use crate::db::sql::SqliteConnection;
use axum::Router;
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use halfkey_core::wire::{API_PREFIX, ErrorCode};
use halfkey_core::{AttemptId, Generation, WalletId};
use tower_http::catch_panic::CatchPanicLayer;

use crate::api_error::ApiError;
use crate::app::{App, Environment};
use crate::auth::Caller;
use crate::db::changes::{self, StagedChange};
use crate::db::locks;
use crate::db::wallets::WalletRow;
use crate::web::finish::finish;

/// Every route, wrapped in the outermost layer.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let sdk = Router::new()
        .route("/create", post(create::create))
        .route("/ceremonies/{reference}", post(round::round))
        .route("/attempts/{attempt}", get(attempt::attempt))
        .route("/byWalletAddress/{address}", get(wallets::by_address))
        .route("/{wallet}/signMessage", post(sign::sign_message))
        .route("/{wallet}/refresh", post(change::refresh))
        .route("/{wallet}/reshare", post(change::reshare))
        .route("/{wallet}/export", post(export::export))
        .route("/{wallet}/generations/recover", post(fall_back::recover))
        .route("/{wallet}/keyShares/backup", post(backup::store))
        .route("/{wallet}/keyShares/recover", post(backup::recover))
        .route(
            "/{wallet}/keyShares/backup/locations",
            post(backup::locations),
        )
        .route("/{wallet}/keyShares/backup/drop", post(backup::forget))
        .route(
            "/delegatedAccess/encryptionPublicKey",
            get(delegation_keys::newest),
        )
        .route("/{wallet}/delegatedAccess/delivery", post(deliver::deliver))
        .route("/{wallet}/delegatedAccess/{id}", delete(revoke::one))
        .route("/{wallet}/attempts/{attempt}/prove", post(prove::prove))
        .route("/{wallet}/attempts/{attempt}/escrow", post(escrow::escrow))
        .route("/{wallet}/attempts/{attempt}/commit", post(commit::commit))
        .route("/{wallet}/attempts/{attempt}/abort", post(abort::abort));
    let environments = Router::new()
        .route("/identity", get(identity::identity))
        .route("/waas/authenticate", post(authenticate::authenticate))
        .route("/waas/wallets", get(wallets::list))
        .route("/waas/freezes", get(freeze::list))
        .route("/waas/freeze", post(freeze::freeze))
        .route("/waas/unfreeze", post(freeze::unfreeze))
        .route("/waas/tokens/revokeOthers", post(freeze::revoke_others))
        .route(
            "/waas/exportRecipients",
            get(recipient::list).post(recipient::add),
        )
        .route(
            "/waas/exportRecipients/{recipient}/remove",
            post(recipient::remove),
        )
        .route(
            "/waas/escrowKeys",
            get(escrow_keys::list).post(escrow_keys::add),
        )
        .route(
            "/waas/escrowKeys/{recipient}/remove",
            post(escrow_keys::remove),
        )
        .merge(delegation())
        .route("/waas/{wallet}", get(wallets::by_id));
    let api = Router::new()
        .nest("/sdk/{env}/waas", sdk)
        .nest("/environments/{env}", environments);
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .nest(API_PREFIX, api)
        .fallback(async || ApiError::not_found("route").into_response())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(Arc::clone(app), finish))
        .with_state(Arc::clone(app))
}

/// What is said about delegates, below an environment.
fn delegation() -> Router<Arc<App>> {
    Router::new()
        .route("/events", get(events::list))
        .route("/webhooks", get(webhooks::list).post(webhooks::create))
        .route(
            "/webhooks/{id}",
            get(webhooks::one)
                .put(webhooks::update)
                .delete(webhooks::delete),
        )
        .route("/webhooks/{id}/messages", get(webhooks::messages))
        .route(
            "/webhooks/{id}/messages/{message}/redeliver",
            post(webhooks::redeliver),
        )
        .route("/waas/delegatedAccess/revoke", post(revoke::many))
        .route(
            "/waas/delegatedAccess/encryptionPublicKeys",
            get(delegation_keys::list).post(delegation_keys::register),
        )
        .route(
            "/waas/delegatedAccess/encryptionPublicKeys/{kid}",
            get(delegation_keys::one).delete(delegation_keys::revoke),
        )
        .route(
            "/waas/{wallet}/delegatedAccess",
            get(revoke::list).delete(revoke::all_of_wallet),
        )
        .route(
            "/waas/{wallet}/delegatedAccess/signMessage",
            post(sign::sign_delegated),
        )
}

/// A bug; what it said stays inside.
fn panicked(_what: Box<dyn core::any::Any + Send>) -> Response {
    ApiError::internal("a request handler panicked").into_response()
}

/// A wallet of the caller's environment; any other is not there.
async fn wallet_of(
    app: &App,
    environment: &Environment,
    wallet: &str,
) -> Result<WalletRow, ApiError> {
    let none = || ApiError::not_found("wallet");
    let id = wallet.parse::<WalletId>().map_err(|_| none())?;
    let mut conn = app.db.read().acquire().await?;
    crate::db::wallets::by_id(&mut conn, &environment.id, id)
        .await?
        .ok_or_else(none)
}

/// The change an attempt has staged, and the wallet as it would be under it, with the locks of that
/// generation; `None` when the attempt makes a new wallet.
async fn staged_wallet(
    conn: &mut SqliteConnection,
    caller: &Caller,
    wallet: &WalletRow,
    attempt: AttemptId,
) -> Result<Option<(StagedChange, WalletRow)>, ApiError> {
    let environment = &caller.environment.id;
    let Some(change) = changes::by_attempt(conn, environment, attempt).await? else {
        return Ok(None);
    };
    let mut staged = change.applied_to(wallet);
    if locks::exists(conn, environment, (wallet.wallet, change.generation)).await? {
        staged.locked = Some("cheating was proven in its own proof".to_owned());
    }
    Ok(Some((change, staged)))
}

fn attempt_id(text: &str) -> Result<AttemptId, ApiError> {
    text.parse().map_err(ApiError::from)
}

/// Refuses a wallet whose generation does not sign.
fn check_unlocked(app: &App, environment: &Environment, row: &WalletRow) -> Result<(), ApiError> {
    let held = app
        .pending
        .holds(&environment.id, (row.wallet, row.generation));
    if held || row.locked.is_some() {
        let message = "the wallet is locked after cheating was proven";
        return Err(ApiError::new(ErrorCode::WalletLocked, message));
    }
    if row.refresh_needed.is_some() {
        let message = "the wallet signs again only after a complete refresh";
        return Err(ApiError::new(ErrorCode::NeedsCompleteRefresh, message));
    }
    Ok(())
}

/// Refuses shares of another generation or attempt than the wallet's.
fn check_generation(
    row: &WalletRow,
    generation: Generation,
    attempt: AttemptId,
) -> Result<(), ApiError> {
    if row.generation == generation && row.attempt == attempt {
        return Ok(());
    }
    let message = "the shares are not of the wallet's active generation";
    let payload = serde_json::json!({ "generation": row.generation, "attemptId": row.attempt });
    Err(ApiError::new(ErrorCode::StaleGeneration, message).with_payload(payload))
}
