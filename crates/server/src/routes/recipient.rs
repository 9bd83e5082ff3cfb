use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use halfkey_core::wire::{
    AddRecipientRequest, ErrorCode, ExportRecipient, RecipientReply, RecipientsReply, Scope,
};
use halfkey_mpc::age::Recipient;

use super::once::Once;
use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::{Caller, Credential};
use crate::db::{Entry, recipients};
use crate::web::Call;

/// Keys on one environment's list.
const MOST: usize = 64;

/// `GET /environments/{env}/waas/exportRecipients`.
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
    let reply = RecipientsReply {
        recipients: recipients::all(&mut conn, environment).await?,
        is_required: recipients::is_required(&mut conn, environment).await?,
    };
    call.reply().ok(&reply)
}

/// `POST /environments/{env}/waas/exportRecipients`: allows exports to a key, from when its delay
/// is over. From the first one on, every export has to name one (custody rule 28). Takes the API
/// token.
pub(super) async fn add(
    State(app): State<Arc<App>>,
    Path(env): Path<String>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::Either, Some(Scope::Recipients))
        .await?;
    let key = call.idempotency_key()?;
    let decoded = call.decode::<AddRecipientRequest>().await?;
    let once = Once::new(&caller, "exportRecipients/add", key, decoded.digest);
    let (worker, body) = (Arc::clone(&app), decoded.body);
    let reply = app
        .to_the_end(async move { put(&worker, &caller, body, &once).await })
        .await?;
    decoded.reply.ok(&reply)
}

async fn put(
    app: &App,
    caller: &Caller,
    body: AddRecipientRequest,
    once: &Once,
) -> Result<RecipientReply, ApiError> {
    let key = text_of(&body.recipient)?;
    check_name(&body.name)?;
    let environment = &caller.environment.id;
    let mut tx = app.db.begin().await?;
    // A late repeat does not list again what was removed since.
    if let Some(first) = once.first(&mut tx).await? {
        return Ok(first);
    }
    if let Some(recipient) = recipients::listed(tx.conn(), environment, &key).await? {
        // A repeat does not begin the delay again, nor end it.
        let reply = RecipientReply {
            recipient,
            activity: None,
        };
        once.keep(&mut tx, &reply).await?;
        tx.commit().await?;
        return Ok(reply);
    }
    if recipients::all(tx.conn(), environment).await?.len() >= MOST {
        let message = format!("an environment has at most {MOST} recipients: remove one");
        return Err(ApiError::new(ErrorCode::TooManyRequests, message));
    }
    let delay = i64::try_from(app.limits.recipient_delay.as_millis()).unwrap_or(i64::MAX);
    let recipient = ExportRecipient {
        recipient: key,
        name: body.name,
        added_at: tx.now(),
        usable_at: tx.now().saturating_add_millis(delay),
    };
    recipients::insert(&mut tx, environment, &recipient).await?;
    let actor = caller.actor();
    let entry = Entry::new(environment, "recipient.added", &actor)
        .request(caller.request)
        .detail(serde_json::json!({
            "recipient": recipient.recipient,
            "name": recipient.name,
            "usableAt": recipient.usable_at,
        }));
    let activity = tx.record(&entry).await?;
    let reply = RecipientReply {
        recipient,
        activity: Some(activity),
    };
    once.keep(&mut tx, &reply).await?;
    tx.commit().await?;
    app.advance_anchor().await;
    Ok(reply)
}

/// `POST /environments/{env}/waas/exportRecipients/{recipient}/remove`: exports may not go there
/// any more. Takes the API token.
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    Path((env, recipient)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::Either, Some(Scope::Recipients))
        .await?;
    let key = call.idempotency_key()?;
    let decoded = call.unparsed().await?;
    let once = Once::new(&caller, "exportRecipients/remove", key, decoded.digest);
    let worker = Arc::clone(&app);
    let reply = app
        .to_the_end(async move { take_off(&worker, &caller, &recipient, &once).await })
        .await?;
    decoded.reply.ok(&reply)
}

async fn take_off(
    app: &App,
    caller: &Caller,
    recipient: &str,
    once: &Once,
) -> Result<RecipientReply, ApiError> {
    let key = text_of(recipient)?;
    let environment = &caller.environment.id;
    let mut tx = app.db.begin().await?;
    if let Some(first) = once.first(&mut tx).await? {
        return Ok(first);
    }
    let found = recipients::listed(tx.conn(), environment, &key).await?;
    let recipient = found.ok_or_else(|| ApiError::not_found("recipient"))?;
    recipients::remove(&mut tx, environment, &key).await?;
    let actor = caller.actor();
    let entry = Entry::new(environment, "recipient.removed", &actor)
        .request(caller.request)
        .detail(serde_json::json!({ "recipient": key }));
    let activity = tx.record(&entry).await?;
    let reply = RecipientReply {
        recipient,
        activity: Some(activity),
    };
    once.keep(&mut tx, &reply).await?;
    tx.commit().await?;
    app.advance_anchor().await;
    Ok(reply)
}

pub(super) fn check_name(name: &str) -> Result<(), ApiError> {
    if name.is_empty() || name.chars().count() > 100 {
        return Err(ApiError::invalid("a name is 1 to 100 characters"));
    }
    Ok(())
}

/// The one text form of a key.
pub(super) fn text_of(recipient: &str) -> Result<String, ApiError> {
    let key: Recipient = recipient
        .parse()
        .map_err(|error: halfkey_mpc::Error| ApiError::invalid(error.to_string()))?;
    Ok(key.to_string())
}

/// The recipient of an export, which has to be on the list and past its delay (custody rule 28).
pub(super) async fn of_export(
    app: &App,
    caller: &Caller,
    named: Option<&str>,
) -> Result<Option<Recipient>, ApiError> {
    let refused = |message: String| Err(ApiError::new(ErrorCode::RecipientRefused, message));
    let environment = &caller.environment.id;
    let mut conn = app.db.read().acquire().await?;
    let Some(named) = named else {
        if recipients::is_required(&mut conn, environment).await? {
            let message = "this environment exports to listed recipients only: name one";
            return refused(message.to_owned());
        }
        return Ok(None);
    };
    let key = text_of(named)?;
    match recipients::listed(&mut conn, environment, &key).await? {
        None => refused("the recipient is not on this environment's list".to_owned()),
        Some(one) if one.usable_at > app.now() => {
            let message = format!("the recipient may be used from {} on", one.usable_at);
            refused(message)
        }
        Some(_) => key
            .parse()
            .map(Some)
            .map_err(|_| ApiError::internal("a listed recipient is no key")),
    }
}
