//! A cache that did not answer when the tiers were opened: opened by a later use.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use halfkey_core::{Clock, WalletProperties};

use super::Place;
use crate::{Error, Expect, PropertiesStore, Rev, Versioned};

/// How long after one try the next may begin, in milliseconds. In between, calls fail at once, so a
/// cache whose address swallows packets does not slow every reading of properties down.
const PAUSE_MS: i64 = 5_000;

/// A properties store that is not there yet.
pub(super) struct Later {
    place: Place,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    store: Option<Arc<dyn PropertiesStore>>,
    /// When the last try began; it counts also when its caller gave up before it ended.
    tried_ms: i64,
}

impl Later {
    /// After a first try just now.
    pub(super) fn new(place: Place, clock: Arc<dyn Clock>) -> Self {
        let state = State {
            store: None,
            tried_ms: clock.now().0,
        };
        Self {
            place,
            clock,
            state: Mutex::new(state),
        }
    }

    async fn store(&self) -> Result<Arc<dyn PropertiesStore>, Error> {
        {
            let mut state = self.state();
            if let Some(store) = &state.store {
                return Ok(Arc::clone(store));
            }
            let now = self.clock.now().0;
            // A clock that was set back does not keep the cache away.
            if (0..PAUSE_MS).contains(&now.saturating_sub(state.tried_ms)) {
                return Err(Error::temporary("the cache could not be opened"));
            }
            state.tried_ms = now;
        }
        let opened = self.place.open().await?.store;
        tracing::info!("the cache answers again");
        Ok(Arc::clone(self.state().store.insert(opened)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl PropertiesStore for Later {
    async fn get(&self, address: &str) -> Result<Option<Versioned<WalletProperties>>, Error> {
        self.store().await?.get(address).await
    }

    async fn put(
        &self,
        address: &str,
        properties: &WalletProperties,
        expect: Expect,
    ) -> Result<Rev, Error> {
        self.store().await?.put(address, properties, expect).await
    }

    async fn delete(&self, address: &str) -> Result<(), Error> {
        self.store().await?.delete(address).await
    }

    async fn addresses(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, Error> {
        self.store().await?.addresses(after, limit).await
    }
}
