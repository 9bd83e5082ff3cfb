//! `storage.toml`.

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use halfkey_core::Clock;
use serde::Deserialize;

use super::cache::CacheConfig;
use super::kms::KmsConfig;
use super::records::RecordsConfig;
use super::role::Role;
use crate::{AuditPolicy, DekCache, DekCacheLimits, Error, RetryPolicy};

/// The storage tiers, as `storage.toml` says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StorageConfig {
    /// What this process is for.
    pub role: Role,
    pub(super) kms: KmsConfig,
    #[serde(deserialize_with = "records")]
    pub(super) records: RecordsConfig,
    pub(super) cache: CacheConfig,
    /// Data keys kept in memory; absent: none.
    pub dek_cache: Option<DekCacheConfig>,
    /// What happens while the audit log takes no event.
    pub audit: AuditConfig,
    /// Deadlines and retries.
    pub retry: RetryConfig,
    /// The directory of a second set of tiers, with a `storage.toml` of its own, for the shares of
    /// the customer's second party in `TWO_OF_THREE` (custody rules 2 and 3). Relative to the
    /// directory of this one.
    pub second_vault: Option<PathBuf>,
    /// How far back this half can be restored, in days: the age of the oldest backup or replica of
    /// its records. The provider keeps earlier generations for so long (custody rule 9).
    pub backup_horizon_days: BackupHorizon,
    /// Whether `TWO_OF_THREE` insists on a vault of its own per customer party (custody rule 2).
    pub require_distinct_vaults: bool,
}

/// How far back a half can be restored, in whole days; 30 where it is not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct BackupHorizon(u32);

impl BackupHorizon {
    /// More would keep generations for ever.
    const MAX_DAYS: u32 = 3650;

    /// As a length of time.
    pub fn duration(self) -> Duration {
        Duration::from_hours(u64::from(self.0).saturating_mul(24))
    }
}

impl Default for BackupHorizon {
    fn default() -> Self {
        Self(30)
    }
}

impl TryFrom<u32> for BackupHorizon {
    type Error = &'static str;

    fn try_from(days: u32) -> Result<Self, Self::Error> {
        if days <= Self::MAX_DAYS {
            Ok(Self(days))
        } else {
            Err("backup_horizon_days is at most 3650")
        }
    }
}

/// By its kind, so that an error is about the right form and not about neither.
fn records<'de, D: serde::Deserializer<'de>>(from: D) -> Result<RecordsConfig, D::Error> {
    let table = toml::Table::deserialize(from)?;
    let value = toml::Value::Table(table.clone());
    let is_manager = table.get("kind").and_then(toml::Value::as_str) == Some("secret-manager");
    let config = if is_manager {
        value.try_into().map(RecordsConfig::SecretManager)
    } else {
        value.try_into().map(RecordsConfig::Store)
    };
    config.map_err(serde::de::Error::custom)
}

/// `[dek_cache]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DekCacheConfig {
    /// How long a data key is kept, in seconds; at most 300.
    pub max_age_s: u64,
    /// How often it may be used.
    #[serde(default = "default_uses")]
    pub max_uses: u32,
    /// How many are kept.
    #[serde(default = "default_entries")]
    pub max_entries: usize,
}

const fn default_uses() -> u32 {
    10_000
}

const fn default_entries() -> usize {
    10_000
}

impl DekCacheConfig {
    pub(super) fn make(self, clock: Arc<dyn Clock>) -> Result<Arc<DekCache>, Error> {
        let limits = DekCacheLimits {
            max_age_ms: self.max_age_s.saturating_mul(1000),
            max_uses: self.max_uses,
            max_entries: self.max_entries,
        };
        Ok(Arc::new(DekCache::new(limits, clock)?))
    }
}

/// `[audit]`: the log is `audit.sqlite` in the data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditConfig {
    /// How long one event may take, in milliseconds.
    pub deadline_ms: u64,
    /// `refuse`, or `allow`: see [`AuditPolicy::goes_on_without`].
    pub on_failure: OnFailure,
}

/// What is done while the audit log takes no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Nothing is sealed or opened.
    #[default]
    Refuse,
    /// It goes on, with a warning in the log.
    Allow,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self {
            deadline_ms: 5000,
            on_failure: OnFailure::Refuse,
        }
    }
}

