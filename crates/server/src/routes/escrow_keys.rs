//! The keys that a customer keeps apart from its shares, to which the provider's are sealed
//! (custody rule 30). Whoever names them decides where key material may go: the scope is that of
//! recipients.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use halfkey_core::wire::{
    AddRecipientRequest, EscrowKeysReply, ExportRecipient, RecipientReply, Scope,
};

use super::recipient::{check_name, text_of};
use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::{Caller, Credential};
use crate::db::{Entry, escrows};
use crate::web::Call;

/// Keys of one environment at once: the one in force, one that waits, and some that are kept for
/// what was sealed to them.
const MOST: usize = 8;

/// `GET /environments/{env}/waas/escrowKeys`.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path(env): Path<String>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::Either, Some(Scope::Read))
        .await?;
    let environment = &caller.environment.id;
    let mut conn = app.db.read().acquire().await?;
    let reply = EscrowKeysReply {
        keys: escrows::keys(&mut conn, environment).await?,
        in_force: escrows::in_force(&mut conn, environment, app.now()).await?,
    };
    call.reply().ok(&reply)
}

/// `POST /environments/{env}/waas/escrowKeys`: registers a key. From when its delay is over, a
/// generation of a `TWO_OF_TWO` wallet is committed only once it is sealed to it and the customer
/// has said that it has that. Takes the API token.
pub(super) async fn add(
    State(app): State<Arc<App>>,
    Path(env): Path<String>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::Either, Some(Scope::Recipients))
        .await?;
    let decoded = call.decode::<AddRecipientRequest>().await?;
    let (worker, body) = (Arc::clone(&app), decoded.body);
    let reply = app
        .to_the_end(async move { put(&worker, &caller, body).await })
        .await?;
    decoded.reply.ok(&reply)
}

async fn put(
    app: &App,
    caller: &Caller,
    body: AddRecipientRequest,
) -> Result<RecipientReply, ApiError> {
    let key = text_of(&body.recipient)?;
    check_name(&body.name)?;
    let environment = &caller.environment.id;
    let mut tx = app.db.begin().await?;
    let keys = escrows::keys(tx.conn(), environment).await?;
    let registered = keys.len();
    if let Some(recipient) = keys.into_iter().find(|one| one.recipient == key) {
        // A repeat does not begin the delay again, nor end it.
        return Ok(RecipientReply {
            recipient,
            activity: None,
        });
    }
    if registered >= MOST {
        let message = format!("an environment has at most {MOST} escrow keys: remove one");
        return Err(ApiError::invalid(message));
    }
    let delay = i64::try_from(app.limits.recipient_delay.as_millis()).unwrap_or(i64::MAX);
    let recipient = ExportRecipient {
        recipient: key,
        name: body.name,
        added_at: tx.now(),
        usable_at: tx.now().saturating_add_millis(delay),
    };
    escrows::insert_key(&mut tx, environment, &recipient).await?;
    let actor = caller.actor();
    let entry = Entry::new(environment, "escrow_key.added", &actor)
        .request(caller.request)
        .detail(serde_json::json!({
            "recipient": recipient.recipient,
            "name": recipient.name,
            "usableAt": recipient.usable_at,
        }));
    let activity = tx.record(&entry).await?;
    tx.commit().await?;
    app.advance_anchor().await;
    Ok(RecipientReply {
        recipient,
        activity: Some(activity),
    })
}

/// `POST /environments/{env}/waas/escrowKeys/{recipient}/remove`: nothing is sealed to the key any
/// more; what was, stays. Without a key left, commits go without escrow. Takes the API token.
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    Path((env, recipient)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::Either, Some(Scope::Recipients))
        .await?;
    let decoded = call.unparsed().await?;
    let worker = Arc::clone(&app);
    let reply = app
        .to_the_end(async move { take_off(&worker, &caller, &recipient).await })
        .await?;
    decoded.reply.ok(&reply)
}

async fn take_off(app: &App, caller: &Caller, recipient: &str) -> Result<RecipientReply, ApiError> {
    let key = text_of(recipient)?;
    let environment = &caller.environment.id;
    let mut tx = app.db.begin().await?;
    let keys = escrows::keys(tx.conn(), environment).await?;
    let found = keys.into_iter().find(|one| one.recipient == key);
    let recipient = found.ok_or_else(|| ApiError::not_found("escrow key"))?;
    escrows::remove_key(&mut tx, environment, &key).await?;
    let actor = caller.actor();
    let entry = Entry::new(environment, "escrow_key.removed", &actor)
        .request(caller.request)
        .detail(serde_json::json!({ "recipient": key }));
    let activity = tx.record(&entry).await?;
    tx.commit().await?;
    app.advance_anchor().await;
    Ok(RecipientReply {
        recipient,
        activity: Some(activity),
    })
}
