//! What a freeze forbids (custody rule 28).

use halfkey_core::WalletId;
use halfkey_core::wire::ErrorCode;

use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::Caller;
use crate::db::freezes;

/// Refuses what a freeze forbids (custody rule 28). Asked of the database at every request and
/// every round, so that it holds at once, on every node, and after a restart.
pub(crate) async fn check(
    app: &App,
    caller: &Caller,
    wallet: Option<&WalletId>,
) -> Result<(), ApiError> {
    let mut conn = app.db.read().acquire().await?;
    if freezes::holds(&mut conn, &caller.environment.id, wallet).await? {
        // No key outlives a freeze in memory, whoever made it (custody rule 24).
        caller.environment.keys.forget();
        return Err(frozen());
    }
    Ok(())
}

/// What a caller is told of a freeze.
pub(crate) fn frozen() -> ApiError {
    let message = "frozen: nothing is made, signed, changed or given out until it is unfrozen";
    ApiError::new(ErrorCode::Frozen, message)
}

/// The same for a step of a refresh: whoever could end the freeze may refresh while it holds, so
/// that shares are changed before anybody signs again.
pub(crate) async fn check_refresh(
    app: &App,
    caller: &Caller,
    wallet: Option<&WalletId>,
) -> Result<(), ApiError> {
    if caller.thaws {
        return Ok(());
    }
    check(app, caller, wallet).await
}
