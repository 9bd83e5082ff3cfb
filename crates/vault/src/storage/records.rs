//! `[records]`: opening the record store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::info::{BackendInfo, Tier};
use super::open::Opening;
use crate::embedded::RECORDS;
use crate::store::sqlite::{Database, Options, SqliteRecords};
use crate::{DestroyRecord, Error, GetRecord, ListRecords, PutRecord, RecordStore, Steady};

/// Which record store.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum RecordsConfig {
    /// One SQLite file.
    Sqlite(SqliteConfig),
}

impl Default for RecordsConfig {
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

/// The rights over one record store.
pub(super) struct Records {
    pub(super) put: Arc<dyn PutRecord>,
    pub(super) get: Arc<dyn GetRecord>,
    pub(super) list: Arc<dyn ListRecords>,
    pub(super) destroy: Arc<dyn DestroyRecord>,
    /// One, or two where a secret manager stands beside its index.
    pub(super) infos: Vec<BackendInfo>,
    pub(super) database: Option<Database>,
}

impl Records {
    fn over<T: RecordStore + 'static>(store: Arc<T>, info: BackendInfo) -> Self {
        Self {
            put: Arc::<T>::clone(&store),
            get: Arc::<T>::clone(&store),
            list: Arc::<T>::clone(&store),
            destroy: store,
            infos: vec![info],
            database: None,
        }
    }

    /// A store elsewhere, under the deadlines and retries of the configuration.
    #[cfg_attr(
        not(any(feature = "_http", feature = "postgres", feature = "redis")),
        expect(dead_code, reason = "no remote store is built in")
    )]
    pub(super) fn steady<T: RecordStore + 'static>(
        store: T,
        info: BackendInfo,
        opening: &Opening<'_>,
    ) -> Self {
        let policy = opening.config.retry.policy();
        Self::over(
            Arc::new(Steady::new(Arc::new(store), info.kind, policy)),
            info,
        )
    }
}

/// Opens the record store of the configuration; what is a file of ours is made only when `is_new`.
pub(super) async fn open(opening: &Opening<'_>, is_new: bool) -> Result<Records, Error> {
    match &opening.config.records {
        RecordsConfig::Sqlite(config) => sqlite(config, opening, is_new).await,
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
    let info = BackendInfo {
        tier: Tier::Records,
        kind: "sqlite",
        place: path.display().to_string(),
        min_tls: None,
        durable: true,
    };
    Ok(Records {
        database: Some(database),
        ..Records::over(Arc::new(store), info)
    })
}
