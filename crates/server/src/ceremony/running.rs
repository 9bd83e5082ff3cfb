//! The kinds of ceremony that wait for a next message.

use std::sync::Arc;

use halfkey_core::wire::{ActivityRef, CeremonyMessage, CeremonyReply};
use tokio::sync::OwnedMutexGuard;

use super::change::ChangeRun;
use super::keygen::KeygenRun;
use super::sign::SignRun;
use super::signature_back::SignatureRun;
use super::table::{Cell, State};
use crate::api_error::ApiError;
use crate::app::App;
use crate::db::slots::SlotOutcome;

/// A ceremony between two requests.
#[derive(Debug)]
pub(crate) enum Running {
    /// Making a key.
    Keygen(Box<KeygenRun>),
    /// Making the next generation of a key's shares.
    Change(Box<ChangeRun>),
    /// Signing a message or a proof.
    Sign(Box<SignRun>),
    /// Waiting for the Ed25519 signature of a proof.
    Signature(Box<SignatureRun>),
}

/// What one request led to.
#[derive(Debug)]
pub(crate) enum Stepped {
    /// The ceremony waits for another request after this reply.
    More(Running, Vec<CeremonyMessage>),
    /// The ceremony is over.
    Finished(Box<CeremonyReply>),
}

impl Running {
    /// Takes the messages of one request. A failure has settled everything that needs settling.
    pub(crate) async fn step(
        self,
        app: &Arc<App>,
        cell: &Cell,
        messages: Vec<CeremonyMessage>,
    ) -> Result<Stepped, ApiError> {
        match self {
            Self::Keygen(run) => run.step(app, cell, messages).await,
            Self::Change(run) => run.step(app, cell, messages).await,
            Self::Sign(run) => run.step(app, Some(cell), messages).await,
            Self::Signature(run) => run.step(app, cell, messages).await,
        }
    }

    /// Where the opening of the share stands, once.
    pub(crate) fn take_opened(&mut self) -> Option<ActivityRef> {
        match self {
            Self::Keygen(_) | Self::Change(_) => None,
            Self::Sign(run) => run.context.opened.take(),
            Self::Signature(run) => run.context.opened.take(),
        }
    }

    /// Ends it from outside. Its memory is wiped by its drop.
    pub(crate) async fn dispose(self, app: &App, outcome: SlotOutcome) {
        if let Self::Sign(run) = self {
            run.dispose(app, outcome).await;
        }
    }
}

/// Ends ceremonies that were taken from the table. One whose step is running just now ends itself
/// when it sees that it was killed; nobody waits for that here, since two that cheat at once would
/// wait for each other.
pub(crate) async fn dispose_all(app: &Arc<App>, cells: Vec<Arc<Cell>>, outcome: SlotOutcome) {
    for cell in cells {
        if let Ok(state) = Arc::clone(&cell.state).try_lock_owned() {
            dispose(app, state, outcome).await;
            continue;
        }
        let (app, permit) = (Arc::clone(app), app.task_permit());
        tokio::spawn(async move {
            let state = Arc::clone(&cell.state).lock_owned().await;
            dispose(&app, state, outcome).await;
            drop(permit);
        });
    }
}

async fn dispose(app: &App, mut state: OwnedMutexGuard<State>, outcome: SlotOutcome) {
    let State { waiting, .. } = core::mem::take(&mut *state);
    drop(state);
    if let Some((_, running)) = waiting {
        running.dispose(app, outcome).await;
    }
}
