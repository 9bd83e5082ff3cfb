//! `[records]`: opening the record store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::info::{BackendInfo, Tier};
use super::open::Opening;
use super::secrets::{self, SecretsConfig};
use crate::embedded::RECORDS;
#[cfg(any(feature = "_http", feature = "postgres", feature = "redis"))]
use crate::net::TlsConfig;
use crate::store::files::{FileRecords, FilesConfig};
#[cfg(feature = "openbao")]
use crate::store::kv::{KvConfig, KvRecords};
#[cfg(feature = "postgres")]
use crate::store::postgres::{PostgresConfig, PostgresRecords};
#[cfg(feature = "redis")]
use crate::store::redis::{RedisConfig, RedisRecords};
#[cfg(feature = "s3")]
use crate::store::s3::{S3Config, S3Records};
use crate::store::secret_manager::{Layout, SecretManagerConfig, SecretManagerRecords};
use crate::store::sqlite::{Database, Options, SqliteRecords};
use crate::{Error, RecordStore, Steady};

/// `[records]`: one store, or a secret manager with an index.
#[derive(Debug, Clone)]
pub(super) enum RecordsConfig {
    /// `kind = "secret-manager"`.
    SecretManager(Box<SecretManager>),
    /// Every other kind.
    Store(Box<StoreConfig>),
}

impl Default for RecordsConfig {
    fn default() -> Self {
        Self::Store(Box::default())
    }
}

/// Sealed bytes in a secret manager; which of them are current in an index.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretManager {
    #[serde(rename = "kind")]
    _kind: SecretManagerKind,
    #[serde(default)]
    layout: Layout,
    secrets: SecretsConfig,
    #[serde(default)]
    index: StoreConfig,
}

#[derive(Debug, Clone, Copy, Deserialize)]
enum SecretManagerKind {
    #[serde(rename = "secret-manager")]
    SecretManager,
}

/// Which record store.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum StoreConfig {
    /// One SQLite file.
    Sqlite(SqliteConfig),
    /// Files in one directory.
    Files(FilesConfig),
    /// A table.
    #[cfg(feature = "postgres")]
    Postgres(PostgresConfig),
    /// Redis.
    #[cfg(feature = "redis")]
    Redis(RedisConfig),
    /// A bucket.
    #[cfg(feature = "s3")]
    S3(S3Config),
    /// HashiCorp Vault or OpenBao, KV v2.
    #[cfg(feature = "openbao")]
    Kv(KvConfig),
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self::Sqlite(SqliteConfig::default())
    }
}

/// `kind = "sqlite"`, of records and properties.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SqliteConfig {
    /// The file; the embedded one in the data directory when absent.
    #[serde(default)]
    path: Option<PathBuf>,
}

impl SqliteConfig {
    pub(super) fn path(&self, dir: &Path, default: &str) -> PathBuf {
        dir.join(self.path.as_deref().unwrap_or(Path::new(default)))
    }
}

/// An open record store.
pub(super) struct Records {
    pub(super) store: Arc<dyn RecordStore>,
    /// One, or two where a secret manager stands beside its index.
    pub(super) infos: Vec<BackendInfo>,
    pub(super) database: Option<Database>,
}

impl Records {
    fn local<T: RecordStore + 'static>(store: T, info: BackendInfo) -> Self {
        Self {
            store: Arc::new(store),
            infos: vec![info],
            database: None,
        }
    }

    /// Under the deadlines and retries of the configuration.
    #[cfg(any(feature = "_http", feature = "postgres", feature = "redis"))]
    fn remote<T: RecordStore + 'static>(
        store: T,
        info: BackendInfo,
        opening: &Opening<'_>,
    ) -> Self {
        let policy = opening.config.retry.policy();
        Self::local(Steady::new(Arc::new(store), info.kind, policy), info)
    }
}

/// Opens the record store of the configuration; what is a file of ours is made only when `is_new`.
pub(super) async fn open(opening: &Opening<'_>, is_new: bool) -> Result<Records, Error> {
    match &opening.config.records {
        RecordsConfig::Store(config) => store(config, opening, is_new).await,
        RecordsConfig::SecretManager(config) => secret_manager(config, opening, is_new).await,
    }
}

async fn secret_manager(
    config: &SecretManager,
    opening: &Opening<'_>,
    is_new: bool,
) -> Result<Records, Error> {
    let index = store(&config.index, opening, is_new).await?;
    let (secrets, info) = secrets::open(&config.secrets, opening).await?;
    let layout = SecretManagerConfig {
        layout: config.layout,
    };
    let opened =
        SecretManagerRecords::open(&layout, opening.environment, secrets, index.store).await?;
    let policy = opening.config.retry.policy();
    let mut infos = vec![info];
    infos.extend(index.infos);
    Ok(Records {
        store: Arc::new(Steady::new(Arc::new(opened), "secret-manager", policy)),
        infos,
        database: index.database,
    })
}

async fn store(
    config: &StoreConfig,
    opening: &Opening<'_>,
    is_new: bool,
) -> Result<Records, Error> {
    match config {
        StoreConfig::Sqlite(config) => sqlite(config, opening, is_new).await,
        StoreConfig::Files(config) => {
            let store = FileRecords::open(config, opening.environment).await?;
            let place = config.dir.display().to_string();
            Ok(Records::local(store, info("files", place)))
        }
        #[cfg(feature = "postgres")]
        StoreConfig::Postgres(config) => {
            let store = PostgresRecords::open(config, opening.environment).await?;
            let tls = (!config.is_local()).then_some(&config.tls);
            let info = over(info("postgres", config.place()), tls);
            Ok(Records::remote(store, info, opening))
        }
        #[cfg(feature = "redis")]
        StoreConfig::Redis(config) => {
            let store = RedisRecords::open(config, opening.environment).await?;
            let mut info = over(info("redis", config.prefix.clone()), config.tls.as_ref());
            info.durable = store.durability().await.is_durable();
            Ok(Records::remote(store, info, opening))
        }
        #[cfg(feature = "s3")]
        StoreConfig::S3(config) => {
            let store = S3Records::open(config, opening.environment).await?;
            let place = format!("{}/{}", config.bucket, config.prefix);
            let info = over(info("s3", place), Some(&config.tls));
            Ok(Records::remote(store, info, opening))
        }
        #[cfg(feature = "openbao")]
        StoreConfig::Kv(config) => {
            let store = KvRecords::open(config, opening.environment).await?;
            let place = format!("{}/{}", config.mount, config.prefix);
            let info = over(info("kv", place), Some(&config.server.tls));
            Ok(Records::remote(store, info, opening))
        }
    }
}

async fn sqlite(
    config: &SqliteConfig,
    opening: &Opening<'_>,
    is_new: bool,
) -> Result<Records, Error> {
    let path = config.path(opening.dir, RECORDS);
    let options = if is_new {
        Options::CREATE
    } else {
        Options::EXISTING
    };
    let store = SqliteRecords::open(&path, opening.environment, options).await?;
    let database = store.database().clone();
    Ok(Records {
        database: Some(database),
        ..Records::local(store, info("sqlite", path.display().to_string()))
    })
}

const fn info(kind: &'static str, place: String) -> BackendInfo {
    BackendInfo {
        tier: Tier::Records,
        kind,
        place,
        min_tls: None,
        durable: true,
    }
}

/// The same for a store that is spoken to over a network.
#[cfg(any(feature = "_http", feature = "postgres", feature = "redis"))]
fn over(info: BackendInfo, tls: Option<&TlsConfig>) -> BackendInfo {
    BackendInfo {
        min_tls: tls.map(|tls| tls.min_tls),
        ..info
    }
}
