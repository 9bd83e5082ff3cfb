//! Records in PostgreSQL.

use async_trait::async_trait;
use halfkey_core::EnvironmentId;

use super::{Database, PostgresConfig, check_len};
use crate::store::page_limit;
use crate::{
    DestroyRecord, Error, Expect, GetRecord, ListRecords, Page, PutRecord, RecordName, Rev,
    Versioned,
};

/// A record store in one table.
#[derive(Debug, Clone)]
pub struct PostgresRecords {
    database: Database,
}

impl PostgresRecords {
    /// Connects, and makes the tables where they are absent and `config.migrate` says so.
    ///
    /// # Errors
    /// [`Error::Environment`] when the tables are another environment's, [`Error::NotDurable`],
    /// [`Error::Insecure`], [`Error::Denied`], [`Error::Config`], [`Error::Timeout`], or
    /// [`Error::Backend`].
    pub async fn open(config: &PostgresConfig, environment: &EnvironmentId) -> Result<Self, Error> {
        Ok(Self {
            database: Database::open(config, environment).await?,
        })
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.database.pool.close().await;
    }
}

#[async_trait]
impl PutRecord for PostgresRecords {
    async fn put(&self, name: &RecordName, bytes: &[u8], expect: Expect) -> Result<Rev, Error> {
        check_len("record", bytes.len())?;
        let statements = &self.database.statements;
        // One statement each: the comparison and the write cannot come apart.
        let (statement, expected) = match expect {
            Expect::Absent => (statements.put_absent(), None),
            Expect::Any => (statements.put_any(), None),
            Expect::Rev(rev) => (statements.put_rev(), Some(as_i64(rev))),
        };
        let query = sqlx::query_scalar::<_, i64>(statement)
            .bind(name.as_str())
            .bind(bytes);
        let query = match expected {
            Some(expected) => query.bind(expected),
            None => query,
        };
        let mut call = self.database.call().await?;
        let done = call
            .run(|connection| query.fetch_optional(connection))
            .await;
        let rev = call.end(done)?;
        rev.and_then(|rev| u64::try_from(rev).ok())
            .map(Rev)
            .ok_or_else(|| Error::Conflict(name.to_string()))
    }
}

#[async_trait]
impl GetRecord for PostgresRecords {
    async fn get(&self, name: &RecordName) -> Result<Option<Versioned<Vec<u8>>>, Error> {
        let query =
            sqlx::query_as::<_, (i64, Vec<u8>)>(self.database.statements.get()).bind(name.as_str());
        let mut call = self.database.call().await?;
        let done = call
            .run(|connection| query.fetch_optional(connection))
            .await;
        let row = call.end(done)?;
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
impl ListRecords for PostgresRecords {
    async fn list(
        &self,
        prefix: &str,
        after: Option<&RecordName>,
        limit: usize,
    ) -> Result<Page, Error> {
        let limit = page_limit(limit)?;
        let query = sqlx::query_scalar::<_, String>(self.database.statements.list())
            .bind(prefix)
            .bind(after.map_or("", RecordName::as_str))
            .bind(i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX));
        let mut call = self.database.call().await?;
        let done = call.run(|connection| query.fetch_all(connection)).await;
        let found = call.end(done)?;
        let more = found.len() > limit;
        let names = found.into_iter().take(limit).map(RecordName::new);
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let next = names.last().filter(|_| more).cloned();
        Ok(Page { names, next })
    }
}

#[async_trait]
impl DestroyRecord for PostgresRecords {
    /// The row's bytes are gone for every reader at once; old row versions leave the files with the
    /// next vacuum, and the write-ahead log and backups keep what they have, sealed.
    async fn destroy(&self, name: &RecordName, expect: Expect) -> Result<(), Error> {
        let statements = &self.database.statements;
        let query = match expect {
            Expect::Absent => return Err(Error::Caller("what is absent cannot be destroyed")),
            Expect::Any => sqlx::query(statements.destroy_any()).bind(name.as_str()),
            Expect::Rev(rev) => sqlx::query(statements.destroy_rev())
                .bind(name.as_str())
                .bind(as_i64(rev)),
        };
        let mut call = self.database.call().await?;
        let done = call.run(|connection| query.execute(connection)).await;
        let done = call.end(done)?.rows_affected();
        if done == 0 && expect != Expect::Any {
            return Err(Error::Conflict(name.to_string()));
        }
        Ok(())
    }
}

/// A revision that no row has when it does not fit.
fn as_i64(rev: Rev) -> i64 {
    i64::try_from(rev.0).unwrap_or(-1)
}
