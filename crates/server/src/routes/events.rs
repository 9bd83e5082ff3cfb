use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use halfkey_core::wire::{Event, EventsReply, Scope};

use super::wallets::Page;
use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::Credential;
use crate::db::environments;
use crate::db::events::{self, EventRow};
use crate::web::Call;

/// `GET /environments/{env}/events?cursor=&limit=`: what happened, oldest first. A delegate that
/// has no address of its own fetches here what a webhook would bring; all of it is encrypted for
/// its recipient. Takes the API token.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path(env): Path<String>,
    RawQuery(query): RawQuery,
    call: Call,
) -> Result<Response, ApiError> {
    let caller = call
        .authorize(&env, Credential::ApiToken, Some(Scope::Events))
        .await?;
    let page = Page::from_query(query.as_deref().unwrap_or_default())?;
    let environment = &caller.environment.id;
    let mut conn = app.db.read().acquire().await?;
    let name = environments::name(&mut conn, environment).await?;
    let rows = events::page(&mut conn, environment, page.after, page.limit).await?;
    let last = rows.last().map_or(page.after, |row| row.ordinal);
    call.reply().ok(&EventsReply {
        cursor: format!("{last:x}"),
        data: rows
            .into_iter()
            .map(|row| event(environment.as_str(), &name, row))
            .collect(),
    })
}

fn event(environment: &str, name: &str, row: EventRow) -> Event {
    let (resource, _) = row.name.split_once('.').unwrap_or((&row.name, ""));
    let (_, action) = row.name.rsplit_once('.').unwrap_or(("", &row.name));
    Event {
        event_id: hex::encode(row.id),
        environment_id: environment.to_owned(),
        environment_name: name.to_owned(),
        event_action: action.to_owned(),
        resource_type: resource.to_owned(),
        timestamp: row.created_at.to_string(),
        context: serde_json::json!({ "userId": null, "version": 1 }),
        data: row.data,
        event_name: row.name,
    }
}
