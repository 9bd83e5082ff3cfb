use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use halfkey_core::wire::{ErrorCode, Scope};
use http::StatusCode;

use super::once::Once;
use crate::api_error::ApiError;
use crate::app::{App, Environment};
use crate::auth::{Caller, Credential};
use crate::db::messages::{self, MessageRow};
use crate::db::sql;
use crate::db::webhooks::{self, WebhookRow};
use crate::db::{Entry, Tx, events};
use crate::ids::random_id;
use crate::web::Call;
use crate::webhooks::wire::{
    RedeliverReply, WebhookBody, WebhookInfo, WebhookMessage, WebhookMessagesReply, WebhooksReply,
};
use crate::webhooks::{Allowed, Target, secret};

/// Webhooks of one environment.
const MOST: usize = 16;
/// Messages that a list shows.
const SHOWN: u64 = 100;
/// What a webhook may ask for.
const NAMES: [&str; 2] = [crate::delegation::CREATED, crate::delegation::REVOKED];

/// `POST /environments/{env}/webhooks`. Its secret is in this reply and in that of a rotation, and
/// nowhere else. Takes the API token, as every route here does.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Path(env): Path<String>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = allowed(&call, &env).await?;
    let key = call.idempotency_key()?;
    let decoded = call.decode::<WebhookBody>().await?;
    let once = Once::new(&caller, "webhooks/create", key, decoded.digest);
    let (worker, body) = (Arc::clone(&app), decoded.body);
    let made = app
        .to_the_end(async move { created(&worker, &caller, &body, &once).await })
        .await?;
    decoded.reply.with_status(StatusCode::CREATED, &made)
}

fn allowed<'a>(
    call: &'a Call,
    env: &'a str,
) -> impl Future<Output = Result<Caller, ApiError>> + Send + 'a {
    call.authorize(env, Credential::ApiToken, Some(Scope::Delegate))
}

async fn created(
    app: &App,
    caller: &Caller,
    body: &WebhookBody,
    once: &Once,
) -> Result<WebhookInfo, ApiError> {
    let environment = &caller.environment;
    let url = body.url.as_deref();
    let url = url.ok_or_else(|| ApiError::invalid("a webhook has a url"))?;
    check(environment, Some(url), body.events.as_deref())?;
    let mut tx = app.db.begin().await?;
    if let Some(first) = once.first::<String>(&mut tx).await? {
        let row = webhooks::by_id(tx.conn(), &environment.id, &parsed(&first)?).await?;
        return Ok(with_secret(environment, &row.ok_or_else(no_webhook)?));
    }
    if webhooks::all(tx.conn(), &environment.id).await?.len() >= MOST {
        let message = "an environment has at most 16 webhooks";
        return Err(ApiError::invalid(message));
    }
    let row = WebhookRow {
        id: random_id(),
        url: url.to_owned(),
        events: body.events.clone().unwrap_or_default(),
        enabled: body.is_enabled.unwrap_or(true),
        secret_version: 1,
        created_at: tx.now(),
        updated_at: tx.now(),
    };
    webhooks::insert(&mut tx, &environment.id, &row).await?;
    record(&mut tx, caller, "webhook.created", &row).await?;
    once.keep(&mut tx, &hex::encode(row.id)).await?;
    tx.commit().await?;
    Ok(with_secret(environment, &row))
}

fn check(
    environment: &Environment,
    url: Option<&str>,
    events: Option<&[String]>,
) -> Result<(), ApiError> {
    let allowed = if environment.allow_loopback_webhooks {
        Allowed::Loopback
    } else {
        Allowed::Public
    };
    if let Some(url) = url {
        Target::parse(url, allowed).map_err(ApiError::invalid)?;
    }
    let known = |name: &String| NAMES.contains(&name.as_str());
    if !events.unwrap_or_default().iter().all(known) {
        let message = format!("events are {}; none for all", NAMES.join(" and "));
        return Err(ApiError::invalid(message));
    }
    Ok(())
}

