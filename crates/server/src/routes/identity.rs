use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use ed25519_dalek::Signer as _;
use halfkey_core::wire::IdentityReply;

use crate::api_error::ApiError;
use crate::app::App;
use crate::web::Call;

/// `GET /environments/{env}/identity`: to be compared with what the client was configured with.
pub(super) async fn identity(
    State(app): State<Arc<App>>,
    Path(env): Path<String>,
    call: Call,
) -> Result<Response, ApiError> {
    let environment = app.environment(&env)?;
    let public_key = hex::encode(environment.identity.verifying_key().to_bytes());
    let restore_epoch = app.restore_epoch();
    let horizon = app.limits.backup_horizon.as_millis();
    let horizon = u64::try_from(horizon).unwrap_or(u64::MAX);
    let signed = IdentityReply::signed_bytes(&environment.id, restore_epoch, horizon);
    let signature = hex::encode(environment.identity.sign(&signed).to_bytes());
    call.reply().ok(&IdentityReply {
        public_key,
        restore_epoch,
        backup_horizon_ms: Some(horizon),
        signature: Some(signature),
    })
}
