//! `[cache]`: opening the properties store.

use std::sync::Arc;

use serde::Deserialize;

use super::info::{BackendInfo, Tier};
use super::open::Opening;
use super::records::SqliteConfig;
use crate::embedded::PROPERTIES;
use crate::store::sqlite::{Database, Options, SqliteProperties};
use crate::{BoundedProperties, Error, PropertiesStore, Steady};

/// Which properties store.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum CacheConfig {
    /// One SQLite file.
    Sqlite(SqliteConfig),
    /// This process's memory.
    Memory(MemoryConfig),
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
    #[cfg_attr(
        not(any(feature = "postgres", feature = "redis")),
        expect(dead_code, reason = "no remote cache is built in")
    )]
    pub(super) fn steady<T: PropertiesStore + 'static>(
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
