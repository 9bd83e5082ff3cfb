//! Wallet properties in PostgreSQL.

use async_trait::async_trait;
use halfkey_core::{EnvironmentId, WalletProperties};

use super::{Database, PostgresConfig, check_len};
use crate::store::page_limit;
use crate::{Error, Expect, PropertiesStore, Rev, Versioned};

/// A properties store in one table.
#[derive(Debug, Clone)]
pub struct PostgresProperties {
    database: Database,
}

impl PostgresProperties {
    /// Connects; as [`PostgresRecords::open`](super::PostgresRecords::open).
    ///
    /// # Errors
    /// As there.
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
impl PropertiesStore for PostgresProperties {
    async fn get(&self, address: &str) -> Result<Option<Versioned<WalletProperties>>, Error> {
        let query = sqlx::query_as::<_, (i64, String)>(self.database.statements.properties_get())
            .bind(address);
        let mut call = self.database.call().await?;
        let done = call
            .run(|connection| query.fetch_optional(connection))
            .await;
        let row = call.end(done)?;
        row.map(|(rev, json)| {
            let damaged = |_| Error::corrupt(address, "its properties are not what was written");
            let rev = u64::try_from(rev).map_err(|_| Error::corrupt(address, "its rev"))?;
            Ok(Versioned {
                value: serde_json::from_str(&json).map_err(damaged)?,
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
        check_len("properties entry", json.len())?;
        let statements = &self.database.statements;
        let (statement, expected) = match expect {
            Expect::Absent => (statements.properties_absent(), None),
            Expect::Any => (statements.properties_any(), None),
            Expect::Rev(rev) => {
                let rev = i64::try_from(rev.0).unwrap_or(-1);
                (statements.properties_rev(), Some(rev))
            }
        };
        let query = sqlx::query_scalar::<_, i64>(statement)
            .bind(address)
            .bind(json);
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
            .ok_or_else(|| Error::Conflict(address.to_owned()))
    }

    async fn delete(&self, address: &str) -> Result<(), Error> {
        let query = sqlx::query(self.database.statements.properties_delete()).bind(address);
        let mut call = self.database.call().await?;
        let done = call.run(|connection| query.execute(connection)).await;
        call.end(done).map(drop)
    }

    async fn addresses(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, Error> {
        let limit = page_limit(limit)?;
        let query =
            sqlx::query_scalar::<_, String>(self.database.statements.properties_addresses())
                .bind(after.unwrap_or_default())
                .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let mut call = self.database.call().await?;
        let done = call.run(|connection| query.fetch_all(connection)).await;
        call.end(done)
    }
}
