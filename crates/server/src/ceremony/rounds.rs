//! One-shot steps: each is taken once, a byte-identical repeat gets the reply that was kept, a
//! different message at a step already taken ends the ceremony (custody rule 18).

use std::sync::Arc;

use halfkey_core::wire::{CeremonyMessage, CeremonyReply, ErrorCode};

use super::running::{Running, Stepped};
use super::table::{About, Answered, Cell, Opening, Owner, State, StepRef};
use crate::api_error::ApiError;
use crate::app::App;
use crate::db::slots::SlotOutcome;

/// Opens a ceremony: runs `first` unless this is a repeat. `digest` covers the whole request.
pub(crate) async fn open<F>(
    app: &Arc<App>,
    about: About,
    digest: [u8; 32],
    first: impl FnOnce(Arc<Cell>) -> F,
) -> Result<CeremonyReply, ApiError>
where
    F: Future<Output = Result<Stepped, ApiError>>,
{
    let ttl = i64::try_from(app.limits.ceremony_ttl.as_millis()).unwrap_or(i64::MAX);
    let deadline = app.now().saturating_add_millis(ttl);
    match app.table.open(about, deadline) {
        // What is under way is finished; nothing new begins.
        Opening::New(cell, ..) if app.is_draining() => {
            app.table.remove(&cell);
            Err(ApiError::unavailable("draining"))
        }
        Opening::Full => Err(ApiError::new(
            ErrorCode::TooManyRequests,
            "too many ceremonies are live",
        )),
        Opening::Known(cell, step) => repeated(app, &cell, step, digest).await,
        Opening::New(cell, step, mut state) => {
            let stepped = first(Arc::clone(&cell)).await;
            settle(app, &cell, &mut state, (step, digest), stepped).await
        }
    }
}

/// Takes the next step of a ceremony: its messages, and the digest of the whole request.
pub(crate) async fn next(
    app: &Arc<App>,
    owner: &Owner,
    step: StepRef,
    (messages, digest): (Vec<CeremonyMessage>, [u8; 32]),
) -> Result<CeremonyReply, ApiError> {
    let cell = app.table.find(step, owner).ok_or_else(gone)?;
    let mut state = cell.state.lock().await;
    if cell.is_killed() || cell.deadline <= app.now() {
        return Err(gone());
    }
    match state.waiting.take() {
        Some((expected, running)) if expected == step => {
            let stepped = running.step(app, &cell, messages).await;
            settle(app, &cell, &mut state, (step, digest), stepped).await
        }
        other => {
            state.waiting = other;
            answer_again(app, &cell, &mut state, step, digest).await
        }
    }
}

/// The opening request came again.
async fn repeated(
    app: &Arc<App>,
    cell: &Arc<Cell>,
    step: StepRef,
    digest: [u8; 32],
) -> Result<CeremonyReply, ApiError> {
    let mut state = cell.state.lock().await;
    if cell.is_killed() {
        return Err(gone());
    }
    answer_again(app, cell, &mut state, step, digest).await
}

async fn answer_again(
    app: &Arc<App>,
    cell: &Cell,
    state: &mut State,
    step: StepRef,
    digest: [u8; 32],
) -> Result<CeremonyReply, ApiError> {
    if state.consumed.contains(&(step, digest)) {
        // Of older steps the reply is no longer kept; a late duplicate does no harm.
        let kept = state.last.as_ref().filter(|last| last.step == step);
        return kept.map(|last| last.reply.clone()).ok_or_else(gone);
    }
    app.table.remove(cell);
    *state = State {
        waiting: state.waiting.take(),
        ..State::default()
    };
    if let Some((_, running)) = state.waiting.take() {
        running.dispose(app, SlotOutcome::Refused).await;
    }
    let message = "another message came for a step already taken: the ceremony is over";
    Err(ApiError::new(ErrorCode::CeremonyConflict, message))
}

/// Keeps what the step led to.
async fn settle(
    app: &Arc<App>,
    cell: &Cell,
    state: &mut State,
    (step, digest): (StepRef, [u8; 32]),
    stepped: Result<Stepped, ApiError>,
) -> Result<CeremonyReply, ApiError> {
    let stepped = match stepped {
        // The wallet was locked, or the attempt aborted, while the step ran.
        Ok(Stepped::More(running, _)) if cell.is_killed() => {
            running.dispose(app, SlotOutcome::Refused).await;
            Err(gone())
        }
        other => other,
    };
    let reply = match stepped {
        Err(error) => {
            app.table.remove(cell);
            return Err(error);
        }
        Ok(Stepped::Finished(reply)) => {
            app.table.finished(cell);
            *reply
        }
        Ok(Stepped::More(running, messages)) => wait_for_more(app, cell, state, running, messages),
    };
    state.last = Some(Answered {
        step,
        reply: reply.clone(),
    });
    state.consumed.push((step, digest));
    Ok(reply)
}

fn wait_for_more(
    app: &App,
    cell: &Cell,
    state: &mut State,
    mut running: Running,
    messages: Vec<CeremonyMessage>,
) -> CeremonyReply {
    let activity = running.take_opened();
    let step = StepRef::generate();
    app.table.add_step(cell, step);
    state.waiting = Some((step, running));
    let environment = &cell.about.owner.environment;
    CeremonyReply {
        next: Some(format!(
            "sdk/{environment}/waas/ceremonies/{}",
            hex::encode(step.0)
        )),
        messages,
        created: None,
        signed: None,
        activity,
    }
}

fn gone() -> ApiError {
    let message = "that ceremony step is used, expired or never was";
    ApiError::new(ErrorCode::CeremonyGone, message)
}
