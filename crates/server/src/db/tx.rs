use core::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

use halfkey_core::UnixMillis;
use halfkey_core::wire::ActivityRef;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::BootKind;
use super::activities::{self, Entry};
use super::boots;
use super::sql::{self, SqliteConnection};
use crate::blocking::blocking;

/// How long a write waits for those before it.
const QUEUE_WAIT: Duration = Duration::from_secs(15);

/// The one connection that writes, and where this process's activity chain stands.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(super) conn: SqliteConnection,
    head: ChainHead,
}

impl Writer {
    pub(super) fn new(conn: SqliteConnection, boot: [u8; 16], kind: BootKind) -> Self {
        let head = ChainHead::start_of(boot, kind);
        Self { conn, head }
    }

    /// The newest durable entry.
    pub(super) fn last(&self) -> Option<(u64, [u8; 32])> {
        self.head.last()
    }
}

/// Where this process's activity chain stands.
#[derive(Debug, Clone)]
struct ChainHead {
    chain: [u8; 16],
    kind: BootKind,
    next: u64,
    hash: [u8; 32],
    /// A commit's outcome is not known: read the head again before the next entry.
    stale: bool,
}

impl ChainHead {
    fn start_of(chain: [u8; 16], kind: BootKind) -> Self {
        Self {
            chain,
            kind,
            next: 0,
            hash: activities::genesis(&chain),
            stale: false,
        }
    }

    fn last(&self) -> Option<(u64, [u8; 32])> {
        self.next
            .checked_sub(1)
            .map(|sequence| (sequence, self.hash))
    }
}

impl ChainHead {
    /// Inserts the next entry and moves on to it.
    fn append(
        &mut self,
        conn: &mut SqliteConnection,
        entry: &Entry<'_>,
        now: UnixMillis,
    ) -> Result<ActivityRef, sql::Error> {
        let (chain, sequence) = (self.chain, self.next);
        let head = entry.hash(&chain, sequence, now, &self.hash);
        activities::insert(conn, entry, &chain, sequence, now, (&self.hash, &head))?;
        self.next = sequence.saturating_add(1);
        self.hash = head;
        Ok(ActivityRef {
            chain: hex::encode(chain),
            sequence,
            head: hex::encode(head),
        })
    }
}

/// Waits for the one writer's turn. Whoever comes behind a store that hangs is told so, and does
/// not wait for ever.
async fn turn(writer: Arc<Mutex<Writer>>) -> Result<OwnedMutexGuard<Writer>, sql::Error> {
    tokio::time::timeout(QUEUE_WAIT, writer.lock_owned())
        .await
        .map_err(|_| sql::Error::Busy)
}

/// Appends one entry in a statement that is a transaction of its own.
pub(super) async fn record_alone(
    writer: Arc<Mutex<Writer>>,
    now: UnixMillis,
    entry: &Entry<'_>,
) -> Result<ActivityRef, sql::Error> {
    let mut guard = turn(Arc::clone(&writer)).await?;
    if guard.head.next == 0 || guard.head.stale {
        // A chain's start names the ends of others, and a stale head is read again: that takes more
        // than one statement.
        drop(guard);
        let mut tx = Tx::begin(writer, now).await?;
        let activity = tx.record(entry).await?;
        tx.commit().await?;
        return Ok(activity);
    }
    let Writer { conn, head } = &mut *guard;
    let mut next = head.clone();
    // Until the statement has answered nobody knows how the chain goes on.
    head.stale = true;
    let activity = blocking(|| next.append(conn, entry, now))?;
    *head = next;
    Ok(activity)
}

/// A write transaction. Dropping it without [`Tx::commit`] undoes everything.
#[derive(Debug)]
pub(crate) struct Tx {
    writer: OwnedMutexGuard<Writer>,
    provisional: ChainHead,
    now: UnixMillis,
}

impl Drop for Tx {
    fn drop(&mut self) {
        let conn = &mut self.writer.conn;
        if conn.is_in_transaction()
            && let Err(error) = conn.control("ROLLBACK")
        {
            tracing::error!(%error, "a transaction was not undone");
        }
    }
}

impl Tx {
    pub(super) async fn begin(
        writer: Arc<Mutex<Writer>>,
        now: UnixMillis,
    ) -> Result<Self, sql::Error> {
        let mut writer = turn(writer).await?;
        blocking(|| writer.conn.control("BEGIN IMMEDIATE"))?;
        let provisional = writer.head.clone();
        let mut tx = Self {
            writer,
            provisional,
            now,
        };
        if tx.provisional.stale {
            let chain = tx.provisional.chain;
            let (next, hash) = activities::head_of(tx.conn(), &chain).await?;
            tx.provisional = ChainHead {
                next,
                hash,
                stale: false,
                ..tx.provisional.clone()
            };
            tx.writer.head = tx.provisional.clone();
        }
        Ok(tx)
    }

    pub(crate) fn conn(&mut self) -> &mut SqliteConnection {
        &mut self.writer.conn
    }

    /// The time the transaction began; every row it writes carries it.
    pub(crate) const fn now(&self) -> UnixMillis {
        self.now
    }

    /// Appends to the activity chain, in the transaction of the effect (custody rule 27).
    pub(crate) async fn record(&mut self, entry: &Entry<'_>) -> Result<ActivityRef, sql::Error> {
        if self.provisional.next == 0 {
            self.start_chain().await?;
        }
        self.append(entry)
    }

    /// The first entry of a chain names the end of every chain that none names yet, so that cutting
    /// one short shows in another.
    async fn start_chain(&mut self) -> Result<(), sql::Error> {
        let (chain, kind, now) = (self.provisional.chain, self.provisional.kind, self.now);
        boots::insert(self.conn(), &chain, kind, now).await?;
        let ends = boots::unnamed_ends(self.conn()).await?;
        let mut named = Vec::with_capacity(ends.len());
        for end in &ends {
            boots::mark_named(self.conn(), end).await?;
            named.push(serde_json::json!({
                "chain": hex::encode(end.chain),
                "sequence": end.sequence,
                "head": hex::encode(end.head),
            }));
        }
        let detail = serde_json::json!({ "ends": named });
        self.append(&Entry::of_node("boot").detail(detail))
            .map(drop)
    }

    fn append(&mut self, entry: &Entry<'_>) -> Result<ActivityRef, sql::Error> {
        self.provisional
            .append(&mut self.writer.conn, entry, self.now)
    }

    /// Makes everything durable.
    pub(crate) fn commit(self) -> Ready<Result<(), sql::Error>> {
        ready(self.end())
    }

    fn end(mut self) -> Result<(), sql::Error> {
        // Until the commit has answered nobody knows how the chain goes on.
        self.writer.head.stale = true;
        blocking(|| self.writer.conn.control("COMMIT"))?;
        self.writer.head = self.provisional.clone();
        Ok(())
    }
}
