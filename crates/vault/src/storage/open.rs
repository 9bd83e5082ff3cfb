//! Opening the storage tiers together.

use std::path::Path;
use std::sync::Arc;

use halfkey_core::{Clock, EnvironmentId, SecretString};

use super::info::{BackendInfo, Tier};
use super::kms::Kms;
use super::records::Records;
use super::{Storage, StorageConfig, cache, kms, made, records};
use crate::audit::sqlite::SqliteAudit;
use crate::embedded::{self, AUDIT, probe};
use crate::kms::keyring::Keyring;
use crate::store::sqlite::Options;
use crate::{
    DestroyRecord, Error, GetRecord, ListRecords, PutRecord, RecordName, RecordStore, Vault,
    VaultParts, private_file,
};

/// What every part of the opening needs to know.
pub(super) struct Opening<'a> {
    pub(super) dir: &'a Path,
    pub(super) environment: &'a EnvironmentId,
    pub(super) config: &'a StorageConfig,
    pub(super) passphrase: Option<&'a SecretString>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) node: &'a str,
}

impl Opening<'_> {
    pub(super) async fn open_keyring(&self, path: &Path) -> Result<Keyring, Error> {
        embedded::open_keyring(path, self.environment, self.passphrase).await
    }
}

impl Storage {
    /// Opens the tiers that `config` names, making what is ours and absent in a directory where
    /// nothing was ever set up. `dir` holds the embedded parts; `node` names this process in the
    /// audit chain.
    ///
    /// # Errors
    /// Each back-end's; [`Error::Keyring`] when the KEK does not open the records here, or a
    /// keyring is missing although the store was used; [`Error::NotFound`] when a file that was
    /// made here is missing; [`Error::Environment`] when any part belongs to another environment.
    pub async fn create_or_open(
        dir: &Path,
        environment: &EnvironmentId,
        config: &StorageConfig,
        passphrase: Option<&SecretString>,
        clock: Arc<dyn Clock>,
        node: &str,
    ) -> Result<Self, Error> {
        let opening = Opening {
            dir,
            environment,
            config,
            passphrase,
            clock,
            node,
        };
        private_file::ensure_dir(dir)?;
        let was_made = made::is_there(dir, environment)?;
        let keyring = config.kms.keyring_path(dir);
        let has_keyring = keyring
            .as_ref()
            .is_some_and(|path| path.symlink_metadata().is_ok());
        let is_new = !was_made && !has_keyring;
        let records = records::open(&opening, is_new).await?;
        if let Some(path) = keyring.filter(|_| !has_keyring) {
            // It comes last: where it stands, the stores were made; an absent one was lost.
            opening.make_keyring(&path, &records, is_new).await?;
        }
        let kms = kms::open(&opening).await?;
        let storage = opening.assemble(kms, records, is_new).await?;
        match opening.check(&storage, was_made).await {
            Ok(()) => Ok(storage),
            Err(error) => {
                storage.close().await;
                Err(error)
            }
        }
    }
}

impl Opening<'_> {
    async fn make_keyring(
        &self,
        path: &Path,
        records: &Records,
        is_new: bool,
    ) -> Result<(), Error> {
        let made = self.make_new_keyring(path, records, is_new).await;
        // Another process may have been quicker: then the one that is there counts.
        if made.is_err() && path.symlink_metadata().is_ok() {
            return Ok(());
        }
        made
    }

    async fn make_new_keyring(
        &self,
        path: &Path,
        records: &Records,
        is_new: bool,
    ) -> Result<(), Error> {
        let used = !records.store.list("", None, 1).await?.names.is_empty();
        if used || !is_new {
            return Err(Error::Keyring(format!(
                "{} is missing, but the store it belongs to was used; restore it from its backup",
                path.display()
            )));
        }
        SqliteAudit::make(&self.dir.join(AUDIT), self.environment).await?;
        embedded::create_keyring(path, self.environment, self.passphrase, &self.clock)
            .await
            .map(drop)
    }

    async fn assemble(&self, kms: Kms, records: Records, is_new: bool) -> Result<Storage, Error> {
        let audit_path = self.dir.join(AUDIT);
        let options = if is_new {
            Options::CREATE
        } else {
            Options::EXISTING
        };
        let audit = SqliteAudit::open(
            &audit_path,
            self.environment,
            options,
            self.node,
            &*self.clock,
        );
        let audit = Arc::new(audit.await?);
        let cache = cache::open(self).await?;
        let role = self.config.role;
        let put: Arc<dyn PutRecord> = Arc::<dyn RecordStore>::clone(&records.store);
        let get: Arc<dyn GetRecord> = Arc::<dyn RecordStore>::clone(&records.store);
        let list: Arc<dyn ListRecords> = Arc::<dyn RecordStore>::clone(&records.store);
        let destroy: Arc<dyn DestroyRecord> = records.store;
        let vault = Vault::new(VaultParts {
            wrap: Some(kms.wrap).filter(|_| role.may_wrap()),
            unwrap: Some(kms.unwrap).filter(|_| role.may_unwrap()),
            put: Some(put).filter(|_| role.may_put()),
            get: Some(get),
            list: Some(list),
            destroy: Some(destroy).filter(|_| role.may_destroy()),
            audit: Arc::<SqliteAudit>::clone(&audit),
            clock: Arc::clone(&self.clock),
        });
        let vault = vault.with_audit_policy(self.config.audit.policy());
        let vault = match self.config.dek_cache {
            Some(limits) => vault.with_dek_cache(limits.make(Arc::clone(&self.clock))?),
            None => vault,
        };
        let mut databases = vec![audit.database().clone()];
        databases.extend(records.database);
        databases.extend(cache.database);
        let audit_info = BackendInfo {
            tier: Tier::Audit,
            kind: "sqlite",
            place: audit_path.display().to_string(),
            min_tls: None,
            durable: true,
        };
        let mut backends = vec![kms.info];
        backends.extend(records.infos);
        backends.extend([cache.info, audit_info]);
        Ok(Storage {
            vault,
            properties: cache.store,
            audit,
            rewrap: Some(kms.rewrap).filter(|_| role.may_rewrap()),
            manage: kms.manage,
            backends,
            role,
            config: self.config.clone(),
            clock: Arc::clone(&self.clock),
            databases,
        })
    }

    /// Opens the canary, or sees to it that there is one, where this role can; marks the directory.
    async fn check(&self, storage: &Storage, was_made: bool) -> Result<(), Error> {
        let role = self.config.role;
        let may_seal = role.may_wrap() && role.may_put();
        let is_used = if role.may_unwrap() || may_seal {
            let canary = probe::Canary {
                may_seal: may_seal && !was_made,
                kek: "the configured KEK",
            };
            probe::check(&storage.vault, self.environment, self.node, &canary).await?;
            true
        } else {
            // It can neither seal the canary nor open it; an empty store is left to one that can.
            let canary = RecordName::new(probe::NAME)?;
            storage.vault.get_row(&canary).await?.is_some()
        };
        if was_made || !is_used {
            return Ok(());
        }
        made::put(self.dir, self.environment)
    }
}
