//! The suite of record stores, for both layouts over two indexes. The suite writes plain rows;
//! sealed records are in `layouts`.

use std::sync::Arc;

use halfkey_vault::RecordStore;
use halfkey_vault::store::memory::{MemoryRecords, MemorySecrets};
use halfkey_vault::store::secret_manager::{Layout, SecretManagerRecords};
use halfkey_vault::store::sqlite::{Options, SqliteRecords};
use tempfile::TempDir;

use super::open;
use crate::support::environment;

async fn over(layout: Layout, index: Arc<dyn RecordStore>) -> SecretManagerRecords {
    open(layout, Arc::new(MemorySecrets::new("p/", 25_000)), index).await
}

async fn over_memory(layout: Layout) -> (SecretManagerRecords, ()) {
    (over(layout, Arc::new(MemoryRecords::default())).await, ())
}

async fn over_sqlite(layout: Layout) -> (SecretManagerRecords, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/index.sqlite");
    let index = SqliteRecords::open(&path, &environment(), Options::CREATE)
        .await
        .unwrap();
    (over(layout, Arc::new(index)).await, dir)
}

mod sealed_in_secret_over_memory {
    async fn make() -> (super::SecretManagerRecords, ()) {
        super::over_memory(super::Layout::SealedInSecret).await
    }
    halfkey_vault::record_store_conformance!(make);
}

mod sealed_in_secret_over_sqlite {
    async fn make() -> (super::SecretManagerRecords, super::TempDir) {
        super::over_sqlite(super::Layout::SealedInSecret).await
    }
    halfkey_vault::record_store_conformance!(make);
}

mod dek_in_secret_manager_over_memory {
    async fn make() -> (super::SecretManagerRecords, ()) {
        super::over_memory(super::Layout::DekInSecretManager).await
    }
    halfkey_vault::record_store_conformance!(make);
}

mod dek_in_secret_manager_over_sqlite {
    async fn make() -> (super::SecretManagerRecords, super::TempDir) {
        super::over_sqlite(super::Layout::DekInSecretManager).await
    }
    halfkey_vault::record_store_conformance!(make);
}
