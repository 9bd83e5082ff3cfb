//! The whole vault in one directory, with no server: the embedded default.
//!
//! | file | holds |
//! |---|---|
//! | `keyring.json` | the key-encryption keys; back it up apart from the rest |
//! | `vault.sqlite` | sealed records and the rows that map states to them |
//! | `cache.sqlite` | wallet properties; can be lost |
//! | `audit.sqlite` | the audit chain |
//!
//! Everything is 0600 in a 0700 directory; a looser file or directory is refused.

pub(crate) mod probe;

use std::path::Path;
use std::sync::Arc;

use halfkey_core::{Clock, EnvironmentId, SecretString};

pub use self::probe::{CHECK_PREFIX, NAME as PROBE, check_context, context as probe_context};

use crate::audit::sqlite::SqliteAudit;
use crate::kms::keyring::Keyring;
use crate::store::sqlite::{Options, SqliteProperties, SqliteRecords};
use crate::{Error, PropertiesStore, Vault, VaultParts};

pub(crate) const KEYRING: &str = "keyring.json";
pub(crate) const RECORDS: &str = "vault.sqlite";
pub(crate) const PROPERTIES: &str = "cache.sqlite";
pub(crate) const AUDIT: &str = "audit.sqlite";

/// The embedded vault, open, with every right.
#[derive(Clone)]
pub struct Embedded {
    /// The barrier.
    pub vault: Vault,
    /// The cache tier.
    pub properties: Arc<dyn PropertiesStore>,
    /// The KEK provider behind the barrier.
    pub keyring: Arc<Keyring>,
    /// The audit sink behind the barrier.
    pub audit: Arc<SqliteAudit>,
    records: Arc<SqliteRecords>,
    cache: Arc<SqliteProperties>,
}

impl core::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Embedded")
            .field("keyring", &self.keyring)
            .field("records", &self.records.database().path())
            .finish_non_exhaustive()
    }
}

impl Embedded {
    /// Opens the vault in `dir`, making it when nothing is there. `node` names this process in the
    /// audit chain.
    ///
    /// # Errors
    /// [`Error::Keyring`] when the keyring is missing although the stores were used, is open to
    /// others, or does not open the records here; [`Error::NotFound`] when the keyring is here and
    /// the records or the audit log are not: that is a restore left half done, never a new vault;
    /// [`Error::Passphrase`]; [`Error::Environment`] when anything here belongs to another
    /// environment; [`Error::Permissions`]; [`Error::Full`]; [`Error::Backend`].
    pub async fn create_or_open(
        dir: &Path,
        environment: &EnvironmentId,
        passphrase: Option<&SecretString>,
        clock: Arc<dyn Clock>,
        node: &str,
    ) -> Result<Self, Error> {
        let keyring = dir.join(KEYRING);
        if keyring.symlink_metadata().is_err() {
            // The keyring comes last: where it stands, the stores were made, and one that is
            // absent was lost. A death on the way leaves stores that nothing was written to.
            let made = async {
                make_stores(dir, environment).await?;
                create_keyring(&keyring, environment, passphrase, &clock).await
            };
            // Another process may have been quicker: then the one that is there counts.
            if let Err(error) = made.await
                && keyring.symlink_metadata().is_err()
            {
                return Err(error);
            }
        }
        Self::assemble(dir, environment, passphrase, clock, node).await
    }

    /// Opens the vault in `dir`; makes nothing but an absent `cache.sqlite`, which makes no
    /// promise to keep anything.
    ///
    /// # Errors
    /// As [`Self::create_or_open`]; [`Error::Keyring`] or [`Error::NotFound`] when a file is
    /// missing.
    pub async fn open(
        dir: &Path,
        environment: &EnvironmentId,
        passphrase: Option<&SecretString>,
        clock: Arc<dyn Clock>,
        node: &str,
    ) -> Result<Self, Error> {
        Self::assemble(dir, environment, passphrase, clock, node).await
    }

    async fn assemble(
        dir: &Path,
        environment: &EnvironmentId,
        passphrase: Option<&SecretString>,
        clock: Arc<dyn Clock>,
        node: &str,
    ) -> Result<Self, Error> {
        let options = Options::EXISTING;
        let keyring = Arc::new(open_keyring(&dir.join(KEYRING), environment, passphrase).await?);
        let records =
            Arc::new(SqliteRecords::open(&dir.join(RECORDS), environment, options).await?);
        let audit = dir.join(AUDIT);
        let audit = Arc::new(SqliteAudit::open(&audit, environment, options, node, &*clock).await?);
        let cache = dir.join(PROPERTIES);
        let cache = Arc::new(SqliteProperties::open(&cache, environment, Options::CREATE).await?);
        let vault = Vault::new(VaultParts {
            wrap: Some(Arc::<Keyring>::clone(&keyring)),
            unwrap: Some(Arc::<Keyring>::clone(&keyring)),
            put: Some(Arc::<SqliteRecords>::clone(&records)),
            get: Some(Arc::<SqliteRecords>::clone(&records)),
            list: Some(Arc::<SqliteRecords>::clone(&records)),
            destroy: Some(Arc::<SqliteRecords>::clone(&records)),
            audit: Arc::<SqliteAudit>::clone(&audit),
            clock,
        });
        let properties = Arc::<SqliteProperties>::clone(&cache);
        let embedded = Self {
            vault,
            properties,
            keyring,
            audit,
            records,
            cache,
        };
        let canary = probe::Canary {
            may_seal: true,
            kek: embedded.keyring.uri(),
        };
        match probe::check(&embedded.vault, environment, node, &canary).await {
            Ok(()) => Ok(embedded),
            Err(error) => {
                embedded.close().await;
                Err(error)
            }
        }
    }

    /// Closes the files; what was written is on disk already.
    pub async fn close(&self) {
        self.records.database().close().await;
        self.cache.database().close().await;
        self.audit.database().close().await;
    }
}

/// Makes the records and the audit log where they are absent; refuses them once they were used.
async fn make_stores(dir: &Path, environment: &EnvironmentId) -> Result<(), Error> {
    let records = dir.join(RECORDS);
    let records = SqliteRecords::open(&records, environment, Options::CREATE).await?;
    let untouched = records.is_untouched().await;
    records.database().close().await;
    if untouched? && SqliteAudit::make(&dir.join(AUDIT), environment).await? {
        return Ok(());
    }
    Err(Error::Keyring(format!(
        "{} is missing, but the stores beside it were used; restore it from its backup",
        dir.join(KEYRING).display()
    )))
}

/// On a thread of its own: a passphrase takes a while.
pub(crate) async fn open_keyring(
    path: &Path,
    environment: &EnvironmentId,
    passphrase: Option<&SecretString>,
) -> Result<Keyring, Error> {
    let (path, environment) = (path.to_owned(), environment.clone());
    let passphrase = passphrase.cloned();
    blocking(move || Keyring::open(&path, &environment, passphrase.as_ref())).await
}

pub(crate) async fn create_keyring(
    path: &Path,
    environment: &EnvironmentId,
    passphrase: Option<&SecretString>,
    clock: &Arc<dyn Clock>,
) -> Result<Keyring, Error> {
    let (path, environment) = (path.to_owned(), environment.clone());
    let (passphrase, clock) = (passphrase.cloned(), Arc::clone(clock));
    blocking(move || Keyring::create(&path, &environment, passphrase.as_ref(), &*clock)).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Error::permanent("a background thread stopped")))
}