impl AuditConfig {
    /// The same for the barrier, and for what is done beside it.
    pub fn policy(self) -> AuditPolicy {
        AuditPolicy {
            deadline: Duration::from_millis(self.deadline_ms),
            goes_on_without: self.on_failure == OnFailure::Allow,
        }
    }
}

/// `[retry]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryConfig {
    /// For one call with all its tries, in milliseconds.
    pub deadline_ms: u64,
    /// How often a call that changes nothing is tried.
    pub tries: u32,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            deadline_ms: 10_000,
            tries: 4,
        }
    }
}

impl RetryConfig {
    pub(super) fn policy(self) -> RetryPolicy {
        RetryPolicy {
            deadline: Duration::from_millis(self.deadline_ms),
            tries: self.tries.max(1),
            ..RetryPolicy::default()
        }
    }
}

/// A kind of a section, and the cargo feature it needs (none: always there).
struct Kind {
    section: &'static str,
    name: &'static str,
    feature: Option<(&'static str, bool)>,
}

const fn always(section: &'static str, name: &'static str) -> Kind {
    Kind {
        section,
        name,
        feature: None,
    }
}

/// With the feature of this name, and whether it is there.
macro_rules! by {
    ($section:literal, $name:literal, $feature:literal) => {
        Kind {
            section: $section,
            name: $name,
            feature: Some(($feature, cfg!(feature = $feature))),
        }
    };
}

const KINDS: [Kind; 20] = [
    by!("kms", "aws-kms", "aws"),
    by!("kms", "azure-kms", "azure"),
    by!("kms", "gcp-kms", "gcp"),
    always("kms", "keyring"),
    by!("kms", "pkcs11", "pkcs11"),
    by!("kms", "transit", "openbao"),
    always("records", "files"),
    by!("records", "kv", "openbao"),
    by!("records", "postgres", "postgres"),
    by!("records", "redis", "redis"),
    by!("records", "s3", "s3"),
    always("records", "secret-manager"),
    always("records", "sqlite"),
    by!("records.secrets", "aws-secrets", "aws"),
    by!("records.secrets", "azure-secrets", "azure"),
    by!("records.secrets", "gcp-secrets", "gcp"),
    always("cache", "memory"),
    by!("cache", "postgres", "postgres"),
    by!("cache", "redis", "redis"),
    always("cache", "sqlite"),
];

impl StorageConfig {
    /// Reads `storage.toml`; everything embedded when there is none.
    ///
    /// # Errors
    /// [`Error::Config`] that names the line, the unknown field, or the feature this program was
    /// built without.
    pub fn read(path: &Path) -> Result<Self, Error> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text)
                .map_err(|why| Error::Config(format!("{}: {why}", path.display()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Error::Config(format!(
                "{}: {}",
                path.display(),
                error.kind()
            ))),
        }
    }

    /// The same from text; what is wrong with it, in words.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = toml::from_str(text).map_err(|error| one_line(&error))?;
        for section in ["kms", "records", "cache"] {
            check_section(section, section, &table)?;
        }
        if let Some(toml::Value::Table(records)) = table.get("records") {
            check_section("records.secrets", "secrets", records)?;
            check_section("records", "index", records)?;
        }
        toml::from_str(text).map_err(|error| one_line(&error))
    }
}

/// The section `key` of `table` names a kind of `section`, and one that this program has.
fn check_section(section: &str, key: &str, table: &toml::Table) -> Result<(), String> {
    let Some(kind) = table.get(key).and_then(|found| found.get("kind")) else {
        return Ok(());
    };
    let kind = kind
        .as_str()
        .ok_or_else(|| format!("[{section}] kind is no text"))?;
    let known = KINDS.iter().filter(|one| one.section == section);
    match known.clone().find(|one| one.name == kind) {
        Some(Kind {
            feature: Some((feature, false)),
            ..
        }) => Err(format!(
            "[{section}] kind `{kind}` needs the cargo feature `{feature}`, which this program was \
             built without"
        )),
        Some(_) => Ok(()),
        None => {
            let names: Vec<_> = known.map(|one| one.name).collect();
            Err(format!(
                "[{section}] kind `{kind}` is none of {}",
                names.join(", ")
            ))
        }
    }
}

/// The error without the source line it quotes.
fn one_line(error: &toml::de::Error) -> String {
    error.message().replace('\n', " ")
}
