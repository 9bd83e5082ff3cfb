//! The rights of what is wrapped, under the plan.

use async_trait::async_trait;
use halfkey_core::WalletProperties;

use super::{Failure, Faulty};
use crate::store::secret::{SecretId, SecretPage, SecretStore};
use crate::{
    AuditEvent, AuditPosition, AuditSink, BindCtx, Dek, DestroyRecord, Error, Expect, GetRecord,
    ListRecords, Page, PropertiesStore, PutRecord, RecordName, Rev, RewrapKey, UnwrapKey,
    Versioned, WrapKey, Wrapped,
};

impl Failure {
    fn error(self) -> Error {
        let message = match self {
            Self::Full => return Error::Full("injected".to_owned()),
            Self::CrashBefore | Self::CrashAfter => "injected: the process died",
            Self::Temporary | Self::Permanent | Self::Torn | Self::Lost => "injected",
        };
        Error::Backend {
            message: message.to_owned(),
            temporary: self == Self::Temporary,
        }
    }
}

/// Runs `$call` under the plan, for calls that have no bytes to tear or to lose.
macro_rules! under_plan {
    ($self:ident, $call:expr) => {
        match $self.plan.next().await {
            None => $call.await,
            Some(failure @ Failure::CrashAfter) => {
                drop($call.await);
                Err(failure.error())
            }
            Some(failure) => Err(failure.error()),
        }
    };
}

#[async_trait]
impl<T: PutRecord + ?Sized> PutRecord for Faulty<T> {
    async fn put(&self, name: &RecordName, bytes: &[u8], expect: Expect) -> Result<Rev, Error> {
        match self.plan.next().await {
            None => self.inner.put(name, bytes, expect).await,
            Some(failure @ Failure::CrashAfter) => {
                drop(self.inner.put(name, bytes, expect).await);
                Err(failure.error())
            }
            Some(Failure::Torn) => {
                let (begin, _) = bytes.split_at_checked(bytes.len() / 2).unwrap_or_default();
                self.inner.put(name, begin, expect).await
            }
            Some(Failure::Lost) => Ok(match expect {
                Expect::Rev(rev) => Rev(rev.0.saturating_add(1)),
                Expect::Absent | Expect::Any => Rev(1),
            }),
            Some(failure) => Err(failure.error()),
        }
    }
}

#[async_trait]
impl<T: GetRecord + ?Sized> GetRecord for Faulty<T> {
    async fn get(&self, name: &RecordName) -> Result<Option<Versioned<Vec<u8>>>, Error> {
        under_plan!(self, self.inner.get(name))
    }
}

#[async_trait]
impl<T: ListRecords + ?Sized> ListRecords for Faulty<T> {
    async fn list(
        &self,
        prefix: &str,
        after: Option<&RecordName>,
        limit: usize,
    ) -> Result<Page, Error> {
        under_plan!(self, self.inner.list(prefix, after, limit))
    }
}

#[async_trait]
impl<T: DestroyRecord + ?Sized> DestroyRecord for Faulty<T> {
    async fn destroy(&self, name: &RecordName, expect: Expect) -> Result<(), Error> {
        match self.plan.next().await {
            None => self.inner.destroy(name, expect).await,
            Some(failure @ Failure::CrashAfter) => {
                drop(self.inner.destroy(name, expect).await);
                Err(failure.error())
            }
            Some(Failure::Lost) => Ok(()),
            Some(failure) => Err(failure.error()),
        }
    }
}

#[async_trait]
impl<T: SecretStore + ?Sized> SecretStore for Faulty<T> {
    fn uri(&self) -> &str {
        self.inner.uri()
    }

    fn limit(&self) -> usize {
        self.inner.limit()
    }

    async fn create(&self, id: SecretId, name: &RecordName, value: &[u8]) -> Result<(), Error> {
        match self.plan.next().await {
            None => self.inner.create(id, name, value).await,
            Some(failure @ Failure::CrashAfter) => {
                drop(self.inner.create(id, name, value).await);
                Err(failure.error())
            }
            Some(Failure::Torn) => {
                let (begin, _) = value.split_at_checked(value.len() / 2).unwrap_or_default();
                self.inner.create(id, name, begin).await
            }
            Some(Failure::Lost) => Ok(()),
            Some(failure) => Err(failure.error()),
        }
    }

    async fn read(&self, id: SecretId) -> Result<Option<Vec<u8>>, Error> {
        under_plan!(self, self.inner.read(id))
    }

    async fn remove(&self, id: SecretId) -> Result<(), Error> {
        match self.plan.next().await {
            None => self.inner.remove(id).await,
            Some(failure @ Failure::CrashAfter) => {
                drop(self.inner.remove(id).await);
                Err(failure.error())
            }
            Some(Failure::Lost) => Ok(()),
            Some(failure) => Err(failure.error()),
        }
    }

    async fn list(&self, after: Option<&str>) -> Result<SecretPage, Error> {
        under_plan!(self, self.inner.list(after))
    }
}

#[async_trait]
impl<T: PropertiesStore + ?Sized> PropertiesStore for Faulty<T> {
    async fn get(&self, address: &str) -> Result<Option<Versioned<WalletProperties>>, Error> {
        under_plan!(self, self.inner.get(address))
    }

    async fn put(
        &self,
        address: &str,
        properties: &WalletProperties,
        expect: Expect,
    ) -> Result<Rev, Error> {
        under_plan!(self, self.inner.put(address, properties, expect))
    }

    async fn delete(&self, address: &str) -> Result<(), Error> {
        under_plan!(self, self.inner.delete(address))
    }

    async fn addresses(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, Error> {
        under_plan!(self, self.inner.addresses(after, limit))
    }
}

#[async_trait]
impl<T: WrapKey + ?Sized> WrapKey for Faulty<T> {
    async fn wrap(&self, ctx: &BindCtx, dek: &Dek) -> Result<Wrapped, Error> {
        under_plan!(self, self.inner.wrap(ctx, dek))
    }
}

#[async_trait]
impl<T: UnwrapKey + ?Sized> UnwrapKey for Faulty<T> {
    async fn unwrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Dek, Error> {
        under_plan!(self, self.inner.unwrap(ctx, wrapped))
    }
}

#[async_trait]
impl<T: RewrapKey + ?Sized> RewrapKey for Faulty<T> {
    fn kek_uri(&self) -> &str {
        self.inner.kek_uri()
    }

    async fn rewrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Wrapped, Error> {
        under_plan!(self, self.inner.rewrap(ctx, wrapped))
    }
}

#[async_trait]
impl<T: AuditSink + ?Sized> AuditSink for Faulty<T> {
    async fn append(&self, event: AuditEvent) -> Result<AuditPosition, Error> {
        under_plan!(self, self.inner.append(event))
            .map_err(|error| Error::AuditUnavailable(error.to_string()))
    }
}
