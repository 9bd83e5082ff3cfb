//! A vault over a real SQLite file and a real keyring, with a fault between it and either.

use core::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use halfkey_vault::audit::memory::MemoryAudit;
use halfkey_vault::kms::keyring::Keyring;
use halfkey_vault::store::sqlite::{Options, SqliteRecords};
use halfkey_vault::{
    BindCtx, Dek, Error, Expect, GetRecord, PutRecord, RecordName, RetryPolicy, Rev, Steady,
    UnwrapKey, Vault, VaultParts, Versioned, WrapKey, Wrapped,
};

use crate::support::{access, clock, ctx, environment, secret};

/// What goes wrong with a KMS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KmsFault {
    Throttled,
    Hanging,
    Denied,
    Disabled,
    Unreachable,
    /// A wrapped key of no possible length. The KMS answers unwraps as it should.
    WrongLength,
    /// Random bytes for a wrapped key; another data key for an unwrapped one.
    Garbage,
    /// Another data key, properly wrapped for this context.
    WrongDek,
}

/// What goes wrong with a record store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoreFault {
    Full,
    NotDurable,
    Denied,
    Throttled,
    /// No answer, and nothing was done.
    Slow,
    /// No answer, although it was done.
    SlowAfter,
    /// The connection was cut, and nothing was done.
    CutBefore,
    /// The connection was cut after it was done.
    CutAfter,
    /// Reads go to a replica that has nothing of the last write.
    OldCopy,
}

/// A real back-end behind a fault. Without one it is the back-end itself.
pub(super) struct Behind<T, F> {
    inner: Arc<T>,
    fault: Mutex<Option<F>>,
    /// A call hangs, and time stands still.
    hangs: AtomicBool,
}

impl<T, F: Copy> Behind<T, F> {
    fn new(inner: Arc<T>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            fault: Mutex::new(None),
            hangs: AtomicBool::new(false),
        })
    }

    fn fault(&self) -> Option<F> {
        *self.fault.lock().unwrap()
    }

    pub(super) fn set(&self, fault: Option<F>) {
        *self.fault.lock().unwrap() = fault;
        if self.hangs.swap(false, Ordering::SeqCst) {
            tokio::time::resume();
        }
    }

    /// Never answers. The runtime has nothing left to do and no time passes by itself, so it goes
    /// straight to the caller's deadline.
    async fn hang<U>(&self) -> U {
        self.hangs.store(true, Ordering::SeqCst);
        tokio::time::pause();
        pending().await
    }
}

fn cut() -> Error {
    Error::Backend {
        message: "injected: the connection was cut".to_owned(),
        temporary: true,
    }
}

fn injected() -> String {
    "injected".to_owned()
}

impl Behind<Keyring, KmsFault> {
    /// What every call ends in, for faults that are refusals.
    async fn refusal(&self, fault: KmsFault) -> Option<Error> {
        match fault {
            KmsFault::Throttled => Some(Error::Throttled(injected())),
            KmsFault::Denied => Some(Error::Denied(injected())),
            KmsFault::Disabled => Some(Error::KeyDisabled(injected())),
            KmsFault::Unreachable => Some(cut()),
            KmsFault::Hanging => self.hang().await,
            KmsFault::WrongLength | KmsFault::Garbage | KmsFault::WrongDek => None,
        }
    }
}

#[async_trait]
impl WrapKey for Behind<Keyring, KmsFault> {
    async fn wrap(&self, ctx: &BindCtx, dek: &Dek) -> Result<Wrapped, Error> {
        let Some(fault) = self.fault() else {
            return self.inner.wrap(ctx, dek).await;
        };
        if let Some(refusal) = self.refusal(fault).await {
            return Err(refusal);
        }
        let mut wrapped = match fault {
            KmsFault::WrongDek => self.inner.wrap(ctx, &Dek::generate()?).await?,
            _ => self.inner.wrap(ctx, dek).await?,
        };
        match fault {
            KmsFault::WrongLength => wrapped.bytes = vec![7; 2049],
            KmsFault::Garbage => wrapped.bytes.fill(7),
            _ => {}
        }
        Ok(wrapped)
    }
}

#[async_trait]
impl UnwrapKey for Behind<Keyring, KmsFault> {
    async fn unwrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Dek, Error> {
        match self.fault() {
            None | Some(KmsFault::WrongLength) => self.inner.unwrap(ctx, wrapped).await,
            Some(fault) => match self.refusal(fault).await {
                Some(refusal) => Err(refusal),
                None => Dek::generate(),
            },
        }
    }
}

