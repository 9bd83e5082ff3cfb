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
        // Whoever comes behind a store that hangs is told so, and does not wait for ever.
        let mut head = tokio::time::timeout(QUEUE_WAIT, head.lock_owned())
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)?;
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
        let ChainHead {
            chain, next, hash, ..
        } = self.provisional.clone();
        let head = entry.hash(&chain, next, self.now, &hash);
        activities::insert(
            &mut self.inner,
            entry,
            &chain,
            next,
            self.now,
            (&hash, &head),
        )
        .await?;
        self.provisional.next = next.saturating_add(1);
        self.provisional.hash = head;
        Ok(ActivityRef {
            chain: hex::encode(chain),
            sequence: next,
            head: hex::encode(head),
        })
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
