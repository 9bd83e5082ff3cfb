//! The one task that writes a chain. Events that wait at the same time share one transaction, so
//! that a disk's commits per second do not limit openings per second; each caller still hears back
//! only after its own event is durable. A caller that gives up does not interrupt a write.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, oneshot};

use super::{Tail, rows};
use crate::audit::chain;
use crate::store::sqlite::Database;
use crate::{AuditEvent, AuditPosition, Error};

/// The most events in one transaction.
const BATCH: usize = 128;

/// An event whose sender waits.
pub(super) struct Waiting {
    pub(super) event: AuditEvent,
    pub(super) reply: oneshot::Sender<Result<AuditPosition, Error>>,
}

/// Writes until the sink is dropped.
pub(super) async fn run(
    database: Database,
    chain: [u8; 16],
    tail: Arc<Mutex<Tail>>,
    mut queue: mpsc::Receiver<Waiting>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let events: Vec<&AuditEvent> = batch.iter().map(|waiting| &waiting.event).collect();
        let written = write(&database, chain, &tail, &events).await;
        let mut positions = match written {
            Ok(positions) => positions.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => {
                let why = error.to_string();
                events
                    .iter()
                    .map(|_| Err(Error::AuditUnavailable(why.clone())))
                    .collect()
            }
        };
        for (waiting, position) in batch.drain(..).zip(positions.drain(..)) {
            // Whoever gave up waiting is not there to hear.
            drop(waiting.reply.send(position));
        }
    }
}

/// Writes the events in order, in one transaction.
async fn write(
    database: &Database,
    chain: [u8; 16],
    tail: &Mutex<Tail>,
    events: &[&AuditEvent],
) -> Result<Vec<AuditPosition>, Error> {
    let mut tail = tail.lock().await;
    if tail.in_doubt {
        let last = rows::last_entry(database.writer(), &chain).await?;
        (tail.next, tail.head) = match last {
            Some((sequence, head)) => (sequence.saturating_add(1), head),
            None => (0, tail.genesis),
        };
    }
    tail.in_doubt = true;
    let (mut next, mut head) = (tail.next, tail.head);
    let mut entries = Vec::with_capacity(events.len());
    for event in events {
        let position = chain::next(chain, next, &head, event);
        (next, head) = (next.saturating_add(1), position.head);
        entries.push((position, *event));
    }
    rows::insert_entries(database, &entries).await?;
    (tail.next, tail.head, tail.in_doubt) = (next, head, false);
    Ok(entries.into_iter().map(|(position, _)| position).collect())
}
