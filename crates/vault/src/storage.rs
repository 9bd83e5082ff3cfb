//! The storage tiers as an operator configures them: `storage.toml` beside the data.
//!
//! Without the file everything is embedded ([`Embedded`](crate::Embedded)). With it each section
//! names a back-end; a section that is absent stays embedded:
//!
//! ```toml
//! role = "full"            # full | writer | opener | rewrapper
//!
//! [kms]                    # wraps data keys
//! kind = "keyring"
//!
//! [records]                # holds sealed records
//! kind = "sqlite"
//!
//! [cache]                  # holds wallet properties
//! kind = "sqlite"
//! ```
//!
//! Credentials never stand in it; it names where they are (see
//! [`SecretSource`](crate::net::SecretSource)).

mod cache;
mod config;
mod info;
mod keys;
mod kms;
mod made;
mod open;
mod records;
mod role;
mod secrets;

use std::sync::Arc;

use halfkey_core::Clock;

pub use self::config::{AuditConfig, DekCacheConfig, OnFailure, RetryConfig, StorageConfig};
pub use self::info::{BackendInfo, Tier};
pub use self::keys::Keys;
pub use self::role::Role;

use crate::audit::sqlite::SqliteAudit;
use crate::store::sqlite::Database;
use crate::{
    GetRecord, ListRecords, ManageKey, PropertiesStore, PutRecord, RewrapKey, UnwrapKey, Vault,
};

/// Open storage tiers: the barrier, and what operators need beside it.
#[derive(Clone)]
pub struct Storage {
    /// The barrier, with the rights of the role.
    pub vault: Vault,
    /// The cache tier.
    pub properties: Arc<dyn PropertiesStore>,
    /// The audit log of this node.
    pub audit: Arc<SqliteAudit>,
    /// Moves wrapped keys; `None` where the role may not.
    pub rewrap: Option<Arc<dyn RewrapKey>>,
    /// Looks after the KEK.
    pub manage: Arc<dyn ManageKey>,
    /// What each tier stands on, for reports.
    pub backends: Vec<BackendInfo>,
    /// The role.
    pub role: Role,
    /// What the configuration says, for reports.
    pub config: StorageConfig,
    clock: Arc<dyn Clock>,
    /// Files to close.
    databases: Vec<Database>,
}

impl core::fmt::Debug for Storage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Storage")
            .field("role", &self.role)
            .field("backends", &self.backends)
            .finish_non_exhaustive()
    }
}

impl Storage {
    /// The clock everything is stamped with.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Reads records, for walks over the store.
    pub fn get(&self) -> Option<&Arc<dyn GetRecord>> {
        self.vault.parts().get.as_ref()
    }

    /// Writes records, for walks over the store.
    pub fn put(&self) -> Option<&Arc<dyn PutRecord>> {
        self.vault.parts().put.as_ref()
    }

    /// Lists names, for walks over the store.
    pub fn list(&self) -> Option<&Arc<dyn ListRecords>> {
        self.vault.parts().list.as_ref()
    }

    /// Unwraps, where the role may.
    pub fn unwrap_key(&self) -> Option<&Arc<dyn UnwrapKey>> {
        self.vault.parts().unwrap.as_ref()
    }

    /// What this shares with `other`, in words: one place for records, or one KEK. `None` when the
    /// two are apart as far as their configurations tell.
    pub fn shared_with(&self, other: &Self) -> Option<String> {
        let places = |storage: &Self, tier: Tier| -> Vec<(&'static str, String)> {
            let of_tier = storage.backends.iter().filter(|one| one.tier == tier);
            of_tier.map(|one| (one.kind, one.place.clone())).collect()
        };
        [Tier::Records, Tier::Secrets, Tier::Kms]
            .into_iter()
            .find_map(|tier| {
                let theirs = places(other, tier);
                let shared = places(self, tier)
                    .into_iter()
                    .find(|one| theirs.contains(one));
                shared.map(|(kind, place)| format!("{} {kind} {place}", tier.as_str()))
            })
    }

    /// Closes the files; what was written is durable already.
    pub async fn close(&self) {
        self.vault.clear_dek_cache();
        for database in &self.databases {
            database.close().await;
        }
    }
}
