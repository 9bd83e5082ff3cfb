use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header::CONTENT_TYPE;

use crate::app::App;

/// `GET /metrics`, Prometheus text form, and nothing else.
pub(super) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .with_state(app)
}

async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    let text = app.metrics.render(app.table.live(), app.tasks_open());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
