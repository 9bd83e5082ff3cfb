//! Values the tests share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use halfkey_core::{Clock, EnvironmentId, RequestId, SecretBytes, UnixMillis};
use halfkey_vault::audit::memory::MemoryAudit;
use halfkey_vault::conformance::sample;
use halfkey_vault::kms::memory::MemoryKek;
use halfkey_vault::store::memory::MemoryRecords;
use halfkey_vault::{Access, Purpose, RecordName, Vault, VaultParts};

pub(crate) use halfkey_vault::conformance::sample::{ctx, neighbours};

/// A clock that stands still.
#[derive(Debug)]
pub(crate) struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_700_000_000_000)
    }
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(FixedClock)
}

/// The environment of [`ctx`].
pub(crate) fn environment() -> EnvironmentId {
    sample::environment("env-test")
}

pub(crate) fn access() -> Access {
    Access {
        actor: "tester".to_owned(),
        purpose: Purpose::Sign,
        request_id: RequestId::from_bytes([6; 16]),
    }
}

pub(crate) fn name(text: &str) -> RecordName {
    RecordName::new(text).unwrap()
}

pub(crate) fn secret(text: &str) -> SecretBytes {
    SecretBytes::new(text.as_bytes().to_vec())
}

/// A vault in memory, and what it stands on.
pub(crate) struct Memory {
    pub(crate) vault: Vault,
    pub(crate) records: Arc<MemoryRecords>,
    pub(crate) audit: Arc<MemoryAudit>,
    pub(crate) kek: Arc<MemoryKek>,
}

pub(crate) fn memory() -> Memory {
    let records = Arc::new(MemoryRecords::default());
    let audit = Arc::new(MemoryAudit::default());
    let kek = Arc::new(MemoryKek::new("test").unwrap());
    let vault = Vault::new(VaultParts {
        wrap: Some(Arc::<MemoryKek>::clone(&kek)),
        unwrap: Some(Arc::<MemoryKek>::clone(&kek)),
        put: Some(Arc::<MemoryRecords>::clone(&records)),
        get: Some(Arc::<MemoryRecords>::clone(&records)),
        list: Some(Arc::<MemoryRecords>::clone(&records)),
        destroy: Some(Arc::<MemoryRecords>::clone(&records)),
        audit: Arc::<MemoryAudit>::clone(&audit),
        clock: clock(),
    });
    Memory {
        vault,
        records,
        audit,
        kek,
    }
}

/// Every file under `dir`, with its bytes.
pub(crate) fn files_in(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    paths
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

pub(crate) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

/// A vault with every right over this record store and a KEK in memory.
#[cfg(feature = "postgres")]
pub(crate) fn over_records<T: halfkey_vault::RecordStore + 'static>(store: T) -> Vault {
    let store = Arc::new(store);
    let memory = memory();
    let mut parts = memory.vault.parts().clone();
    parts.put = Some(Arc::<T>::clone(&store));
    parts.get = Some(Arc::<T>::clone(&store));
    parts.list = Some(Arc::<T>::clone(&store));
    parts.destroy = Some(store);
    Vault::new(parts)
}

/// The text with each first part replaced by the second; every one must be there.
#[cfg(any(feature = "aws", feature = "openbao", feature = "pkcs11"))]
pub(crate) fn replaced(text: &str, parts: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (from, to) in parts {
        assert!(text.contains(from), "{from} is not in the text");
        text = text.replace(from, to);
    }
    text
}
