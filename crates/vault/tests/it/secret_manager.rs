//! Records in a secret manager, over indexes in memory and in SQLite.

mod crashes;
mod layouts;
mod mark;
mod races;
mod suite;
mod sweep;

use std::sync::Arc;

use halfkey_core::SecretBytes;
use halfkey_vault::store::memory::{MemoryRecords, MemorySecrets};
use halfkey_vault::store::secret::{SecretId, SecretStore};
use halfkey_vault::store::secret_manager::{Layout, SecretManagerConfig, SecretManagerRecords};
use halfkey_vault::{RecordStore, Vault, VaultParts};

use crate::support::{access, ctx, environment, memory};

pub(crate) const LAYOUTS: [Layout; 2] = [Layout::SealedInSecret, Layout::DekInSecretManager];

/// A manager in memory with an index in memory, tied together.
pub(crate) struct Parts {
    pub(crate) secrets: Arc<MemorySecrets>,
    pub(crate) index: Arc<MemoryRecords>,
    pub(crate) records: Arc<SecretManagerRecords>,
}

pub(crate) async fn open(
    layout: Layout,
    secrets: Arc<dyn SecretStore>,
    index: Arc<dyn RecordStore>,
) -> SecretManagerRecords {
    let config = SecretManagerConfig { layout };
    SecretManagerRecords::open(&config, &environment(), secrets, index)
        .await
        .unwrap()
}

pub(crate) async fn parts(layout: Layout, limit: usize) -> Parts {
    let secrets = Arc::new(MemorySecrets::new("p/", limit));
    let index = Arc::new(MemoryRecords::default());
    let records = open(
        layout,
        Arc::<MemorySecrets>::clone(&secrets),
        Arc::<MemoryRecords>::clone(&index),
    );
    let records = Arc::new(records.await);
    Parts {
        secrets,
        index,
        records,
    }
}

/// A sealed record of so many bytes of share.
pub(crate) async fn sealed(share: usize) -> Vec<u8> {
    let share = SecretBytes::new(vec![0xA5; share]);
    let record = memory().vault.seal(&ctx(), &share, &access()).await;
    record.unwrap().as_bytes().to_vec()
}

/// The ids of all secrets but the mark's.
pub(crate) async fn secret_ids(secrets: &MemorySecrets) -> Vec<SecretId> {
    let mut ids = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = secrets.list(after.as_deref()).await.unwrap();
        ids.extend(page.ids);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    ids.retain(|id| id.as_bytes() != b"halfkey-index-id");
    ids
}

/// A vault over `records`.
pub(crate) fn vault_over(records: &Arc<SecretManagerRecords>) -> Vault {
    let memory = memory();
    Vault::new(VaultParts {
        put: Some(Arc::<SecretManagerRecords>::clone(records)),
        get: Some(Arc::<SecretManagerRecords>::clone(records)),
        list: Some(Arc::<SecretManagerRecords>::clone(records)),
        destroy: Some(Arc::<SecretManagerRecords>::clone(records)),
        ..memory.vault.parts().clone()
    })
}
