//! `[cache]`: opening the properties store.

use std::sync::Arc;

use serde::Deserialize;

use super::info::{BackendInfo, Tier};
use super::open::Opening;
use super::records::SqliteConfig;
#[cfg(any(feature = "postgres", feature = "redis"))]
use crate::Steady;
use crate::embedded::PROPERTIES;
#[cfg(feature = "postgres")]
use crate::store::postgres::{PostgresConfig, PostgresProperties};
#[cfg(feature = "redis")]
use crate::store::redis::{RedisConfig, RedisProperties};
use crate::store::sqlite::{Database, Options, SqliteProperties};
use crate::{BoundedProperties, Error, PropertiesStore};

/// Which properties store.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum CacheConfig {
    /// One SQLite file.
    Sqlite(SqliteConfig),
    /// This process's memory.
    Memory(MemoryConfig),
    /// A table.
    #[cfg(feature = "postgres")]
    Postgres(PostgresConfig),
    /// Redis.
    #[cfg(feature = "redis")]
    Redis(RedisConfig),
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self::Sqlite(SqliteConfig::default())
    }
}

/// `kind = "memory"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MemoryConfig {
    /// How many wallets are kept.
    #[serde(default = "default_entries")]
    max_entries: usize,
}

const fn default_entries() -> usize {
    100_000
}

/// The open cache tier.
pub(super) struct Cache {
    pub(super) store: Arc<dyn PropertiesStore>,
    pub(super) info: BackendInfo,
    pub(super) database: Option<Database>,
}

impl Cache {
    /// A store elsewhere, under the deadlines and retries of the configuration.
    #[cfg(any(feature = "postgres", feature = "redis"))]
    fn remote<T: PropertiesStore + 'static>(
        store: T,
        info: BackendInfo,
        opening: &Opening<'_>,
    ) -> Self {
        let policy = opening.config.retry.policy();
        Self {
            store: Arc::new(Steady::new(Arc::new(store), info.kind, policy)),
            info,
            database: None,
        }
    }
}

/// Opens the cache tier of the configuration. It makes no promise to keep anything, so a file that
/// is absent is made.
pub(super) async fn open(opening: &Opening<'_>) -> Result<Cache, Error> {
    match &opening.config.cache {
        CacheConfig::Sqlite(config) => {
            let path = config.path(opening.dir, PROPERTIES);
            let store = SqliteProperties::open(&path, opening.environment, Options::CREATE).await?;
            let database = store.database().clone();
            Ok(Cache {
                store: Arc::new(store),
                info: info("sqlite", path.display().to_string()),
                database: Some(database),
            })
        }
        CacheConfig::Memory(config) => Ok(Cache {
            store: Arc::new(BoundedProperties::new(config.max_entries)?),
            info: info("memory", "this process".to_owned()),
            database: None,
        }),
        #[cfg(feature = "postgres")]
        CacheConfig::Postgres(config) => {
            let store = PostgresProperties::open(config, opening.environment).await?;
            let mut info = info("postgres", config.place());
            info.min_tls = (!config.is_local()).then_some(config.tls.min_tls);
            Ok(Cache::remote(store, info, opening))
        }
        #[cfg(feature = "redis")]
        CacheConfig::Redis(config) => {
            let store = RedisProperties::open(config, opening.environment).await?;
            let mut info = info("redis", config.prefix.clone());
            info.min_tls = config.tls.as_ref().map(|tls| tls.min_tls);
            Ok(Cache::remote(store, info, opening))
        }
    }
}

const fn info(kind: &'static str, place: String) -> BackendInfo {
    BackendInfo {
        tier: Tier::Cache,
        kind,
        place,
        min_tls: None,
        durable: false,
    }
}
