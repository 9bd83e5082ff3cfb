//! `[cache]`: opening the properties store.

mod later;

use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;

use halfkey_core::EnvironmentId;
use serde::Deserialize;
use tokio::time::timeout;

use self::later::Later;
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
use crate::{BoundedProperties, Error, PropertiesStore, RetryPolicy};

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

/// How long the opening of the tiers waits for the cache. One that is slower is opened by a later
/// use; what needs no cache does not wait for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// The open cache tier.
pub(super) struct Cache {
    pub(super) store: Arc<dyn PropertiesStore>,
    pub(super) info: BackendInfo,
    pub(super) database: Option<Database>,
}

/// Everything that opening the cache takes, now or later.
struct Place {
    config: CacheConfig,
    dir: PathBuf,
    environment: EnvironmentId,
    policy: RetryPolicy,
}

/// An open store, and its file where it has one.
struct Opened {
    store: Arc<dyn PropertiesStore>,
    database: Option<Database>,
}

impl Opened {
    /// A store elsewhere, under the deadlines and retries of the configuration.
    #[cfg(any(feature = "postgres", feature = "redis"))]
    fn remote<T: PropertiesStore + 'static>(store: T, kind: &str, policy: &RetryPolicy) -> Self {
        let steady = Steady::new(Arc::new(store), kind, policy.clone());
        Self {
            store: Arc::new(steady),
            database: None,
        }
    }
}

/// Opens the cache tier of the configuration. It makes no promise to keep anything, so a file that
/// is absent is made, and a cache that is down is only worth a warning.
///
/// # Errors
/// A cache that is configured wrongly, is not safe to speak to or belongs to another environment.
pub(super) async fn open(opening: &Opening<'_>) -> Result<Cache, Error> {
    let place = Place {
        config: opening.config.cache.clone(),
        dir: opening.dir.to_owned(),
        environment: opening.environment.clone(),
        policy: opening.config.retry.policy(),
    };
    let info = place.info();
    let opened = timeout(PATIENCE, place.open()).await;
    match opened.unwrap_or_else(|_| Err(Error::Timeout("the cache".to_owned()))) {
        Ok(Opened { store, database }) => Ok(Cache {
            store,
            info,
            database,
        }),
        Err(error) if is_down(&error) => {
            tracing::warn!(cache = info.kind, %error, "going on without the cache");
            Ok(Cache {
                store: Arc::new(Later::new(place, Arc::clone(&opening.clock))),
                info,
                database: None,
            })
        }
        Err(error) => Err(error),
    }
}

/// Whether the cache itself fails, rather than what is asked of it being wrong.
const fn is_down(error: &Error) -> bool {
    matches!(
        error,
        Error::Backend { .. }
            | Error::Timeout(_)
            | Error::Throttled(_)
            | Error::Denied(_)
            | Error::Full(_)
            | Error::Corrupt { .. }
    )
}

impl Place {
    async fn open(&self) -> Result<Opened, Error> {
        match &self.config {
            CacheConfig::Sqlite(config) => {
                let path = config.path(&self.dir, PROPERTIES);
                let store = SqliteProperties::open(&path, &self.environment, Options::CREATE);
                let store = store.await?;
                let database = store.database().clone();
                Ok(Opened {
                    store: Arc::new(store),
                    database: Some(database),
                })
            }
            CacheConfig::Memory(config) => Ok(Opened {
                store: Arc::new(BoundedProperties::new(config.max_entries)?),
                database: None,
            }),
            #[cfg(feature = "postgres")]
            CacheConfig::Postgres(config) => {
                let store = PostgresProperties::open(config, &self.environment).await?;
                Ok(Opened::remote(store, "postgres", &self.policy))
            }
            #[cfg(feature = "redis")]
            CacheConfig::Redis(config) => {
                let store = RedisProperties::open(config, &self.environment).await?;
                Ok(Opened::remote(store, "redis", &self.policy))
            }
        }
    }

    fn info(&self) -> BackendInfo {
        match &self.config {
            CacheConfig::Sqlite(config) => {
                let path = config.path(&self.dir, PROPERTIES);
                info("sqlite", path.display().to_string())
            }
            CacheConfig::Memory(_) => info("memory", "this process".to_owned()),
            #[cfg(feature = "postgres")]
            CacheConfig::Postgres(config) => BackendInfo {
                min_tls: (!config.is_local()).then_some(config.tls.min_tls),
                ..info("postgres", config.place())
            },
            #[cfg(feature = "redis")]
            CacheConfig::Redis(config) => BackendInfo {
                min_tls: config.tls.as_ref().map(|tls| tls.min_tls),
                ..info("redis", config.prefix.clone())
            },
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
