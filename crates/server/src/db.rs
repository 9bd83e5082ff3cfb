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
pub(crate) mod escrows;
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
pub(crate) mod sql;
pub(crate) mod tokens;
mod tx;
pub(crate) mod wallets;
pub(crate) mod webhooks;

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use halfkey_core::Clock;
use halfkey_core::wire::ActivityRef;
use tokio::sync::Mutex;

pub(crate) use activities::Entry;
use sql::{Readers, SqliteConnection};
pub(crate) use tx::Tx;
use tx::Writer;

use crate::Error;
use crate::blocking::blocking;

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
    writer: Arc<Mutex<Writer>>,
    read: Readers,
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
        // One connection writes: SQLite has one writer anyway, and a queue is fairer than retries.
        let mut conn = blocking(|| SqliteConnection::open(path))?;
        migrate::run(&mut conn, clock.now()).await?;
        let read = Readers::open(path.to_owned())?;
        let boot = crate::ids::random_id();
        let writer = Arc::new(Mutex::new(Writer::new(conn, boot, kind)));
        Ok(Self {
            writer,
            read,
            boot,
            clock,
        })
    }

    /// This process's boot id, which also names its activity chain.
    pub(crate) const fn boot(&self) -> &[u8; 16] {
        &self.boot
    }

    /// For queries outside a write transaction.
    pub(crate) const fn read(&self) -> &Readers {
        &self.read
    }

    /// Begins a write transaction; others wait until it ends.
    pub(crate) async fn begin(&self) -> Result<Tx, sql::Error> {
        Tx::begin(Arc::clone(&self.writer), self.clock.now()).await
    }

    /// Appends one entry that comes with no other effect, durable when this returns.
    pub(crate) async fn record(&self, entry: &Entry<'_>) -> Result<ActivityRef, sql::Error> {
        tx::record_alone(Arc::clone(&self.writer), self.clock.now(), entry).await
    }

    /// The newest entry of this process's activity chain that is durable: number and hash.
    pub(crate) async fn durable_head(&self) -> Option<(u64, [u8; 32])> {
        self.writer.lock().await.last()
    }

    /// Waits for the running transaction; the file is closed with the last clone.
    pub(crate) async fn close(&self) {
        self.read.close();
        drop(self.writer.lock().await);
    }
}
