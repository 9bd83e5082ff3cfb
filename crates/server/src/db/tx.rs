use std::sync::Arc;
use std::time::Duration;

use halfkey_core::UnixMillis;
use halfkey_core::wire::ActivityRef;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use sqlx::{SqlitePool, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::BootKind;
use super::activities::{self, Entry};
use super::boots;

/// How long a write waits for those before it.
const QUEUE_WAIT: Duration = Duration::from_secs(15);

/// Where this process's activity chain stands.
#[derive(Debug, Clone)]
pub(crate) struct ChainHead {
    chain: [u8; 16],
    kind: BootKind,
    next: u64,
    hash: [u8; 32],
    /// A commit's outcome is not known: read the head again before the next entry.
    stale: bool,
}

impl ChainHead {
    pub(crate) fn start_of(chain: [u8; 16], kind: BootKind) -> Self {
        Self {
            chain,
            kind,
            next: 0,
            hash: activities::genesis(&chain),
            stale: false,
        }
    }

    pub(crate) fn last(&self) -> Option<(u64, [u8; 32])> {
        self.next
            .checked_sub(1)
            .map(|sequence| (sequence, self.hash))
    }
}

impl ChainHead {
    /// Inserts the next entry and moves on to it.
    async fn append(
        &mut self,
        conn: &mut SqliteConnection,
        entry: &Entry<'_>,
        now: UnixMillis,
    ) -> Result<ActivityRef, sqlx::Error> {
        let (chain, sequence) = (self.chain, self.next);
        let head = entry.hash(&chain, sequence, now, &self.hash);
        activities::insert(conn, entry, &chain, sequence, now, (&self.hash, &head)).await?;
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
async fn turn(head: Arc<Mutex<ChainHead>>) -> Result<OwnedMutexGuard<ChainHead>, sqlx::Error> {
    tokio::time::timeout(QUEUE_WAIT, head.lock_owned())
        .await
        .map_err(|_| sqlx::Error::PoolTimedOut)
}

/// Appends one entry in a statement that is a transaction of its own: one trip to the database
/// instead of three.
pub(super) async fn record_alone(
    pool: &SqlitePool,
    head: Arc<Mutex<ChainHead>>,
    now: UnixMillis,
    entry: &Entry<'_>,
) -> Result<ActivityRef, sqlx::Error> {
    let mut guard = turn(Arc::clone(&head)).await?;
    if guard.next == 0 || guard.stale {
        // A chain's start names the ends of others, and a stale head is read again: that takes more
        // than one statement.
        drop(guard);
        let mut tx = Tx::begin(pool, head, now).await?;
        let activity = tx.record(entry).await?;
        tx.commit().await?;
        return Ok(activity);
    }
    let mut conn = pool.acquire().await?;
    let mut next = guard.clone();
    // Until the statement has answered nobody knows how the chain goes on.
    guard.stale = true;
    let activity = next.append(&mut conn, entry, now).await?;
    *guard = next;
    Ok(activity)
}

/// A write transaction. Dropping it without [`Tx::commit`] undoes everything.
#[derive(Debug)]
pub(crate) struct Tx {
    inner: Transaction<'static, Sqlite>,
    head: OwnedMutexGuard<ChainHead>,
    provisional: ChainHead,
    now: UnixMillis,
}

impl Tx {
    pub(super) async fn begin(
        pool: &SqlitePool,
        head: Arc<Mutex<ChainHead>>,
        now: UnixMillis,
    ) -> Result<Self, sqlx::Error> {
        let mut head = turn(head).await?;
        let mut inner = pool.begin_with("BEGIN IMMEDIATE").await?;
        if head.stale {
            let (next, hash) = activities::head_of(&mut inner, &head.chain).await?;
            *head = ChainHead {
                next,
                hash,
                stale: false,
                ..head.clone()
            };
        }
        let provisional = head.clone();
        Ok(Self {
            inner,
            head,
            provisional,
            now,
        })
    }

    pub(crate) fn conn(&mut self) -> &mut SqliteConnection {
        &mut self.inner
    }

    /// The time the transaction began; every row it writes carries it.
    pub(crate) const fn now(&self) -> UnixMillis {
        self.now
    }

    /// Appends to the activity chain, in the transaction of the effect (custody rule 27).
    pub(crate) async fn record(&mut self, entry: &Entry<'_>) -> Result<ActivityRef, sqlx::Error> {
        if self.provisional.next == 0 {
            self.start_chain().await?;
        }
        self.append(entry).await
    }

    /// The first entry of a chain names the end of every chain that none names yet, so that cutting
    /// one short shows in another.
    async fn start_chain(&mut self) -> Result<(), sqlx::Error> {
        let ChainHead { chain, kind, .. } = self.provisional.clone();
        boots::insert(&mut self.inner, &chain, kind, self.now).await?;
        let ends = boots::unnamed_ends(&mut self.inner).await?;
        let mut named = Vec::with_capacity(ends.len());
        for end in &ends {
            boots::mark_named(&mut self.inner, end).await?;
            named.push(serde_json::json!({
                "chain": hex::encode(end.chain),
                "sequence": end.sequence,
                "head": hex::encode(end.head),
            }));
        }
        let detail = serde_json::json!({ "ends": named });
        self.append(&Entry::of_node("boot").detail(detail))
            .await
            .map(drop)
    }

    async fn append(&mut self, entry: &Entry<'_>) -> Result<ActivityRef, sqlx::Error> {
        self.provisional
            .append(&mut self.inner, entry, self.now)
            .await
    }

    /// Makes everything durable.
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        let Self {
            inner,
            mut head,
            provisional,
            ..
        } = self;
        // Until the commit has answered nobody knows how the chain goes on.
        head.stale = true;
        inner.commit().await?;
        *head = provisional;
        Ok(())
    }
}
