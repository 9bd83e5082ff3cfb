//! Vault tiers in memory, with rights taken away where a test wants that.

use std::sync::Arc;

use halfkey::{StoreOptions, WalletClient, WalletStore};
use halfkey_core::SystemClock;
use halfkey_vault::audit::memory::MemoryAudit;
use halfkey_vault::kms::memory::MemoryKek;
use halfkey_vault::store::memory::{MemoryProperties, MemoryRecords};
use halfkey_vault::{PutRecord, Vault, VaultParts};

/// One customer's storage; what a process forgets is still here.
#[derive(Clone)]
pub(crate) struct Storage {
    pub(crate) kek: Arc<MemoryKek>,
    pub(crate) records: Arc<MemoryRecords>,
    pub(crate) properties: Arc<MemoryProperties>,
    pub(crate) audit: Arc<MemoryAudit>,
}

impl Storage {
    pub(crate) fn new() -> Self {
        Self {
            kek: Arc::new(MemoryKek::new("test").unwrap()),
            records: Arc::default(),
            properties: Arc::default(),
            audit: Arc::default(),
        }
    }

    pub(crate) fn parts(&self) -> VaultParts {
        VaultParts {
            wrap: Some(Arc::<MemoryKek>::clone(&self.kek)),
            unwrap: Some(Arc::<MemoryKek>::clone(&self.kek)),
            put: Some(Arc::<MemoryRecords>::clone(&self.records)),
            get: Some(Arc::<MemoryRecords>::clone(&self.records)),
            list: Some(Arc::<MemoryRecords>::clone(&self.records)),
            destroy: None,
            audit: Arc::<MemoryAudit>::clone(&self.audit),
            clock: Arc::new(SystemClock),
        }
    }

    pub(crate) fn store(&self, client: &WalletClient) -> WalletStore {
        self.store_with(client, self.parts(), StoreOptions::default())
    }

    /// A process that may seal and write, but not open.
    pub(crate) fn store_that_cannot_open(&self, client: &WalletClient) -> WalletStore {
        let parts = VaultParts {
            unwrap: None,
            ..self.parts()
        };
        self.store_with(client, parts, StoreOptions::default())
    }

    pub(crate) fn store_that_writes_to(
        &self,
        client: &WalletClient,
        put: Arc<dyn PutRecord>,
    ) -> WalletStore {
        let parts = VaultParts {
            put: Some(put),
            ..self.parts()
        };
        self.store_with(client, parts, StoreOptions::default())
    }

    pub(crate) fn store_with(
        &self,
        client: &WalletClient,
        parts: VaultParts,
        options: StoreOptions,
    ) -> WalletStore {
        let properties = Arc::<MemoryProperties>::clone(&self.properties);
        WalletStore::new(
            Arc::new(client.clone()),
            Vault::new(parts),
            properties,
            options,
        )
    }
}
