use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use halfkey_core::wire::{
    DelegationKey, DelegationKeyReply, DelegationKeysReply, NewestDelegationKey,
    RegisterDelegationKey, Scope,
};
use halfkey_envelope::{ALG, RecipientKey};
use http::StatusCode;

use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::{Caller, Credential};
use crate::db::Entry;
use crate::db::delegation_keys::{self, DelegationKeyRow};
use crate::web::Call;

const LONGEST_PEM: usize = 4096;

/// `POST /environments/{env}/waas/delegatedAccess/encryptionPublicKeys`: registers a delegate's RSA
/// key. The same key again is the same key. Takes the API token.
pub(super) async fn register(
    State(app): State<Arc<App>>,
    Path(env): Path<String>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::ApiToken, Some(Scope::Delegate))
        .await?;
    let decoded = call.decode::<RegisterDelegationKey>().await?;
    let (worker, body) = (Arc::clone(&app), decoded.body);
    let (key, is_new) = app
        .to_the_end(async move { registered(&worker, &caller, &body).await })
        .await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    decoded.reply.with_status(status, &key)
}

async fn registered(
    app: &App,
    caller: &Caller,
    body: &RegisterDelegationKey,
) -> Result<(DelegationKey, bool), ApiError> {
    if body.public_key.len() > LONGEST_PEM {
        return Err(ApiError::invalid(
            "the public key is longer than 4096 characters",
        ));
    }
    if !matches!(
        body.alg.as_deref(),
        None | Some("RSA-OAEP-256" | "HYBRID-RSA-AES-256")
    ) {
        return Err(ApiError::invalid(
            "alg is RSA-OAEP-256 or HYBRID-RSA-AES-256",
        ));
    }
    if !matches!(body.kind.as_deref(), None | Some("external")) {
        return Err(ApiError::invalid("type is external: the key is your own"));
    }
    let key = RecipientKey::from_pem(&body.public_key)
        .map_err(|error| ApiError::invalid(error.to_string()))?;
    let environment = &caller.environment.id;
    let mut tx = app.db.begin().await?;
    let now = tx.now();
    let row = DelegationKeyRow {
        kid: key.kid(),
        public_key: key.to_pem(),
        fingerprint: key.fingerprint(),
        created_at: now,
        updated_at: now,
        revoked_at: None,
    };
    let is_new = delegation_keys::insert(&mut tx, environment, &row).await?;
    if !is_new {
        let found = delegation_keys::by_kid(tx.conn(), environment, &row.kid).await?;
        let found = found.ok_or_else(|| ApiError::internal("a registered key is not there"))?;
        if found.revoked_at.is_some() {
            return Err(ApiError::invalid("that key was revoked: make another one"));
        }
        return Ok((described(&found), false));
    }
    let actor = caller.actor();
    let entry = Entry::new(environment, "delegation_key.registered", &actor)
        .request(caller.request)
        .detail(serde_json::json!({ "kid": row.kid, "fingerprint": row.fingerprint }));
    tx.record(&entry).await?;
    tx.commit().await?;
    Ok((described(&row), true))
}

/// `GET …/encryptionPublicKeys[?includeAll]`: the active keys, newest first, or all of them.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path(env): Path<String>,
    RawQuery(query): RawQuery,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::Either, Some(Scope::Read))
        .await?;
    let everything = match query.as_deref().unwrap_or_default() {
        "" | "includeAll=false" => false,
        "includeAll" | "includeAll=true" => true,
        _ => return Err(ApiError::invalid("only includeAll is known here")),
    };
    let mut conn = app.db.read().acquire().await?;
    let rows = delegation_keys::all(&mut conn, &caller.environment.id).await?;
    let keys = rows
        .iter()
        .filter(|row| everything || row.revoked_at.is_none())
        .map(described)
        .collect();
    call.reply().ok(&DelegationKeysReply { keys })
}

/// `GET …/encryptionPublicKeys/{kid}`.
pub(super) async fn one(
    State(app): State<Arc<App>>,
    Path((env, kid)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::Either, Some(Scope::Read))
        .await?;
    let mut conn = app.db.read().acquire().await?;
    let row = delegation_keys::by_kid(&mut conn, &caller.environment.id, &kid).await?;
    let row = row.ok_or_else(no_key)?;
    call.reply().ok(&described(&row))
}

/// `DELETE …/encryptionPublicKeys/{kid}`: nothing more is encrypted for it. What was delegated to
/// it is revoked wallet by wallet.
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    Path((env, kid)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::ApiToken, Some(Scope::Delegate))
        .await?;
    let reply = call.reply();
    let worker = Arc::clone(&app);
    let key = app
        .to_the_end(async move {
            let environment = &caller.environment.id;
            let mut tx = worker.db.begin().await?;
            if delegation_keys::revoke(&mut tx, environment, &kid).await? {
                let actor = caller.actor();
                let entry = Entry::new(environment, "delegation_key.revoked", &actor)
                    .request(caller.request)
                    .detail(serde_json::json!({ "kid": kid }));
                tx.record(&entry).await?;
            }
            let row = delegation_keys::by_kid(tx.conn(), environment, &kid).await?;
            tx.commit().await?;
            Ok(described(&row.ok_or_else(no_key)?))
        })
        .await?;
    reply.ok(&key)
}

/// `GET /sdk/{env}/waas/delegatedAccess/encryptionPublicKey`: the newest active key.
pub(super) async fn newest(
    State(app): State<Arc<App>>,
    Path(env): Path<String>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call.session(&env, Scope::Read).await?;
    let environment = &caller.environment.id;
    let mut conn = app.db.read().acquire().await?;
    let rows = delegation_keys::all(&mut conn, environment).await?;
    let row = rows.into_iter().find(|row| row.revoked_at.is_none());
    let row = row.ok_or_else(no_key)?;
    call.reply().ok(&DelegationKeyReply {
        key: NewestDelegationKey {
            id: row.kid.clone(),
            project_environment_id: environment.to_string(),
            kid: row.kid,
            alg: ALG.to_owned(),
            public_key_pem_b64: STANDARD.encode(row.public_key),
            status: "active".to_owned(),
            kind: "external".to_owned(),
        },
        message: "ok".to_owned(),
    })
}

fn no_key() -> ApiError {
    ApiError::not_found("delegation key")
}

fn described(row: &DelegationKeyRow) -> DelegationKey {
    let status = if row.revoked_at.is_some() {
        "revoked"
    } else {
        "active"
    };
    DelegationKey {
        public_key: row.public_key.clone(),
        kid: row.kid.clone(),
        alg: ALG.to_owned(),
        kind: "external".to_owned(),
        fingerprint: row.fingerprint.clone(),
        status: status.to_owned(),
        created_at: row.created_at.to_string(),
        updated_at: row.updated_at.to_string(),
        revoked_at: row.revoked_at.map(|at| at.to_string()),
    }
}
