//! Opening a database file: private, migrated, marked with its environment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use halfkey_core::EnvironmentId;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use super::from_sqlx;
use crate::Error;
use crate::private_file;

/// Whether a file that is absent is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Made when absent.
    Create,
    /// [`Error::NotFound`] when absent; an empty file is refused too.
    Existing,
}

/// What a file holds: its name in messages and its migrations, oldest first. Migration `n` ends
/// with `PRAGMA user_version = n` and makes, in number 1, the table `environment_marks`.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// For messages, such as `the record store`.
    pub what: &'static str,
    /// One script per version.
    pub migrations: &'static [&'static str],
}

/// How a file is opened.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether it is made.
    pub mode: OpenMode,
    /// The most pages of 4 KiB it may grow to; a write beyond is [`Error::Full`].
    pub max_pages: Option<u32>,
}

impl Options {
    /// Opens what is there, without a limit of its own.
    pub const EXISTING: Self = Self {
        mode: OpenMode::Existing,
        max_pages: None,
    };
    /// Makes what is absent, without a limit of its own.
    pub const CREATE: Self = Self {
        mode: OpenMode::Create,
        max_pages: None,
    };
}

/// One open file: one writer, several readers.
#[derive(Debug, Clone)]
pub struct Database {
    writer: SqlitePool,
    readers: SqlitePool,
    path: PathBuf,
}

impl Database {
    /// Opens the file at `path` (0600 in a 0700 directory; a looser one is refused), brings it to
    /// the newest version of `schema` and checks that it belongs to `environment`.
    ///
    /// # Errors
    /// [`Error::Permissions`], [`Error::NotFound`], [`Error::Environment`], [`Error::Full`], or
    /// [`Error::Backend`] when it is not such a database, is newer than this program, or cannot be
    /// read.
    pub async fn open(
        path: &Path,
        schema: Schema,
        environment: &EnvironmentId,
        options: Options,
    ) -> Result<Self, Error> {
        prepare_file(path, options.mode)?;
        let writer = writer_options(path, options.max_pages);
        let writer = pool(1).connect_with(writer).await.map_err(from_sqlx)?;
        migrate(&writer, schema, environment, options.mode).await?;
        check_environment(&writer, schema, environment).await?;
        let readers = base_options(path).pragma("query_only", "ON");
        let readers = pool(4).connect_with(readers).await.map_err(from_sqlx)?;
        Ok(Self {
            writer,
            readers,
            path: path.to_owned(),
        })
    }

    /// The one connection that writes.
    pub const fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    /// Connections that cannot write; they see every committed write.
    pub const fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes every connection; the last one moves the log into the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

fn base_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .pragma("secure_delete", "ON")
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging()
}

fn writer_options(path: &Path, max_pages: Option<u32>) -> SqliteConnectOptions {
    let options = base_options(path);
    match max_pages {
        Some(pages) => options.pragma("max_page_count", pages.to_string()),
        None => options,
    }
}

/// Makes or checks the file before SQLite sees it: SQLite would take the mode from the umask. Its
/// log and shared-memory files get the mode of the database.
fn prepare_file(path: &Path, mode: OpenMode) -> Result<(), Error> {
    let dir = private_file::parent(path)?;
    if mode == OpenMode::Create {
        private_file::ensure_dir(&dir)?;
    } else {
        private_file::check_dir(&dir)?;
    }
    match (private_file::open(path)?, mode) {
        (Some(_), _) => Ok(()),
        (None, OpenMode::Existing) => Err(Error::NotFound(path.display().to_string())),
        (None, OpenMode::Create) => {
            private_file::create(path)?;
            private_file::sync_dir(&dir)
        }
    }
}

/// Runs the migrations the file lacks, in one transaction; the first also writes the mark.
async fn migrate(
    writer: &SqlitePool,
    schema: Schema,
    environment: &EnvironmentId,
    mode: OpenMode,
) -> Result<(), Error> {
    let mut transaction = writer
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(from_sqlx)?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *transaction)
        .await
        .map_err(from_sqlx)?;
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    let Some(missing) = schema.migrations.get(done..) else {
        return Err(Error::permanent(format!(
            "{} was written by a newer version (schema {version})",
            schema.what
        )));
    };
    if done == 0 && mode == OpenMode::Existing {
        return Err(Error::permanent(format!(
            "{} is an empty file; restore it from its backup",
            schema.what
        )));
    }
    for script in missing {
        sqlx::raw_sql(*script)
            .execute(&mut *transaction)
            .await
            .map_err(from_sqlx)?;
    }
    if done == 0 {
        sqlx::query("INSERT INTO environment_marks (id, environment) VALUES (1, ?1)")
            .bind(environment.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(from_sqlx)?;
    }
    transaction.commit().await.map_err(from_sqlx)
}

async fn check_environment(
    writer: &SqlitePool,
    schema: Schema,
    environment: &EnvironmentId,
) -> Result<(), Error> {
    let found: Option<String> =
        sqlx::query_scalar("SELECT environment FROM environment_marks WHERE id = 1")
            .fetch_optional(writer)
            .await
            .map_err(from_sqlx)?;
    match found {
        Some(found) if found == environment.as_str() => Ok(()),
        found => Err(Error::Environment {
            what: schema.what.to_owned(),
            found: found.unwrap_or_else(|| "none".to_owned()),
            expected: environment.to_string(),
        }),
    }
}
