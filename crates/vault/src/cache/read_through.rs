//! Reading wallet properties through the cache tier.

use core::fmt::Display;
use core::future::Future;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use halfkey_core::WalletProperties;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::{Error, Expect, PropertiesStore, Rev};

/// How often a write is tried again when other writers are in between.
const WRITE_TRIES: u32 = 4;

/// The cache tier in front of whoever knows wallet properties.
///
/// * However many callers miss one address at once, the source is asked once, and all of them get
///   its answer.
/// * A store that is down, slow or empty costs at most `deadline`: it never fails a call that the
///   source can answer.
/// * What was read from the source is only put over what stood there before it was read, so an
///   older copy never replaces a newer one.
pub struct ReadThrough<E> {
    store: Arc<dyn PropertiesStore>,
    deadline: Duration,
    flights: Mutex<HashMap<String, Arc<Flight<E>>>>,
}

/// One question to the source, and its answer for everybody who waits.
type Flight<E> = OnceCell<Result<WalletProperties, Arc<E>>>;

/// What the store had to say.
enum Found {
    Hit(WalletProperties),
    /// Nothing; a copy may be put there.
    Empty,
    /// Somebody else's properties at this revision.
    Foreign(Rev),
    /// No answer.
    Down,
}

impl<E> core::fmt::Debug for ReadThrough<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ReadThrough")
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

