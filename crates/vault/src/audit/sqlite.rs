//! The hash-chained audit table: one chain per node and boot (custody rule 27), each event durable
//! before its append returns.

mod begin;
mod rows;
mod writer;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use halfkey_core::{Clock, EnvironmentId};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::chain::{self, ChainStart};
use super::{AuditEvent, AuditPosition, AuditSink};
use crate::Error;
use crate::entropy::random_bytes;
use crate::store::sqlite::{Database, Options, Schema};

pub(super) use self::rows::{ChainRow, chains, entries_from, head_of, joins};

use self::writer::Waiting;

const SCHEMA: Schema = Schema {
    what: "the audit log",
    migrations: &[include_str!("../../migrations/audit/0001_audit.sql")],
};

/// How many events may wait before the next caller waits to be queued.
const QUEUE: usize = 1024;

/// An audit log in one SQLite file. Lives on the `tokio` runtime that opened it; once that is gone,
/// every append fails and nothing can be opened.
#[derive(Debug)]
pub struct SqliteAudit {
    database: Database,
    chain: [u8; 16],
    tail: Arc<Mutex<Tail>>,
    queue: mpsc::Sender<Waiting>,
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
            joins: Vec::new(),
        };
        let start = begin::begin_chain(&database, start).await?;
        let genesis = chain::genesis(&start);
        let tail = Tail {
            genesis,
            next: 0,
            head: genesis,
            in_doubt: false,
        };
        let tail = Arc::new(Mutex::new(tail));
        let (queue, waiting) = mpsc::channel(QUEUE);
        let writer = writer::run(database.clone(), start.chain, Arc::clone(&tail), waiting);
        drop(tokio::spawn(writer));
        Ok(Self {
            database,
            chain: start.chain,
            tail,
            queue,
        })
    }

    /// Makes the file where it is absent, without beginning a chain; whether no chain was ever
    /// begun in it.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub async fn make(path: &Path, environment: &EnvironmentId) -> Result<bool, Error> {
        let database = Database::open(path, SCHEMA, environment, Options::CREATE).await?;
        let any = chains(database.readers(), i64::MIN, 1).await;
        database.close().await;
        Ok(any?.is_empty())
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
}

#[async_trait]
impl AuditSink for SqliteAudit {
    async fn append(&self, event: AuditEvent) -> Result<AuditPosition, Error> {
        let stopped = || Error::AuditUnavailable("its writer has stopped".to_owned());
        let (reply, answer) = oneshot::channel();
        self.queue
            .send(Waiting { event, reply })
            .await
            .map_err(|_| stopped())?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }
}