async fn record(
    tx: &mut Tx,
    caller: &Caller,
    kind: &'static str,
    row: &WebhookRow,
) -> Result<(), sql::Error> {
    let actor = caller.actor();
    let entry = Entry::new(&caller.environment.id, kind, &actor)
        .request(caller.request)
        .detail(serde_json::json!({
            "webhook": hex::encode(row.id),
            "events": row.events,
            "enabled": row.enabled,
        }));
    tx.record(&entry).await.map(drop)
}

/// `GET /environments/{env}/webhooks`.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path(env): Path<String>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = allowed(&call, &env).await?;
    let mut conn = app.db.read().acquire().await?;
    let rows = webhooks::all(&mut conn, &caller.environment.id).await?;
    call.reply().ok(&WebhooksReply {
        webhooks: rows.iter().map(described).collect(),
    })
}

/// `GET /environments/{env}/webhooks/{id}`.
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path((env, id)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = allowed(&call, &env).await?;
    let mut conn = app.db.read().acquire().await?;
    let row = webhooks::by_id(&mut conn, &caller.environment.id, &parsed(&id)?).await?;
    call.reply().ok(&described(&row.ok_or_else(no_webhook)?))
}

/// `PUT /environments/{env}/webhooks/{id}`: what is given changes, the rest stays. With
/// `rotateSecret` it gets another secret, which is in the reply.
pub(super) async fn update(
    State(app): State<Arc<App>>,
    Path((env, id)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = allowed(&call, &env).await?;
    let id = parsed(&id)?;
    let key = call.idempotency_key()?;
    let decoded = call.decode::<WebhookBody>().await?;
    let once = Once::new(&caller, "webhooks/update", key, decoded.digest);
    let (worker, body) = (Arc::clone(&app), decoded.body);
    let updated = app
        .to_the_end(async move { updated(&worker, &caller, &id, body, &once).await })
        .await?;
    decoded.reply.ok(&updated)
}

async fn updated(
    app: &App,
    caller: &Caller,
    id: &[u8; 16],
    body: WebhookBody,
    once: &Once,
) -> Result<WebhookInfo, ApiError> {
    let environment = &caller.environment;
    check(environment, body.url.as_deref(), body.events.as_deref())?;
    let mut tx = app.db.begin().await?;
    let row = webhooks::by_id(tx.conn(), &environment.id, id).await?;
    let mut row = row.ok_or_else(no_webhook)?;
    // A late repeat changes nothing and does not rotate the secret again: it is told how things
    // stand.
    if once.first::<()>(&mut tx).await?.is_none() {
        row.url = body.url.unwrap_or(row.url);
        row.events = body.events.unwrap_or(row.events);
        row.enabled = body.is_enabled.unwrap_or(row.enabled);
        if body.rotate_secret {
            row.secret_version = row.secret_version.saturating_add(1);
        }
        row.updated_at = tx.now();
        webhooks::update(&mut tx, &environment.id, &row).await?;
        record(&mut tx, caller, "webhook.updated", &row).await?;
        once.keep(&mut tx, &()).await?;
        tx.commit().await?;
    }
    Ok(if body.rotate_secret {
        with_secret(environment, &row)
    } else {
        described(&row)
    })
}

/// `DELETE /environments/{env}/webhooks/{id}`: with everything that was to be told to it.
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Path((env, id)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = allowed(&call, &env).await?;
    let (id, key) = (parsed(&id)?, call.idempotency_key()?);
    let once = Once::new(
        &caller,
        "webhooks/delete",
        key,
        call.unparsed().await?.digest,
    );
    let worker = Arc::clone(&app);
    app.to_the_end(async move {
        let environment = &caller.environment.id;
        let mut tx = worker.db.begin().await?;
        if once.first::<()>(&mut tx).await?.is_some() {
            return Ok(());
        }
        let row = webhooks::by_id(tx.conn(), environment, &id).await?;
        let row = row.ok_or_else(no_webhook)?;
        webhooks::delete(&mut tx, environment, &id).await?;
        record(&mut tx, &caller, "webhook.deleted", &row).await?;
        once.keep(&mut tx, &()).await?;
        Ok(tx.commit().await?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /environments/{env}/webhooks/{id}/messages`: the newest 100, and where each stands.
pub(super) async fn messages(
    State(app): State<Arc<App>>,
    Path((env, id)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = allowed(&call, &env).await?;
    let (environment, id) = (&caller.environment.id, parsed(&id)?);
    let mut conn = app.db.read().acquire().await?;
    let row = webhooks::by_id(&mut conn, environment, &id).await?;
    row.ok_or_else(no_webhook)?;
    let rows = messages::of_webhook(&mut conn, environment, &id, SHOWN).await?;
    call.reply().ok(&WebhookMessagesReply {
        messages: rows.iter().map(message).collect(),
    })
}

/// `POST /environments/{env}/webhooks/{id}/messages/{message}/redeliver`: tells the same event
/// again, marked `redelivery`, with the whole schedule before it.
pub(super) async fn redeliver(
    State(app): State<Arc<App>>,
    Path((env, id, message)): Path<(String, String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = allowed(&call, &env).await?;
    let (id, message) = (parsed(&id)?, parsed(&message)?);
    let key = call.idempotency_key()?;
    let request = call.unparsed().await?;
    let once = Once::new(&caller, "webhooks/redeliver", key, request.digest);
    let worker = Arc::clone(&app);
    let again = app
        .to_the_end(async move {
            let environment = &caller.environment.id;
            let mut tx = worker.db.begin().await?;
            if let Some(message_id) = once.first(&mut tx).await? {
                return Ok(RedeliverReply { message_id });
            }
            let row = messages::by_id(tx.conn(), environment, &message).await?;
            let row = row
                .filter(|row| row.webhook == id)
                .ok_or_else(|| ApiError::not_found("message"))?;
            // A delegation that was revoked has nothing to deliver any more.
            if events::by_id(tx.conn(), environment, &row.event)
                .await?
                .is_none()
            {
                let what = "the event is not kept any more";
                return Err(ApiError::new(ErrorCode::NotFound, what));
            }
            let event = (&id, &row.event);
            let made = messages::insert(&mut tx, environment, event, &row.event_name, true).await?;
            let message_id = hex::encode(made);
            once.keep(&mut tx, &message_id).await?;
            tx.commit().await?;
            Ok(RedeliverReply { message_id })
        })
        .await?;
    request.reply.ok(&again)
}

fn parsed(text: &str) -> Result<[u8; 16], ApiError> {
    let mut bytes = [0; 16];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| no_webhook())?;
    Ok(bytes)
}

fn no_webhook() -> ApiError {
    ApiError::not_found("webhook")
}

fn with_secret(environment: &Environment, row: &WebhookRow) -> WebhookInfo {
    let secret = secret(
        &environment.identity,
        &environment.id,
        &row.id,
        row.secret_version,
    );
    WebhookInfo {
        secret: Some(secret.expose().to_owned()),
        ..described(row)
    }
}

fn described(row: &WebhookRow) -> WebhookInfo {
    WebhookInfo {
        webhook_id: hex::encode(row.id),
        url: row.url.clone(),
        events: row.events.clone(),
        is_enabled: row.enabled,
        created_at: row.created_at.to_string(),
        updated_at: row.updated_at.to_string(),
        secret: None,
    }
}

fn message(row: &MessageRow) -> WebhookMessage {
    WebhookMessage {
        message_id: hex::encode(row.id),
        event_id: hex::encode(row.event),
        event_name: row.event_name.clone(),
        redelivery: row.redelivery,
        status: row.state.clone(),
        tries: row.tries,
        next_try_at: row.next_at.map(|at| at.to_string()),
        last_status: row.last_status,
        last_error: row.last_error.clone(),
        created_at: row.created_at.to_string(),
    }
}
