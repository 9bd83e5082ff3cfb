use std::sync::Arc;

use axum::extract::State;

use crate::api_error::ApiError;
use crate::app::App;
use crate::db::sql;

/// The process runs.
pub(super) async fn healthz() -> &'static str {
    "ok"
}

/// The process takes requests and its store answers.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Result<&'static str, ApiError> {
    if app.is_draining() {
        return Err(ApiError::unavailable("draining"));
    }
    let mut conn = app.db.read().acquire().await?;
    sql::query_scalar::<i64>("SELECT 1")
        .fetch_one(&mut conn)
        .await?;
    Ok("ok")
}
