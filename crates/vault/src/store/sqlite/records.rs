//! Records in SQLite.

use std::path::Path;

use async_trait::async_trait;
use halfkey_core::EnvironmentId;

use super::{Database, Options, Schema, from_sqlx};
use crate::store::page_limit;
use crate::{
    DestroyRecord, Error, Expect, GetRecord, ListRecords, Page, PutRecord, RecordName, Rev,
    Versioned,
};

const SCHEMA: Schema = Schema {
    what: "the record store",
    migrations: &[include_str!("../../../migrations/records/0001_records.sql")],
};

/// A record store in one SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteRecords {
    database: Database,
}

impl SqliteRecords {
    /// Opens the file.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub async fn open(
        path: &Path,
        environment: &EnvironmentId,
        options: Options,
    ) -> Result<Self, Error> {
        Ok(Self {
            database: Database::open(path, SCHEMA, environment, options).await?,
        })
    }

    /// Whether nothing was ever written.
    ///
    /// # Errors
    /// [`Error::Backend`].
    pub async fn is_untouched(&self) -> Result<bool, Error> {
        let any: Option<i64> = sqlx::query_scalar("SELECT 1 FROM records LIMIT 1")
            .fetch_optional(self.database.readers())
            .await
            .map_err(from_sqlx)?;
        Ok(any.is_none())
    }

    /// The file.
    pub const fn database(&self) -> &Database {
        &self.database
    }
}

#[async_trait]
impl PutRecord for SqliteRecords {
    async fn put(&self, name: &RecordName, bytes: &[u8], expect: Expect) -> Result<Rev, Error> {
        // One statement each: the comparison and the write cannot come apart.
        let (statement, expected) = match expect {
            Expect::Absent => (
                "INSERT INTO records (name, rev, bytes) VALUES (?1, 1, ?2)
                 ON CONFLICT (name) DO UPDATE SET rev = records.rev + 1, bytes = excluded.bytes
                 WHERE records.bytes IS NULL RETURNING rev",
                None,
            ),
            Expect::Any => (
                "INSERT INTO records (name, rev, bytes) VALUES (?1, 1, ?2)
                 ON CONFLICT (name) DO UPDATE SET rev = records.rev + 1, bytes = excluded.bytes
                 RETURNING rev",
                None,
            ),
            Expect::Rev(rev) => (
                "UPDATE records SET rev = rev + 1, bytes = ?2
                 WHERE name = ?1 AND rev = ?3 AND bytes IS NOT NULL RETURNING rev",
                Some(i64::try_from(rev.0).unwrap_or(-1)),
            ),
        };
        let query = sqlx::query_scalar::<_, i64>(statement)
            .bind(name.as_str())
            .bind(bytes);
        let query = match expected {
            Some(expected) => query.bind(expected),
            None => query,
        };
        // To the end, not to the first row: the statement commits after its last step, and only
        // then does a full disk show.
        let revs = query
            .fetch_all(self.database.writer())
            .await
            .map_err(from_sqlx)?;
        let rev = revs.first().and_then(|rev| u64::try_from(*rev).ok());
        rev.map(Rev)
            .ok_or_else(|| Error::Conflict(name.to_string()))
    }
}

#[async_trait]
impl GetRecord for SqliteRecords {
    async fn get(&self, name: &RecordName) -> Result<Option<Versioned<Vec<u8>>>, Error> {
        let row: Option<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT rev, bytes FROM records WHERE name = ?1 AND bytes IS NOT NULL")
                .bind(name.as_str())
                .fetch_optional(self.database.readers())
                .await
                .map_err(from_sqlx)?;
        row.map(|(rev, value)| {
            let rev = u64::try_from(rev).map_err(|_| Error::corrupt(name.as_str(), "its rev"))?;
            Ok(Versioned {
                value,
                rev: Rev(rev),
            })
        })
        .transpose()
    }
}

#[async_trait]
impl ListRecords for SqliteRecords {
    async fn list(
        &self,
        prefix: &str,
        after: Option<&RecordName>,
        limit: usize,
    ) -> Result<Page, Error> {
        let limit = page_limit(limit)?;
        let found: Vec<String> = sqlx::query_scalar(
            "SELECT name FROM records
             WHERE name >= ?1 AND substr(name, 1, length(?1)) = ?1 AND name > ?2
               AND bytes IS NOT NULL
             ORDER BY name LIMIT ?3",
        )
        .bind(prefix)
        .bind(after.map_or("", RecordName::as_str))
        .bind(i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX))
        .fetch_all(self.database.readers())
        .await
        .map_err(from_sqlx)?;
        let more = found.len() > limit;
        let names = found.into_iter().take(limit).map(RecordName::new);
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let next = names.last().filter(|_| more).cloned();
        Ok(Page { names, next })
    }
}

#[async_trait]
impl DestroyRecord for SqliteRecords {
    async fn destroy(&self, name: &RecordName, expect: Expect) -> Result<(), Error> {
        let writer = self.database.writer();
        let query = match expect {
            Expect::Absent => return Err(Error::Caller("what is absent cannot be destroyed")),
            Expect::Any => sqlx::query(
                "UPDATE records SET rev = rev + 1, bytes = NULL
                 WHERE name = ?1 AND bytes IS NOT NULL",
            )
            .bind(name.as_str()),
            Expect::Rev(rev) => sqlx::query(
                "UPDATE records SET rev = rev + 1, bytes = NULL
                 WHERE name = ?1 AND rev = ?2 AND bytes IS NOT NULL",
            )
            .bind(name.as_str())
            .bind(i64::try_from(rev.0).unwrap_or(-1)),
        };
        let done = query
            .execute(writer)
            .await
            .map_err(from_sqlx)?
            .rows_affected();
        if done == 0 && expect != Expect::Any {
            return Err(Error::Conflict(name.to_string()));
        }
        self.truncate_log(name).await
    }
}

impl SqliteRecords {
    /// Takes the old pages of what was destroyed out of the log as well. A reader in the midst of
    /// its work holds that up; SQLite waits for it and says in a row, not by an error, that it
    /// waited in vain.
    async fn truncate_log(&self, name: &RecordName) -> Result<(), Error> {
        for _ in 0..2 {
            let busy: i64 = sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)")
                .fetch_one(self.database.writer())
                .await
                .map_err(from_sqlx)?;
            if busy == 0 {
                return Ok(());
            }
        }
        tracing::warn!(record = %name, "a destroyed record is still in the store's log");
        Err(Error::ShredIncomplete(name.to_string()))
    }
}
