use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use halfkey_core::wire::{ActivityRef, AuthenticateReply, EncodedJwts, ErrorCode};
use halfkey_core::{AttemptId, SecretString};
use serde::{Deserialize, Serialize};

use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::{Caller, Credential};
use crate::db::idempotency::{self, IdempotencyKey, IdempotencyRow};
use crate::db::{Entry, Tx, tokens};
use crate::session::{Session, Stamp};
use crate::web::Call;

/// `POST /environments/{env}/waas/authenticate`: an API token for a session token. A repeat under
/// the same idempotency key gets the same one for as long as it lives.
pub(super) async fn authenticate(
    State(app): State<Arc<App>>,
    Path(env): Path<String>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call.authorize(&env, Credential::ApiToken, None).await?;
    let key = call.idempotency_key()?;
    let request = call.unparsed().await?;
    let worker = Arc::clone(&app);
    let digest = request.digest;
    let (token, issued) = app
        .to_the_end(async move { session(&worker, &caller, key, digest).await })
        .await?;
    let jwt = token.expose().to_owned();
    let encoded_jwts = EncodedJwts {
        jwt: jwt.clone(),
        minified_jwt: jwt,
    };
    request.reply.ok(&AuthenticateReply {
        message: "ok".to_owned(),
        encoded_jwts,
        activity: Some(issued.activity),
    })
}

/// What a row keeps of a session: enough to make the same token again, and nothing secret.
#[derive(Serialize, Deserialize)]
struct Issued {
    stamp: Stamp,
    activity: ActivityRef,
}

async fn session(
    app: &App,
    caller: &Caller,
    key: Option<String>,
    body_hash: [u8; 32],
) -> Result<(SecretString, Issued), ApiError> {
    let environment = &caller.environment.id;
    let key = key.map(|key| IdempotencyKey {
        environment: environment.clone(),
        subject: caller.token,
        route: "authenticate".to_owned(),
        key,
    });
    let mut tx = app.db.begin().await?;
    let known = match &key {
        Some(key) => issued_before(app, &mut tx, key, body_hash).await?,
        None => None,
    };
    let issued = match known {
        Some(issued) => issued,
        None => issue(tx, caller, key.as_ref(), body_hash).await?,
    };
    let session = Session {
        environment: environment.clone(),
        token: caller.token,
    };
    let token = app.sessions.issue(&session, &issued.stamp);
    Ok((token.map_err(ApiError::internal)?, issued))
}

/// The living session that an earlier request under this key was given (custody rule 26).
async fn issued_before(
    app: &App,
    tx: &mut Tx,
    key: &IdempotencyKey,
    body_hash: [u8; 32],
) -> Result<Option<Issued>, ApiError> {
    let over = app.sessions.over_before(tx.now());
    idempotency::forget(tx, key, over).await?;
    let Some(row) = idempotency::find(tx.conn(), key).await? else {
        return Ok(None);
    };
    if row.body_hash != body_hash {
        let message = "the idempotency key was used for another request";
        return Err(ApiError::new(ErrorCode::IdempotencyMismatch, message));
    }
    let outcome = row.outcome.unwrap_or_default();
    let issued = serde_json::from_str(&outcome).map_err(ApiError::internal)?;
    Ok(Some(issued))
}

/// A new session, with its entry and its row in one transaction.
async fn issue(
    mut tx: Tx,
    caller: &Caller,
    key: Option<&IdempotencyKey>,
    body_hash: [u8; 32],
) -> Result<Issued, ApiError> {
    let environment = &caller.environment.id;
    let actor = caller.actor();
    tokens::touch(&mut tx, environment, caller.token).await?;
    let entry = Entry::new(environment, "session.issued", &actor).request(caller.request);
    let activity = tx.record(&entry).await?;
    let stamp = Stamp::new(tx.now());
    let issued = Issued { stamp, activity };
    if let Some(key) = key {
        let row = IdempotencyRow {
            body_hash,
            attempt: AttemptId::from_bytes([0; 16]),
            outcome: Some(serde_json::to_string(&issued).map_err(ApiError::internal)?),
        };
        idempotency::put(&mut tx, key, &row).await?;
    }
    tx.commit().await?;
    Ok(issued)
}
