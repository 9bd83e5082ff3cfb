//! The rights of what is wrapped, under the policy.

use async_trait::async_trait;
use halfkey_core::WalletProperties;

use super::Steady;
use crate::{
    BindCtx, Dek, DestroyRecord, Error, Expect, GetRecord, KekInfo, ListRecords, ManageKey, Page,
    PropertiesStore, PutRecord, RecordName, Rev, RewrapKey, UnwrapKey, Versioned, WrapKey, Wrapped,
};

/// For calls that change nothing in a store.
const ASKING: fn(&Error) -> bool = Error::is_transient;

/// For calls that change something: only when it surely was not carried out.
const CHANGING: fn(&Error) -> bool = |error| matches!(error, Error::Throttled(_));

macro_rules! steadily {
    ($self:ident, $again:expr, $call:expr) => {
        $self.policy.run(&$self.peer, $again, || $call).await
    };
}

#[async_trait]
impl<T: PutRecord + ?Sized> PutRecord for Steady<T> {
    async fn put(&self, name: &RecordName, bytes: &[u8], expect: Expect) -> Result<Rev, Error> {
        steadily!(self, CHANGING, self.inner.put(name, bytes, expect))
    }
}

#[async_trait]
impl<T: GetRecord + ?Sized> GetRecord for Steady<T> {
    async fn get(&self, name: &RecordName) -> Result<Option<Versioned<Vec<u8>>>, Error> {
        steadily!(self, ASKING, self.inner.get(name))
    }
}

#[async_trait]
impl<T: ListRecords + ?Sized> ListRecords for Steady<T> {
    async fn list(
        &self,
        prefix: &str,
        after: Option<&RecordName>,
        limit: usize,
    ) -> Result<Page, Error> {
        steadily!(self, ASKING, self.inner.list(prefix, after, limit))
    }
}

#[async_trait]
impl<T: DestroyRecord + ?Sized> DestroyRecord for Steady<T> {
    async fn destroy(&self, name: &RecordName, expect: Expect) -> Result<(), Error> {
        steadily!(self, CHANGING, self.inner.destroy(name, expect))
    }
}

#[async_trait]
impl<T: PropertiesStore + ?Sized> PropertiesStore for Steady<T> {
    async fn get(&self, address: &str) -> Result<Option<Versioned<WalletProperties>>, Error> {
        steadily!(self, ASKING, self.inner.get(address))
    }

    async fn put(
        &self,
        address: &str,
        properties: &WalletProperties,
        expect: Expect,
    ) -> Result<Rev, Error> {
        steadily!(self, CHANGING, self.inner.put(address, properties, expect))
    }

    async fn delete(&self, address: &str) -> Result<(), Error> {
        steadily!(self, ASKING, self.inner.delete(address))
    }

    async fn addresses(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, Error> {
        steadily!(self, ASKING, self.inner.addresses(after, limit))
    }
}

#[async_trait]
impl<T: WrapKey + ?Sized> WrapKey for Steady<T> {
    async fn wrap(&self, ctx: &BindCtx, dek: &Dek) -> Result<Wrapped, Error> {
        steadily!(self, ASKING, self.inner.wrap(ctx, dek))
    }
}

#[async_trait]
impl<T: UnwrapKey + ?Sized> UnwrapKey for Steady<T> {
    async fn unwrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Dek, Error> {
        steadily!(self, ASKING, self.inner.unwrap(ctx, wrapped))
    }
}

#[async_trait]
impl<T: RewrapKey + ?Sized> RewrapKey for Steady<T> {
    fn needs_unwrap_right(&self) -> bool {
        self.inner.needs_unwrap_right()
    }

    fn kek_uri(&self) -> &str {
        self.inner.kek_uri()
    }

