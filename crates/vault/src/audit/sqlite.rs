//! The hash-chained audit table: one chain per node and boot (custody rule 27), each append its own
//! durable transaction.

mod rows;

use std::path::Path;

use async_trait::async_trait;
use halfkey_core::{Clock, EnvironmentId};
use tokio::sync::Mutex;

use super::chain::{self, ChainStart};
use super::{AuditEvent, AuditPosition, AuditSink};
use crate::Error;
use crate::entropy::random_bytes;
use crate::store::sqlite::{Database, Options, Schema};

pub(super) use self::rows::{ChainRow, chains, entries_from};

use self::rows::last_entry;

const SCHEMA: Schema = Schema {
    what: "the audit log",
    migrations: &[include_str!("../../migrations/audit/0001_audit.sql")],
};

/// An audit log in one SQLite file.
#[derive(Debug)]
pub struct SqliteAudit {
    database: Database,
    chain: [u8; 16],
    tail: Mutex<Tail>,
}

/// Where the next entry goes.
#[derive(Debug)]
struct Tail {
    genesis: [u8; 32],
    next: u64,
    head: [u8; 32],
    /// Whether an append was begun and its end not seen; then the table is asked.
    in_doubt: bool,
}

impl SqliteAudit {
    /// Opens the file and begins a chain for this boot of `node`.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub async fn open(
        path: &Path,
        environment: &EnvironmentId,
        options: Options,
        node: &str,
        clock: &dyn Clock,
    ) -> Result<Self, Error> {
        let database = Database::open(path, SCHEMA, environment, options).await?;
        let start = ChainStart {
            chain: *random_bytes::<16>()?,
            environment: environment.to_string(),
            node: node.to_owned(),
            started_at: clock.now(),
            predecessor: None,
        };
        let start = rows::begin_chain(&database, start).await?;
        let genesis = chain::genesis(&start);
        let tail = Tail {
            genesis,
            next: 0,
            head: genesis,
            in_doubt: false,
        };
        Ok(Self {
            database,
            chain: start.chain,
            tail: Mutex::new(tail),
        })
    }

    /// The chain of this boot.
    pub const fn chain(&self) -> [u8; 16] {
        self.chain
    }

    /// Where this boot's chain stands: an anchor to keep elsewhere. `None` before its first entry.
    pub async fn position(&self) -> Option<AuditPosition> {
        let tail = self.tail.lock().await;
        let sequence = tail.next.checked_sub(1)?;
        Some(AuditPosition {
            chain: self.chain,
            sequence,
            head: tail.head,
        })
    }

    /// The file.
    pub const fn database(&self) -> &Database {
        &self.database
    }

    async fn append_next(&self, event: &AuditEvent) -> Result<AuditPosition, Error> {
        let mut tail = self.tail.lock().await;
        if tail.in_doubt {
            let last = last_entry(self.database.writer(), &self.chain).await?;
            (tail.next, tail.head) = match last {
                Some((sequence, head)) => (sequence.saturating_add(1), head),
                None => (0, tail.genesis),
            };
        }
        tail.in_doubt = true;
        let position = chain::next(self.chain, tail.next, &tail.head, event);
        rows::insert_entry(&self.database, &position, event).await?;
        tail.next = tail.next.saturating_add(1);
        tail.head = position.head;
        tail.in_doubt = false;
        Ok(position)
    }
}

#[async_trait]
impl AuditSink for SqliteAudit {
    async fn append(&self, event: AuditEvent) -> Result<AuditPosition, Error> {
        let appended = self.append_next(&event).await;
        appended.map_err(|error| Error::AuditUnavailable(error.to_string()))
    }
}
