//! The provider's database: SQLite in WAL mode, one writer, durable commits.

pub(crate) mod activities;
pub(crate) mod attempts;
pub(crate) mod backups;
pub(crate) mod boots;
pub(crate) mod changes;
pub(crate) mod columns;
pub(crate) mod delegation_keys;
pub(crate) mod delegations;
pub(crate) mod environments;
pub(crate) mod events;
pub(crate) mod exports;
pub(crate) mod freezes;
pub(crate) mod generations;
pub(crate) mod idempotency;
pub(crate) mod locks;
pub(crate) mod messages;
mod migrate;
pub(crate) mod proofs;
pub(crate) mod recipients;
pub(crate) mod recoveries;
pub(crate) mod shares;
pub(crate) mod slots;
pub(crate) mod tokens;
mod tx;
pub(crate) mod wallets;
pub(crate) mod webhooks;

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use halfkey_core::Clock;
use halfkey_core::wire::ActivityRef;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::Mutex;

pub(crate) use activities::Entry;
use tx::ChainHead;
pub(crate) use tx::Tx;

use crate::Error;

/// Makes sure that only the owner can read the file; SQLite gives its journals the same mode.
fn create_private(path: &Path) -> Result<(), Error> {
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(Error::io(format!("create {}", path.display())))
}

/// What kind of process opened the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BootKind {
    /// Answers requests; only one at a time.
    Serve,
    /// Runs one command.
    Admin,
}

/// The database, opened by this process; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Db {
    write: SqlitePool,
    read: SqlitePool,
    head: Arc<Mutex<ChainHead>>,
    boot: [u8; 16],
    clock: Arc<dyn Clock>,
}

impl Db {
    /// Opens the database and brings it to the newest schema. `create` makes a missing one;
    /// otherwise a missing one is [`Error::NotInitialised`].
    pub(crate) async fn open(
        path: &Path,
        clock: Arc<dyn Clock>,
        kind: BootKind,
        create: bool,
    ) -> Result<Self, Error> {
        if !create
            && !path
                .try_exists()
                .map_err(Error::io("look for the database"))?
        {
            let root = path.parent().and_then(Path::parent).unwrap_or(path);
            return Err(Error::NotInitialised(root.to_owned()));
        }
        if create {
            create_private(path)?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .pragma("secure_delete", "ON")
            .pragma("trusted_schema", "OFF")
            .busy_timeout(Duration::from_secs(10));
        // One connection writes: SQLite has one writer anyway, and a queue is fairer than retries.
        // A connection to a file does not die between two uses: asking it first is a trip to its
        // thread and back for nothing.
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .acquire_timeout(Duration::from_secs(15))
            .connect_with(options.clone())
            .await?;
        migrate::run(&write, clock.now()).await?;
        let read = SqlitePoolOptions::new()
            .max_connections(4)
            .test_before_acquire(false)
            .acquire_timeout(Duration::from_secs(15))
            .connect_with(options.create_if_missing(false).pragma("query_only", "ON"))
            .await?;
        let boot = crate::ids::random_id();
        let head = Arc::new(Mutex::new(ChainHead::start_of(boot, kind)));
        Ok(Self {
            write,
            read,
            head,
            boot,
            clock,
        })
    }

    /// This process's boot id, which also names its activity chain.
    pub(crate) const fn boot(&self) -> &[u8; 16] {
        &self.boot
    }

    /// For queries outside a write transaction.
    pub(crate) const fn read(&self) -> &SqlitePool {
        &self.read
    }

    /// Begins a write transaction; others wait until it ends.
    pub(crate) async fn begin(&self) -> Result<Tx, sqlx::Error> {
        Tx::begin(&self.write, Arc::clone(&self.head), self.clock.now()).await
    }

    /// Appends one entry that comes with no other effect, durable when this returns.
    pub(crate) async fn record(&self, entry: &Entry<'_>) -> Result<ActivityRef, sqlx::Error> {
        tx::record_alone(&self.write, Arc::clone(&self.head), self.clock.now(), entry).await
    }

    /// The newest entry of this process's activity chain that is durable: number and hash.
    pub(crate) async fn durable_head(&self) -> Option<(u64, [u8; 32])> {
        self.head.lock().await.last()
    }

    /// Waits for running queries and closes every connection.
    pub(crate) async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}
