use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use halfkey_core::wire::{CeremonyRound, ErrorCode, Scope};

use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::Credential;
use crate::ceremony::rounds;
use crate::ceremony::table::{Owner, StepRef};
use crate::freeze;
use crate::web::Call;

/// `POST /sdk/{env}/waas/ceremonies/{ref}`: every round after the first. The reference is bound to
/// environment, token, wallet, operation and digest by what stands behind it.
pub(super) async fn round(
    State(app): State<Arc<App>>,
    Path((env, reference)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    // Which scope is needed was checked when the ceremony was opened by this same token.
    let caller = if call.is_delegated() {
        if call.has_token() {
            call.authorize(&env, Credential::ApiToken, None).await?;
        }
        call.delegate(&env).await?
    } else {
        call.authorize(&env, Credential::Session, None::<Scope>)
            .await?
    };
    let mut step = [0; 16];
    hex::decode_to_slice(&reference, &mut step)
        .map_err(|_| ApiError::new(ErrorCode::CeremonyGone, "that ceremony step never was"))?;
    let decoded = call.decode::<CeremonyRound>().await?;
    let owner = Owner {
        environment: caller.environment.id.clone(),
        token: caller.token,
    };
    let step = StepRef(step);
    let wallet = app.table.find(step, &owner).map(|cell| cell.about.wallet);
    freeze::check_refresh(&app, &caller, wallet.as_ref()).await?;
    let worker = Arc::clone(&app);
    let round = (decoded.body.messages, decoded.digest);
    let reply = app
        .to_the_end_on_a_thread(async move { rounds::next(&worker, &owner, step, round).await })
        .await?;
    decoded.reply.ok(&reply)
}
