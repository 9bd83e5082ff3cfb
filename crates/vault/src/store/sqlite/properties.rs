//! Wallet properties in SQLite.

use std::path::Path;

use async_trait::async_trait;
use halfkey_core::{EnvironmentId, WalletProperties};

use super::{Database, Options, Schema, from_sqlx};
use crate::store::page_limit;
use crate::{Error, Expect, PropertiesStore, Rev, Versioned};

const SCHEMA: Schema = Schema {
    what: "the properties cache",
    migrations: &[include_str!(
        "../../../migrations/properties/0001_properties.sql"
    )],
};

/// A properties store in one SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteProperties {
    database: Database,
}

impl SqliteProperties {
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

    /// The file.
    pub const fn database(&self) -> &Database {
        &self.database
    }
}

#[async_trait]
impl PropertiesStore for SqliteProperties {
    async fn get(&self, address: &str) -> Result<Option<Versioned<WalletProperties>>, Error> {
        let row: Option<(i64, String)> = sqlx::query_as(
            "SELECT rev, json FROM properties WHERE address = ?1 AND json IS NOT NULL",
        )
        .bind(address)
        .fetch_optional(self.database.readers())
        .await
        .map_err(from_sqlx)?;
        row.map(|(rev, json)| {
            let damaged = |_| Error::corrupt(address, "its properties are not what was written");
            let rev = u64::try_from(rev).map_err(|_| Error::corrupt(address, "its rev"))?;
            let value = serde_json::from_str(&json).map_err(damaged)?;
            Ok(Versioned {
                value,
                rev: Rev(rev),
            })
        })
        .transpose()
    }

    async fn put(
        &self,
        address: &str,
        properties: &WalletProperties,
        expect: Expect,
    ) -> Result<Rev, Error> {
        let json = serde_json::to_string(properties)
            .map_err(|_| Error::Caller("the properties cannot be written as JSON"))?;
        let (statement, expected) = match expect {
            Expect::Absent => (
                "INSERT INTO properties (address, rev, json) VALUES (?1, 1, ?2)
                 ON CONFLICT (address) DO UPDATE SET rev = properties.rev + 1, json = excluded.json
                 WHERE properties.json IS NULL RETURNING rev",
                None,
            ),
            Expect::Any => (
                "INSERT INTO properties (address, rev, json) VALUES (?1, 1, ?2)
                 ON CONFLICT (address) DO UPDATE SET rev = properties.rev + 1, json = excluded.json
                 RETURNING rev",
                None,
            ),
            Expect::Rev(rev) => (
                "UPDATE properties SET rev = rev + 1, json = ?2
                 WHERE address = ?1 AND rev = ?3 AND json IS NOT NULL RETURNING rev",
                Some(i64::try_from(rev.0).unwrap_or(-1)),
            ),
        };
        let query = sqlx::query_scalar::<_, i64>(statement)
            .bind(address)
            .bind(json);
        let query = match expected {
            Some(expected) => query.bind(expected),
            None => query,
        };
        // To the end, not to the first row: see the record store.
        let revs = query
            .fetch_all(self.database.writer())
            .await
            .map_err(from_sqlx)?;
        let rev = revs.first().and_then(|rev| u64::try_from(*rev).ok());
        rev.map(Rev)
            .ok_or_else(|| Error::Conflict(address.to_owned()))
    }

    async fn delete(&self, address: &str) -> Result<(), Error> {
        sqlx::query(
            "UPDATE properties SET rev = rev + 1, json = NULL
             WHERE address = ?1 AND json IS NOT NULL",
        )
        .bind(address)
        .execute(self.database.writer())
        .await
        .map_err(from_sqlx)?;
        Ok(())
    }

    async fn addresses(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, Error> {
        sqlx::query_scalar(
            "SELECT address FROM properties WHERE address > ?1 AND json IS NOT NULL
             ORDER BY address LIMIT ?2",
        )
        .bind(after.unwrap_or_default())
        .bind(i64::try_from(page_limit(limit)?).unwrap_or(i64::MAX))
        .fetch_all(self.database.readers())
        .await
        .map_err(from_sqlx)
    }
}