#[async_trait]
impl PutRecord for Behind<SqliteRecords, StoreFault> {
    async fn put(&self, name: &RecordName, bytes: &[u8], expect: Expect) -> Result<Rev, Error> {
        match self.fault() {
            None | Some(StoreFault::OldCopy) => self.inner.put(name, bytes, expect).await,
            Some(StoreFault::Full) => Err(Error::Full(injected())),
            Some(StoreFault::NotDurable) => Err(Error::NotDurable(injected())),
            Some(StoreFault::Denied) => Err(Error::Denied(injected())),
            Some(StoreFault::Throttled) => Err(Error::Throttled(injected())),
            Some(StoreFault::CutBefore) => Err(cut()),
            Some(StoreFault::Slow) => self.hang().await,
            Some(StoreFault::CutAfter) => {
                self.inner.put(name, bytes, expect).await?;
                Err(cut())
            }
            Some(StoreFault::SlowAfter) => {
                self.inner.put(name, bytes, expect).await?;
                self.hang().await
            }
        }
    }
}

/// Sound while nothing is damaged on purpose; the fault of a read is that of its store.
#[async_trait]
impl GetRecord for Behind<SqliteRecords, StoreFault> {
    async fn get(&self, name: &RecordName) -> Result<Option<Versioned<Vec<u8>>>, Error> {
        match self.fault() {
            Some(StoreFault::OldCopy) => Ok(None),
            _ => self.inner.get(name).await,
        }
    }
}

/// The vault, and where to put faults.
pub(super) struct Real {
    pub(super) vault: Vault,
    pub(super) kms: Arc<Behind<Keyring, KmsFault>>,
    pub(super) store: Arc<Behind<SqliteRecords, StoreFault>>,
    pub(super) records: Arc<SqliteRecords>,
    _dir: tempfile::TempDir,
}

impl Real {
    pub(super) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let keyring = Keyring::create(&data.join("keyring.json"), &environment(), None, &*clock());
        let keyring = Arc::new(keyring.unwrap());
        let path = data.join("vault.sqlite");
        let records = SqliteRecords::open(&path, &environment(), Options::CREATE).await;
        let records = Arc::new(records.unwrap());
        let kms = Behind::new(keyring);
        let store = Behind::new(Arc::clone(&records));
        let vault = over(&kms, &store);
        Self {
            vault,
            kms,
            store,
            records,
            _dir: dir,
        }
    }

    /// As a process has it: under deadlines.
    pub(super) fn steady(&self) -> Vault {
        let policy = || RetryPolicy {
            tries: 1,
            ..RetryPolicy::default()
        };
        let kms = Arc::new(Steady::new(Arc::clone(&self.kms), "the KMS", policy()));
        let store = Steady::new(Arc::clone(&self.store), "the store", policy());
        Vault::new(VaultParts {
            wrap: Some(Arc::<Steady<_>>::clone(&kms)),
            unwrap: Some(kms),
            put: Some(Arc::new(store)),
            ..self.vault.parts().clone()
        })
    }

    pub(super) async fn put(&self, at: &RecordName, text: &str, expect: Expect) -> Rev {
        let stored = self
            .vault
            .store(at, &ctx(), &secret(text), expect, &access())
            .await;
        stored.unwrap()
    }

    /// The record opens, by a real unwrap, as exactly this.
    pub(super) async fn must_be(&self, at: &RecordName, text: &str) {
        let opened = self.vault.load(at, &ctx(), &access()).await.unwrap();
        assert!(opened.value == secret(text), "{at} opens as something else");
    }
}

fn over(
    kms: &Arc<Behind<Keyring, KmsFault>>,
    store: &Arc<Behind<SqliteRecords, StoreFault>>,
) -> Vault {
    Vault::new(VaultParts {
        wrap: Some(Arc::<Behind<_, _>>::clone(kms)),
        unwrap: Some(Arc::<Behind<_, _>>::clone(kms)),
        put: Some(Arc::<Behind<_, _>>::clone(store)),
        get: Some(Arc::<Behind<_, _>>::clone(store)),
        list: None,
        destroy: None,
        audit: Arc::new(MemoryAudit::default()),
        clock: clock(),
    })
}

/// A count of what was tried.
#[derive(Default)]
pub(super) struct Count(AtomicU32);

impl Count {
    pub(super) fn one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn must_be(&self, expected: u32, what: &str) {
        let found = self.0.load(Ordering::Relaxed);
        assert_eq!(found, expected, "{what}");
    }
}
