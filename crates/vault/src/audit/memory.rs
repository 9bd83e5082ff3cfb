//! An audit sink that lives and dies with the process, for tests.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::{AuditEvent, AuditPosition, AuditSink, chain};
use crate::Error;

/// Keeps events in memory, chained like the durable sinks.
#[derive(Debug, Default)]
pub struct MemoryAudit {
    entries: Mutex<Vec<(AuditEvent, AuditPosition)>>,
}

impl MemoryAudit {
    /// The events so far, in order.
    pub fn events(&self) -> Vec<AuditEvent> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().map(|(event, _)| event.clone()).collect()
    }
}

#[async_trait]
impl AuditSink for MemoryAudit {
    async fn append(&self, event: AuditEvent) -> Result<AuditPosition, Error> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (sequence, previous) = match entries.last() {
            Some((_, last)) => (last.sequence.saturating_add(1), last.head),
            None => (0, [0; 32]),
        };
        let position = chain::next([0; 16], sequence, &previous, &event);
        entries.push((event, position.clone()));
        Ok(position)
    }
}