impl<E: Send + Sync> ReadThrough<E> {
    /// In front of a source; `deadline` is for one call of the store.
    pub fn new(store: Arc<dyn PropertiesStore>, deadline: Duration) -> Self {
        Self {
            store,
            deadline,
            flights: Mutex::default(),
        }
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn PropertiesStore> {
        &self.store
    }

    /// The properties of `address` (canonical) from the store if they are there and `belongs`,
    /// else from `fetch`, which then fills the store.
    ///
    /// # Errors
    /// What `fetch` returned, to everybody who waited for it.
    pub async fn get_or_fetch<F, Fut>(
        &self,
        address: &str,
        belongs: impl Fn(&WalletProperties) -> bool + Send,
        fetch: F,
    ) -> Result<WalletProperties, Arc<E>>
    where
        F: FnOnce() -> Fut + Send,
        Fut: Future<Output = Result<WalletProperties, E>> + Send,
    {
        let found = self.look(address, belongs).await;
        let expect = match found {
            Found::Hit(properties) => return Ok(properties),
            Found::Empty => Some(Expect::Absent),
            Found::Foreign(rev) => Some(Expect::Rev(rev)),
            Found::Down => None,
        };
        let flight = self.join(address);
        let ask = || async {
            let fetched = fetch().await.map_err(Arc::new)?;
            if let Some(expect) = expect {
                self.fill(address, &fetched, expect).await;
            }
            Ok(fetched)
        };
        // A caller that gives up in the middle hands the question to the next in line.
        let answer = flight.get_or_init(ask).await.clone();
        self.leave(address, &flight);
        answer
    }

    /// Brings the store up to the source after this process changed it: `read` says what the source
    /// holds now, `None` that it holds nothing to cache. Makes no promise: a store that is down is
    /// only worth a warning.
    pub async fn refresh<F, Fut>(&self, address: &str, read: F)
    where
        E: Display,
        F: Fn() -> Fut + Send + Sync,
        Fut: Future<Output = Result<Option<WalletProperties>, E>> + Send,
    {
        refresh(&*self.store, self.deadline, address, read).await;
    }

    async fn look(
        &self,
        address: &str,
        belongs: impl Fn(&WalletProperties) -> bool + Send,
    ) -> Found {
        match timeout(self.deadline, self.store.get(address)).await {
            Ok(Ok(Some(found))) if belongs(&found.value) => Found::Hit(found.value),
            Ok(Ok(Some(found))) => {
                tracing::warn!(address, "the cache holds another wallet's properties");
                Found::Foreign(found.rev)
            }
            Ok(Ok(None)) => Found::Empty,
            Ok(Err(error)) => {
                warn(address, &error);
                Found::Down
            }
            Err(_) => {
                warn(address, &slow());
                Found::Down
            }
        }
    }

    async fn fill(&self, address: &str, properties: &WalletProperties, expect: Expect) {
        let put = self.store.put(address, properties, expect);
        match timeout(self.deadline, put).await {
            // Somebody was there first, with the same or something newer.
            Ok(Ok(_) | Err(Error::Conflict(_))) => {}
            Ok(Err(error)) => warn(address, &error),
            Err(_) => warn(address, &slow()),
        }
    }

    fn join(&self, address: &str) -> Arc<Flight<E>> {
        Arc::clone(self.flights().entry(address.to_owned()).or_default())
    }

    fn leave(&self, address: &str, flight: &Arc<Flight<E>>) {
        let mut flights = self.flights();
        if flights
            .get(address)
            .is_some_and(|current| Arc::ptr_eq(current, flight))
        {
            flights.remove(address);
        }
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<String, Arc<Flight<E>>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The source is read between the two halves of the compare-and-set, and again after a conflict: so
/// what is put is never older than what it replaces, however long a writer stalls on its way.
pub(crate) async fn refresh<E, F, Fut>(
    store: &dyn PropertiesStore,
    deadline: Duration,
    address: &str,
    read: F,
) where
    E: Display,
    F: Fn() -> Fut,
    Fut: Future<Output = Result<Option<WalletProperties>, E>>,
{
    for _ in 0..WRITE_TRIES {
        let expect = match timeout(deadline, store.get(address)).await {
            Ok(Ok(Some(found))) => Expect::Rev(found.rev),
            Ok(Ok(None)) => Expect::Absent,
            Ok(Err(error)) => return warn(address, &error),
            Err(_) => return warn(address, &slow()),
        };
        let properties = match read().await {
            Ok(Some(properties)) => properties,
            Ok(None) => return,
            Err(error) => return warn(address, &error),
        };
        let put = store.put(address, &properties, expect);
        match timeout(deadline, put).await {
            Ok(Ok(_)) => return,
            Ok(Err(Error::Conflict(_))) => {}
            Ok(Err(error)) => return warn(address, &error),
            Err(_) => return warn(address, &slow()),
        }
    }
    warn(address, &Error::Conflict(address.to_owned()));
}

fn slow() -> Error {
    Error::Timeout("the properties cache".to_owned())
}

fn warn(address: &str, error: &dyn Display) {
    tracing::warn!(address, %error, "wallet properties are not cached");
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use async_trait::async_trait;
    use tokio::sync::Notify;

    use super::*;
    use crate::Versioned;
    use crate::fault::{Failure, FaultPlan, Faulty};
    use crate::store::memory::MemoryProperties;

    const DEADLINE: Duration = Duration::from_millis(200);

    fn properties(wallet: &str) -> WalletProperties {
        WalletProperties::new("EVM", wallet, "0xab")
    }

    async fn source(wallet: &str) -> Result<Option<WalletProperties>, &'static str> {
        Ok(Some(properties(wallet)))
    }

    fn through(store: Arc<dyn PropertiesStore>) -> ReadThrough<&'static str> {
        ReadThrough::new(store, DEADLINE)
    }

    async fn get(
        cache: &ReadThrough<&'static str>,
        asked: &AtomicU32,
    ) -> Result<WalletProperties, Arc<&'static str>> {
        let fetch = || async {
            asked.fetch_add(1, Ordering::SeqCst);
            Ok(properties("w"))
        };
        cache.get_or_fetch("a", |_| true, fetch).await
    }

