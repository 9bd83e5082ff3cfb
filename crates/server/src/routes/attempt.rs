use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use halfkey_core::wire::{AttemptState, Scope};

use super::attempt_id;
use crate::api_error::ApiError;
use crate::app::App;
use crate::db::attempts;
use crate::web::Call;

/// `GET /sdk/{env}/waas/attempts/{attempt}`: where an attempt stands, signed. One never heard of is
/// `unknown`, not an error.
pub(super) async fn attempt(
    State(app): State<Arc<App>>,
    Path((env, attempt)): Path<(String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call.session(&env, Scope::Read).await?;
    let attempt = attempt_id(&attempt)?;
    let environment = &caller.environment;
    let mut conn = app.db.read().acquire().await?;
    let row = attempts::by_id(&mut conn, &environment.id, attempt).await?;
    drop(conn);
    let (wallet, state) = row.map_or((None, AttemptState::Unknown), |row| (row.wallet, row.state));
    call.reply()
        .ok(&app.attempt_reply(environment, attempt, wallet, state))
}
