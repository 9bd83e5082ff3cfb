//! Rights that count their calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use halfkey_vault::{
    BindCtx, Dek, Error, Expect, GetRecord, PutRecord, RecordName, Rev, UnwrapKey, Vault,
    Versioned, WrapKey, Wrapped,
};

use crate::Failure;

/// How often each right was used.
#[derive(Default)]
pub(super) struct Calls {
    kms: AtomicU32,
    store: AtomicU32,
}

impl Calls {
    pub(super) fn kms(&self) -> u32 {
        self.kms.load(Ordering::SeqCst)
    }

    pub(super) fn store(&self) -> u32 {
        self.store.load(Ordering::SeqCst)
    }
}

/// What is wrapped, and where its calls are counted.
struct Counting<T: ?Sized> {
    inner: Arc<T>,
    calls: Arc<Calls>,
}

/// The same barrier over the same rights, which count from now on.
pub(super) fn counting(vault: &Vault) -> Result<(Vault, Arc<Calls>), Failure> {
    fn count<T: ?Sized>(right: Option<Arc<T>>, calls: &Arc<Calls>) -> Result<Counting<T>, Failure> {
        Ok(Counting {
            inner: right.ok_or("the role lacks a right")?,
            calls: Arc::clone(calls),
        })
    }
    let calls = Arc::new(Calls::default());
    let mut parts = vault.parts().clone();
    parts.wrap = Some(Arc::new(count(parts.wrap, &calls)?));
    parts.unwrap = Some(Arc::new(count(parts.unwrap, &calls)?));
    parts.put = Some(Arc::new(count(parts.put, &calls)?));
    parts.get = Some(Arc::new(count(parts.get, &calls)?));
    Ok((Vault::new(parts), calls))
}

#[async_trait::async_trait]
impl WrapKey for Counting<dyn WrapKey> {
    async fn wrap(&self, ctx: &BindCtx, dek: &Dek) -> Result<Wrapped, Error> {
        self.calls.kms.fetch_add(1, Ordering::SeqCst);
        self.inner.wrap(ctx, dek).await
    }
}

#[async_trait::async_trait]
impl UnwrapKey for Counting<dyn UnwrapKey> {
    async fn unwrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Dek, Error> {
        self.calls.kms.fetch_add(1, Ordering::SeqCst);
        self.inner.unwrap(ctx, wrapped).await
    }
}

#[async_trait::async_trait]
impl PutRecord for Counting<dyn PutRecord> {
    async fn put(&self, name: &RecordName, bytes: &[u8], expect: Expect) -> Result<Rev, Error> {
        self.calls.store.fetch_add(1, Ordering::SeqCst);
        self.inner.put(name, bytes, expect).await
    }
}

#[async_trait::async_trait]
impl GetRecord for Counting<dyn GetRecord> {
    async fn get(&self, name: &RecordName) -> Result<Option<Versioned<Vec<u8>>>, Error> {
        self.calls.store.fetch_add(1, Ordering::SeqCst);
        self.inner.get(name).await
    }
}
