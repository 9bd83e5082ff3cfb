//! Vault tiers in memory, with rights taken away where a test wants that.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use halfkey::{StoreOptions, WalletClient, WalletStore};
use halfkey_core::SystemClock;
use halfkey_vault::audit::memory::MemoryAudit;
use halfkey_vault::kms::memory::MemoryKek;
use halfkey_vault::store::memory::{MemoryProperties, MemoryRecords};
use halfkey_vault::{
    Error as VaultError, Expect, GetRecord as _, ListRecords as _, PutRecord, RecordName, Rev,
    Vault, VaultParts,
};

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

    /// Its vault with every right but to destroy.
    pub(crate) fn vault(&self) -> Vault {
        Vault::new(self.parts())
    }

    /// The same with that right too.
    pub(crate) fn destroying_vault(&self) -> Vault {
        Vault::new(VaultParts {
            destroy: Some(Arc::<MemoryRecords>::clone(&self.records)),
            ..self.parts()
        })
    }

    /// A process that may destroy records too.
    pub(crate) fn destroying_store(&self, client: &WalletClient) -> WalletStore {
        let parts = VaultParts {
            destroy: Some(Arc::<MemoryRecords>::clone(&self.records)),
            ..self.parts()
        };
        self.store_with(client, parts, StoreOptions::default())
    }

    /// Whether a record stands there.
    pub(crate) async fn holds(&self, name: &str) -> bool {
        let name = RecordName::new(name).unwrap();
        self.records.get(&name).await.unwrap().is_some()
    }

    /// A copy as it is restored from a backup of the store: same KEK, an empty cache.
    pub(crate) async fn copy(&self) -> Self {
        self.without("nothing of it").await
    }

    /// The same without the records whose names start with `prefix`.
    pub(crate) async fn without(&self, prefix: &str) -> Self {
        let copy = Self {
            kek: Arc::clone(&self.kek),
            ..Self::new()
        };
        let page = self.records.list("", None, 1000).await.unwrap();
        assert!(page.next.is_none());
        for name in page.names {
            if !name.as_str().starts_with(prefix) {
                let record = self.records.get(&name).await.unwrap().unwrap();
                let put = copy.records.put(&name, &record.value, Expect::Absent);
                put.await.unwrap();
            }
        }
        copy
    }

    /// Puts back what `copy` has under the names that end so.
    pub(crate) async fn put_back(&self, copy: &Self, end: &str) {
        let page = copy.records.list("", None, 1000).await.unwrap();
        for name in page.names {
            if name.as_str().ends_with(end) {
                let record = copy.records.get(&name).await.unwrap().unwrap();
                let put = self.records.put(&name, &record.value, Expect::Any);
                put.await.unwrap();
            }
        }
    }

    /// A process that may seal and write, but not open.
    pub(crate) fn store_that_cannot_open(&self, client: &WalletClient) -> WalletStore {
        let parts = VaultParts {
            unwrap: None,
            ..self.parts()
        };
        self.store_with(client, parts, StoreOptions::default())
    }

    /// A process whose disk takes this many more writes.
    pub(crate) fn store_that_is_full_after(
        &self,
        client: &WalletClient,
        writes: usize,
    ) -> WalletStore {
        let inner = Arc::<MemoryRecords>::clone(&self.records);
        let put = Arc::new(FullAfter {
            inner,
            left: AtomicUsize::new(writes),
        });
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

/// A disk that is full for the n-th write and every later one.
struct FullAfter {
    inner: Arc<MemoryRecords>,
    left: AtomicUsize,
}

#[async_trait]
impl PutRecord for FullAfter {
    async fn put(
        &self,
        name: &RecordName,
        bytes: &[u8],
        expect: Expect,
    ) -> Result<Rev, VaultError> {
        let take = |left: usize| left.checked_sub(1);
        match self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
        {
            Ok(_) => self.inner.put(name, bytes, expect).await,
            Err(_) => Err(VaultError::Full("no space left on device".to_owned())),
        }
    }
}
