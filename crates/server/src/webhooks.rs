//! Telling others what happened: signed, retried by the published schedule, each event once, and
//! never to an address inside.

mod address;
mod send;
mod sign;
mod target;
pub(crate) mod wire;

use crate::db::sql;
use std::sync::Arc;
use std::time::Duration;

use halfkey_core::UnixMillis;
use tokio::sync::watch;

pub(crate) use sign::secret;
pub(crate) use target::{Allowed, Target};

use crate::app::App;
use crate::db::messages::{self, MessageRow};
use crate::db::{environments, events, webhooks};
use send::Outcome;

/// After the first try, how long to wait for the next ones, in seconds: the published schedule.
const SCHEDULE_SECS: [i64; 5] = [15, 60, 600, 3_600, 86_400];
/// Messages of one look at the outbox.
const AT_ONCE: u64 = 32;

/// When the try after this one is due; `None` after the last.
fn next_try(tries_before: u64, now: UnixMillis) -> Option<UnixMillis> {
    let at = usize::try_from(tries_before).ok()?;
    let secs = SCHEDULE_SECS.get(at)?;
    Some(now.saturating_add_millis(secs.saturating_mul(1000)))
}

/// Looks once a second, until `stop` changes.
pub(crate) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.changed() => return,
        }
        tokio::select! {
            () = send_due(&app) => {}
            _ = stop.changed() => return,
        }
    }
}

/// Sends everything that is due now. A store that fails is tried again at the next look.
pub(crate) async fn send_due(app: &Arc<App>) {
    // One look at a time: who asks for one knows afterwards that it was taken.
    let _turn = app.telling.lock().await;
    if let Err(error) = try_send_due(app).await {
        tracing::warn!(%error, "the webhooks' outbox cannot be read or written");
    }
}

async fn try_send_due(app: &Arc<App>) -> Result<(), sql::Error> {
    let mut conn = app.db.read().acquire().await?;
    let due = messages::due(&mut conn, app.now(), AT_ONCE).await?;
    drop(conn);
    // Side by side: a target that does not answer keeps no other waiting.
    let mut sending = tokio::task::JoinSet::new();
    for message in due {
        let app = Arc::clone(app);
        sending.spawn(async move { send_one(&app, &message).await });
    }
    while let Some(sent) = sending.join_next().await {
        if let Ok(result) = sent {
            result?;
        }
    }
    Ok(())
}

async fn send_one(app: &Arc<App>, message: &MessageRow) -> Result<(), sql::Error> {
    let next_at = next_try(message.tries, app.now());
    let mut tx = app.db.begin().await?;
    if !messages::begin_try(&mut tx, message, next_at).await? {
        return Ok(());
    }
    tx.commit().await?;
    let outcome = deliver(app, message).await?;
    let is_last = next_at.is_none();
    let (state, status, error) = match outcome {
        Outcome::Answered(status) if (200..300).contains(&status) => {
            ("delivered", Some(status), None)
        }
        Outcome::Answered(status) => {
            let state = if is_last { "failed" } else { "waiting" };
            (state, Some(status), None)
        }
        Outcome::Failed(why) => {
            let state = if is_last { "failed" } else { "waiting" };
            (state, None, Some(why))
        }
        Outcome::Cancelled => ("cancelled", None, None),
    };
    let mut tx = app.db.begin().await?;
    messages::end_try(&mut tx, &message.id, state, status, error.as_deref()).await?;
    tx.commit().await
}

/// One try.
async fn deliver(app: &Arc<App>, message: &MessageRow) -> Result<Outcome, sql::Error> {
    let mut conn = app.db.read().acquire().await?;
    let environment = &message.environment;
    let webhook = webhooks::by_id(&mut conn, environment, &message.webhook).await?;
    let event = events::by_id(&mut conn, environment, &message.event).await?;
    let name = environments::name(&mut conn, environment).await?;
    drop(conn);
    let (Some(webhook), Some(event)) = (webhook.filter(|webhook| webhook.enabled), event) else {
        return Ok(Outcome::Cancelled);
    };
    let Some(served) = app.environments.get(environment) else {
        return Ok(Outcome::Cancelled);
    };
    let body = serde_json::json!({
        "messageId": hex::encode(message.id),
        "eventId": hex::encode(event.id),
        "eventName": event.name,
        "timestamp": event.created_at.to_string(),
        "webhookId": hex::encode(webhook.id),
        "userId": null,
        "environmentId": environment.as_str(),
        "environmentName": name,
        "redelivery": message.redelivery,
        "data": event.data,
    });
    let body = body.to_string().into_bytes();
    let secret = secret(
        &served.identity,
        environment,
        &webhook.id,
        webhook.secret_version,
    );
    let headers = sign::headers(&secret, app.now(), &body);
    let allowed = if served.allow_loopback_webhooks {
        Allowed::Loopback
    } else {
        Allowed::Public
    };
    Ok(send::post(&webhook.url, allowed, headers, body).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_is_the_published_one() {
        let at = |tries| next_try(tries, UnixMillis(0)).map(UnixMillis::as_secs);
        let all: Vec<_> = (0..7).map(at).collect();
        let secs = [15, 60, 600, 3_600, 86_400].map(Some);
        assert_eq!(all, [&secs[..], &[None, None]].concat());
        assert_eq!(at(u64::MAX), None);
    }
}
