use core::future::{Ready, ready};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{Error, SqliteConnection};

/// As many connections are kept for the next query; under load there are more.
const KEPT: usize = 8;

/// A connection for queries, until it is dropped.
pub(crate) type Reader = OwnedMutexGuard<SqliteConnection>;

/// Connections for queries outside a write transaction.
#[derive(Debug, Clone)]
pub(crate) struct Readers {
    path: Arc<Path>,
    kept: Arc<StdMutex<Vec<Arc<Mutex<SqliteConnection>>>>>,
}

impl Readers {
    /// Of the database in this file. The first is opened at once, so that what is wrong shows.
    pub(crate) fn open(path: PathBuf) -> Result<Self, Error> {
        let first = SqliteConnection::open_to_read(&path)?;
        Ok(Self {
            path: path.into(),
            kept: Arc::new(StdMutex::new(vec![Arc::new(Mutex::new(first))])),
        })
    }

    /// A connection that nobody uses. Nobody has to wait for one: whoever has one has it for one
    /// query or a few.
    pub(crate) fn acquire(&self) -> Ready<Result<Reader, Error>> {
        let free = self.with_kept(|kept| kept.iter().find_map(try_lock));
        ready(free.map_or_else(|| self.another(), Ok))
    }

    fn another(&self) -> Result<Reader, Error> {
        let conn = Arc::new(Mutex::new(SqliteConnection::open_to_read(&self.path)?));
        let reader = try_lock(&conn).ok_or(Error::Busy)?;
        self.with_kept(|kept| {
            if kept.len() < KEPT {
                kept.push(conn);
            }
        });
        Ok(reader)
    }

    /// Closes those that nobody uses.
    pub(crate) fn close(&self) {
        self.with_kept(Vec::clear);
    }

    fn with_kept<T>(&self, work: impl FnOnce(&mut Vec<Arc<Mutex<SqliteConnection>>>) -> T) -> T {
        work(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn try_lock(conn: &Arc<Mutex<SqliteConnection>>) -> Option<Reader> {
    Arc::clone(conn).try_lock_owned().ok()
}
