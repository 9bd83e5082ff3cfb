use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row, Statement, params_from_iter};

use super::row::{Names, SqliteRow};
use super::{Argument, Error};

/// More than there are statements.
const STATEMENTS: usize = 256;

/// How long SQLite waits for a lock that another process holds.
const BUSY: Duration = Duration::from_secs(10);

/// One connection to the database's file.
pub(crate) struct SqliteConnection {
    inner: Connection,
    /// Every statement's columns, by its text.
    names: HashMap<&'static str, Names>,
}

halfkey_core::redacted_debug!(SqliteConnection);

impl SqliteConnection {
    /// Opens a file that is there, to read and write. A commit that returned is on the disk.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        // One thread at a time has it, so SQLite needs no locks of its own around it.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let inner = Connection::open_with_flags(path, flags)?;
        inner.busy_timeout(BUSY)?;
        inner.set_prepared_statement_cache_capacity(STATEMENTS);
        inner.execute_batch(
            "PRAGMA foreign_keys = ON;
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA secure_delete = ON;
             PRAGMA trusted_schema = OFF;",
        )?;
        Ok(Self {
            inner,
            names: HashMap::new(),
        })
    }

    /// Opens it for queries only.
    pub(crate) fn open_to_read(path: &Path) -> Result<Self, Error> {
        let conn = Self::open(path)?;
        conn.inner.execute_batch("PRAGMA query_only = ON")?;
        Ok(conn)
    }

    /// Runs statements that take no arguments and answer with nothing.
    pub(crate) fn batch(&mut self, sql: &'static str) -> Result<(), Error> {
        Ok(self.inner.execute_batch(sql)?)
    }

    /// Runs one that is used again and again: `BEGIN IMMEDIATE`, `COMMIT`.
    pub(crate) fn control(&mut self, sql: &'static str) -> Result<(), Error> {
        self.inner.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    /// Whether a transaction is open.
    pub(crate) fn is_in_transaction(&self) -> bool {
        !self.inner.is_autocommit()
    }

    pub(super) fn execute(
        &mut self,
        sql: &'static str,
        arguments: &[Argument<'_>],
    ) -> Result<u64, Error> {
        let mut statement = self.inner.prepare_cached(sql)?;
        let changed = statement.execute(params_from_iter(arguments))?;
        Ok(u64::try_from(changed).unwrap_or(u64::MAX))
    }

    /// At most `limit` rows.
    pub(super) fn rows(
        &mut self,
        sql: &'static str,
        arguments: &[Argument<'_>],
        limit: usize,
    ) -> Result<Vec<SqliteRow>, Error> {
        let mut statement = self.inner.prepare_cached(sql)?;
        let names = self
            .names
            .entry(sql)
            .or_insert_with(|| names_of(&statement));
        let mut found = Vec::new();
        let mut rows = statement.query(params_from_iter(arguments))?;
        while found.len() < limit
            && let Some(row) = rows.next()?
        {
            found.push(read(row, names)?);
        }
        Ok(found)
    }
}

fn names_of(statement: &Statement<'_>) -> Names {
    statement
        .column_names()
        .into_iter()
        .map(Box::from)
        .collect()
}

fn read(row: &Row<'_>, names: &Names) -> Result<SqliteRow, Error> {
    let cells = (0..names.len()).map(|at| row.get(at));
    Ok(SqliteRow {
        names: Names::clone(names),
        cells: cells.collect::<Result<_, _>>()?,
    })
}