    async fn rewrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Wrapped, Error> {
        steadily!(self, ASKING, self.inner.rewrap(ctx, wrapped))
    }
}

#[async_trait]
impl<T: ManageKey + ?Sized> ManageKey for Steady<T> {
    async fn info(&self) -> Result<KekInfo, Error> {
        steadily!(self, ASKING, self.inner.info())
    }

    async fn rotate(&self) -> Result<String, Error> {
        steadily!(self, CHANGING, self.inner.rotate())
    }

    async fn disable(&self, version: &str) -> Result<(), Error> {
        steadily!(self, ASKING, self.inner.disable(version))
    }

    async fn enable(&self, version: &str) -> Result<(), Error> {
        steadily!(self, ASKING, self.inner.enable(version))
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::sync::Arc;

    use super::super::{RetryPolicy, Steady};
    use super::*;
    use crate::fault::{Failure, FaultPlan, Faulty};
    use crate::store::memory::MemoryRecords;

    fn policy() -> RetryPolicy {
        RetryPolicy {
            jitter: Arc::new(|bound| bound / 2),
            ..RetryPolicy::default()
        }
    }

    fn name() -> RecordName {
        RecordName::new("a").unwrap()
    }

    type Under = (Steady<Faulty<MemoryRecords>>, Arc<FaultPlan>);

    fn under(plan: FaultPlan) -> Under {
        let plan = Arc::new(plan);
        let faulty = Faulty::new(Arc::new(MemoryRecords::default()), Arc::clone(&plan));
        (Steady::new(Arc::new(faulty), "test", policy()), plan)
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_is_repeated_while_the_store_fails_transiently() {
        let plan = FaultPlan::new(0);
        let plan = (1..=3).fold(plan, |plan, call| plan.failing_at(call, Failure::Temporary));
        let (steady, plan) = under(plan);
        assert!(steady.get(&name()).await.unwrap().is_none());
        assert_eq!(plan.calls(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn tries_end() {
        let (steady, plan) = under(FaultPlan::new(0).failing_percent(100, Failure::Temporary));
        let read = steady.get(&name()).await;
        assert!(read.is_err_and(|error| error.is_transient()));
        assert_eq!(plan.calls(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn what_will_not_mend_is_not_repeated() {
        for failure in [Failure::Permanent, Failure::Full] {
            let (steady, plan) = under(FaultPlan::new(0).failing_percent(100, failure));
            steady.get(&name()).await.unwrap_err();
            assert_eq!(plan.calls(), 1);
        }
    }

    /// The first write took place, its reply was lost, and somebody else wrote then.
    #[tokio::test(start_paused = true)]
    async fn a_write_of_unknown_outcome_is_not_repeated() {
        let (steady, plan) = under(FaultPlan::new(0).failing_at(1, Failure::Temporary));
        steady.put(&name(), b"x", Expect::Any).await.unwrap_err();
        steady.destroy(&name(), Expect::Any).await.unwrap();
        assert_eq!(plan.calls(), 2);
    }

    /// A store that refuses the first calls for want of quota, then never answers.
    struct Quota(std::sync::atomic::AtomicU32);

    #[async_trait]
    impl PutRecord for Quota {
        async fn put(&self, _: &RecordName, _: &[u8], _: Expect) -> Result<Rev, Error> {
            match self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
                0 | 1 => Err(Error::Throttled("quota".to_owned())),
                2 => Ok(Rev(1)),
                _ => core::future::pending().await,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttled_write_is_repeated_and_a_hanging_one_ends_at_its_deadline() {
        let steady = Steady::new(Arc::new(Quota(0.into())), "quota store", policy());
        assert_eq!(steady.put(&name(), b"", Expect::Any).await.unwrap(), Rev(1));
        let begun = tokio::time::Instant::now();
        match steady.put(&name(), b"", Expect::Any).await {
            Err(Error::Timeout(peer)) => assert_eq!(peer, "quota store"),
            other => panic!("{other:?}"),
        }
        assert_eq!(begun.elapsed(), Duration::from_secs(10));
    }
}