    #[tokio::test]
    async fn the_source_is_asked_once_for_all_who_wait() {
        let cache = through(Arc::new(MemoryProperties::default()));
        let (asked, gate) = (AtomicU32::new(0), Notify::new());
        let wait = || async {
            asked.fetch_add(1, Ordering::SeqCst);
            gate.notified().await;
            Ok(properties("w"))
        };
        let all = futures(&cache, 50, wait);
        let open = async {
            while asked.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
            gate.notify_waiters();
        };
        let (answers, ()) = tokio::join!(all, open);
        assert!(answers.iter().all(|answer| *answer == Ok(properties("w"))));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        get(&cache, &asked).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 1, "and then it is cached");
    }

    /// So many callers at once, polled in turn.
    async fn futures<F, Fut>(
        cache: &ReadThrough<&'static str>,
        count: usize,
        fetch: F,
    ) -> Vec<Result<WalletProperties, Arc<&'static str>>>
    where
        F: Fn() -> Fut + Send + Sync,
        Fut: Future<Output = Result<WalletProperties, &'static str>> + Send,
    {
        let mut waiting: Vec<_> = (0..count)
            .map(|_| Box::pin(cache.get_or_fetch("a", |_| true, &fetch)))
            .collect();
        let mut answers: Vec<Option<_>> = waiting.iter().map(|_| None).collect();
        core::future::poll_fn(|cx| {
            for (future, answer) in waiting.iter_mut().zip(&mut answers) {
                if answer.is_none()
                    && let core::task::Poll::Ready(ready) = future.as_mut().poll(cx)
                {
                    *answer = Some(ready);
                }
            }
            if answers.iter().all(Option::is_some) {
                core::task::Poll::Ready(())
            } else {
                core::task::Poll::Pending
            }
        })
        .await;
        answers.into_iter().flatten().collect()
    }

    #[tokio::test]
    async fn a_failure_reaches_everybody_and_is_not_kept() {
        let cache = through(Arc::new(MemoryProperties::default()));
        let answers = futures(&cache, 3, || async { Err("down") }).await;
        assert_eq!(answers, vec![Err(Arc::new("down")); 3]);
        get(&cache, &AtomicU32::new(0)).await.unwrap();
    }

    #[tokio::test]
    async fn a_store_that_fails_never_fails_the_call() {
        for failure in [Failure::Temporary, Failure::Permanent, Failure::Full] {
            for call in 1..=2 {
                let plan = Arc::new(FaultPlan::new(0).failing_at(call, failure));
                let faulty = Faulty::new(Arc::new(MemoryProperties::default()), plan);
                let asked = AtomicU32::new(0);
                get(&through(Arc::new(faulty)), &asked).await.unwrap();
                assert_eq!(asked.load(Ordering::SeqCst), 1);
            }
        }
    }

    /// A store that never answers.
    struct Hanging;

    #[async_trait]
    impl PropertiesStore for Hanging {
        async fn get(&self, _: &str) -> Result<Option<Versioned<WalletProperties>>, Error> {
            core::future::pending().await
        }
        async fn put(&self, _: &str, _: &WalletProperties, _: Expect) -> Result<Rev, Error> {
            core::future::pending().await
        }
        async fn delete(&self, _: &str) -> Result<(), Error> {
            core::future::pending().await
        }
        async fn addresses(&self, _: Option<&str>, _: usize) -> Result<Vec<String>, Error> {
            core::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_hangs_costs_its_deadline_and_no_more() {
        let cache = through(Arc::new(Hanging));
        let asked = AtomicU32::new(0);
        get(&cache, &asked).await.unwrap();
        cache.refresh("a", || source("w")).await;
    }

    #[tokio::test]
    async fn what_was_fetched_never_replaces_what_somebody_wrote_meanwhile() {
        let store = Arc::new(MemoryProperties::default());
        let cache = through(Arc::<MemoryProperties>::clone(&store));
        let newer = properties("newer");
        let fetch = || async {
            store.put("a", &newer, Expect::Absent).await.unwrap();
            Ok(properties("older"))
        };
        let fetched = cache.get_or_fetch("a", |_| true, fetch).await.unwrap();
        assert_eq!(fetched, properties("older"), "what the source said");
        assert_eq!(store.get("a").await.unwrap().unwrap().value, newer);
    }

    #[tokio::test]
    async fn foreign_properties_are_replaced() {
        let store = Arc::new(MemoryProperties::default());
        let foreign = properties("foreign");
        store.put("a", &foreign, Expect::Absent).await.unwrap();
        let cache = through(Arc::<MemoryProperties>::clone(&store));
        let fetch = || async { Ok(properties("w")) };
        let belongs = |found: &WalletProperties| found.wallet_id == "w";
        cache.get_or_fetch("a", belongs, fetch).await.unwrap();
        let kept = store.get("a").await.unwrap().unwrap().value;
        assert_eq!(kept, properties("w"));
    }

    #[tokio::test]
    async fn refresh_replaces_an_older_copy() {
        let store = Arc::new(MemoryProperties::default());
        store
            .put("a", &properties("1"), Expect::Absent)
            .await
            .unwrap();
        let cache = through(Arc::<MemoryProperties>::clone(&store));
        cache.refresh("a", || source("2")).await;
        cache.refresh("b", || source("3")).await;
        assert_eq!(
            store.get("a").await.unwrap().unwrap().value,
            properties("2")
        );
        assert_eq!(
            store.get("b").await.unwrap().unwrap().value,
            properties("3")
        );
    }
}
