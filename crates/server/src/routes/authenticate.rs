use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use halfkey_core::wire::{AuthenticateReply, EncodedJwts};

use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::{Caller, Credential};
use crate::db::{Entry, tokens};
use crate::session::Session;
use crate::web::Call;

/// `POST /environments/{env}/waas/authenticate`: an API token for a session token.
pub(super) async fn authenticate(
    State(app): State<Arc<App>>,
    Path(env): Path<String>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call.authorize(&env, Credential::ApiToken, None).await?;
    let worker = Arc::clone(&app);
    let jwt = app
        .to_the_end(async move { session(&worker, &caller).await })
        .await?;
    let encoded_jwts = EncodedJwts {
        jwt: jwt.clone(),
        minified_jwt: jwt,
    };
    call.reply().ok(&AuthenticateReply {
        message: "ok".to_owned(),
        encoded_jwts,
    })
}

async fn session(app: &App, caller: &Caller) -> Result<String, ApiError> {
    let environment = &caller.environment.id;
    let session = Session {
        environment: environment.clone(),
        token: caller.token,
    };
    let jwt = app
        .sessions
        .issue(&session, app.now())
        .map_err(ApiError::internal)?;
    let actor = caller.actor();
    let mut tx = app.db.begin().await?;
    tokens::touch(&mut tx, environment, caller.token).await?;
    tx.record(&Entry::new(environment, "session.issued", &actor).request(caller.request))
        .await?;
    tx.commit().await?;
    Ok(jwt.expose().to_owned())
}
