//! A bounded cache of data keys, so that a KMS quota or outage does not stop wallets in use.
//!
//! Off unless it is made. It holds *unwrapped data keys* for a short while: whoever reads this
//! process's memory reads them, and a KEK that is disabled goes on opening what is cached until the
//! entry's age ends or [`DekCache::clear`] is called (custody rule 24). Only
//! [`Vault::load_warm`](crate::Vault::load_warm) looks here; proofs and every other open go to the
//! KMS (custody rule 7).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use halfkey_core::{Clock, UnixMillis};
use sha2::{Digest as _, Sha256};

use crate::{BindCtx, Dek, Error, Rev, Wrapped};

/// The longest an entry may live, in milliseconds.
pub const MAX_AGE_MS: u64 = 300_000;

/// The bounds of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DekCacheLimits {
    /// How long an entry lives, in milliseconds; at most [`MAX_AGE_MS`].
    pub max_age_ms: u64,
    /// How often an entry may be used.
    pub max_uses: u32,
    /// How many entries there may be; the one used longest ago makes room.
    pub max_entries: usize,
}

/// Data keys in memory, each wiped when it leaves.
pub struct DekCache {
    limits: DekCacheLimits,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<[u8; 32], Entry>,
    /// Counts uses, to tell which entry was used longest ago.
    tick: u64,
    /// Moves on with each clearing: a key unwrapped before it must not be put in after it.
    epoch: u64,
    /// The revision of the store's own epoch that the entries are no older than.
    heeded: Option<Rev>,
}

struct Entry {
    dek: Dek,
    since: UnixMillis,
    uses: u32,
    used_at: u64,
}

/// The moment at which an unwrap began; see [`DekCache::insert`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

impl core::fmt::Debug for DekCache {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("DekCache")
            .field("limits", &self.limits)
            .field("entries", &self.len())
            .finish_non_exhaustive()
    }
}

impl DekCache {
    /// An empty cache.
    ///
    /// # Errors
    /// [`Error::Config`] for an age of nothing or over [`MAX_AGE_MS`], or bounds of nothing.
    pub fn new(limits: DekCacheLimits, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        if !(1..=MAX_AGE_MS).contains(&limits.max_age_ms) {
            return Err(Error::Config(format!(
                "a data key may be cached for 1 to {MAX_AGE_MS} ms"
            )));
        }
        if limits.max_uses == 0 || limits.max_entries == 0 {
            return Err(Error::Config(
                "a data key cache needs room for one entry and one use".to_owned(),
            ));
        }
        Ok(Self {
            limits,
            clock,
            state: Mutex::default(),
        })
    }

    /// Forgets every key, and those still being unwrapped. Called when a KEK is rotated or
    /// disabled, and on a freeze.
    pub fn clear(&self) {
        let mut state = self.state();
        state.entries.clear();
        state.epoch = state.epoch.wrapping_add(1);
    }

    /// Forgets every key when the store's epoch is not the one that was seen last.
    pub(crate) fn follow(&self, epoch: Option<Rev>) {
        let mut state = self.state();
        if state.heeded == epoch {
            return;
        }
        state.heeded = epoch;
        state.entries.clear();
        state.epoch = state.epoch.wrapping_add(1);
    }

    /// How many keys it holds.
    pub fn len(&self) -> usize {
        self.state().entries.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.state().epoch)
    }

    /// The data key of exactly this wrap under exactly this context, while it may be used.
    pub(crate) fn find(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Option<Dek>, Error> {
        let key = key_of(ctx, wrapped)?;
        let now = self.clock.now();
        let mut state = self.state();
        state.tick = state.tick.wrapping_add(1);
        let tick = state.tick;
        let Some(entry) = state.entries.get_mut(&key) else {
            return Ok(None);
        };
        if !is_fresh(entry, now, self.limits.max_age_ms) {
            state.entries.remove(&key);
            return Ok(None);
        }
        entry.uses = entry.uses.saturating_add(1);
        entry.used_at = tick;
        let dek = entry.dek.clone();
        if entry.uses >= self.limits.max_uses {
            state.entries.remove(&key);
        }
        Ok(Some(dek))
    }

    /// Keeps a key that was unwrapped since `began`, unless the cache was cleared meanwhile.
    pub(crate) fn insert(
        &self,
        began: Epoch,
        ctx: &BindCtx,
        wrapped: &Wrapped,
        dek: &Dek,
    ) -> Result<(), Error> {
        let key = key_of(ctx, wrapped)?;
        let now = self.clock.now();
        let mut state = self.state();
        if state.epoch != began.0 {
            return Ok(());
        }
        let max_age_ms = self.limits.max_age_ms;
        state
            .entries
            .retain(|_, entry| is_fresh(entry, now, max_age_ms));
        while state.entries.len() >= self.limits.max_entries {
            let oldest = state.entries.iter().min_by_key(|(_, entry)| entry.used_at);
            let Some(oldest) = oldest.map(|(key, _)| *key) else {
                break;
            };
            state.entries.remove(&oldest);
        }
        state.tick = state.tick.wrapping_add(1);
        let used_at = state.tick;
        let entry = Entry {
            dek: dek.clone(),
            since: now,
            uses: 0,
            used_at,
        };
        state.entries.insert(key, entry);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A clock that went back makes an entry old, not young.
fn is_fresh(entry: &Entry, now: UnixMillis, max_age_ms: u64) -> bool {
    let age = now.0.checked_sub(entry.since.0);
    age.and_then(|age| u64::try_from(age).ok())
        .is_some_and(|age| age < max_age_ms)
}

fn key_of(ctx: &BindCtx, wrapped: &Wrapped) -> Result<[u8; 32], Error> {
    let mut hash = Sha256::new();
    for field in [
        wrapped.kek_uri.as_bytes(),
        wrapped.kek_version.as_bytes(),
        &wrapped.bytes,
    ] {
        let len = u64::try_from(field.len()).unwrap_or(u64::MAX);
        hash.update(len.to_be_bytes());
        hash.update(field);
    }
    hash.update(ctx.digest()?);
    Ok(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;
    use crate::conformance::sample::{ctx, neighbours};

    #[derive(Debug, Default)]
    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> UnixMillis {
            UnixMillis(self.0.load(Ordering::SeqCst))
        }
    }

    const LIMITS: DekCacheLimits = DekCacheLimits {
        max_age_ms: 1000,
        max_uses: 3,
        max_entries: 2,
    };

    fn wrapped(number: u8) -> Wrapped {
        Wrapped {
            kek_uri: "memory:a".to_owned(),
            kek_version: "1".to_owned(),
            bytes: vec![number; 60],
        }
    }

    fn cache() -> (DekCache, Arc<Hand>) {
        let hand = Arc::new(Hand::default());
        let clock: Arc<dyn Clock> = Arc::<Hand>::clone(&hand);
        (DekCache::new(LIMITS, clock).unwrap(), hand)
    }

    fn put(cache: &DekCache, number: u8) -> Dek {
        let dek = Dek::generate().unwrap();
        cache
            .insert(cache.epoch(), &ctx(), &wrapped(number), &dek)
            .unwrap();
        dek
    }

    fn found(cache: &DekCache, number: u8) -> Option<Dek> {
        cache.find(&ctx(), &wrapped(number)).unwrap()
    }

    #[test]
    fn a_key_serves_its_own_wrap_and_context_only() {
        let (cache, _) = cache();
        let dek = put(&cache, 1);
        assert!(found(&cache, 1) == Some(dek));
        assert!(found(&cache, 2).is_none());
        for other in neighbours(&ctx()) {
            assert!(cache.find(&other, &wrapped(1)).unwrap().is_none());
        }
        let mut renamed = wrapped(1);
        renamed.kek_version = "2".to_owned();
        assert!(cache.find(&ctx(), &renamed).unwrap().is_none());
    }

    #[test]
    fn age_uses_and_room_are_bounded() {
        let (cache, hand) = cache();
        put(&cache, 1);
        for _ in 0..LIMITS.max_uses {
            assert!(found(&cache, 1).is_some());
        }
        assert!(found(&cache, 1).is_none(), "used up");

        put(&cache, 1);
        hand.0.store(999, Ordering::SeqCst);
        assert!(found(&cache, 1).is_some());
        hand.0.store(1000, Ordering::SeqCst);
        assert!(found(&cache, 1).is_none(), "too old");
        put(&cache, 1);
        hand.0.store(0, Ordering::SeqCst);
        assert!(found(&cache, 1).is_none(), "from the future");

        put(&cache, 1);
        put(&cache, 2);
        assert!(found(&cache, 1).is_some());
        put(&cache, 3);
        assert_eq!(cache.len(), 2);
        assert!(found(&cache, 2).is_none(), "used longest ago");
        assert!(found(&cache, 1).is_some() && found(&cache, 3).is_some());
    }

    #[test]
    fn clearing_also_stops_what_is_being_unwrapped() {
        let (cache, _) = cache();
        put(&cache, 1);
        let began = cache.epoch();
        cache.clear();
        assert!(cache.is_empty() && found(&cache, 1).is_none());
        let late = Dek::generate().unwrap();
        cache.insert(began, &ctx(), &wrapped(1), &late).unwrap();
        assert!(cache.is_empty(), "unwrapped before the clearing");
    }

    #[test]
    fn dek_cache_rejects_bounds_that_bound_nothing() {
        let hand: Arc<dyn Clock> = Arc::new(Hand::default());
        for limits in [
            DekCacheLimits {
                max_age_ms: 0,
                ..LIMITS
            },
            DekCacheLimits {
                max_age_ms: MAX_AGE_MS + 1,
                ..LIMITS
            },
            DekCacheLimits {
                max_uses: 0,
                ..LIMITS
            },
            DekCacheLimits {
                max_entries: 0,
                ..LIMITS
            },
        ] {
            let made = DekCache::new(limits, Arc::clone(&hand));
            assert!(matches!(made, Err(Error::Config(_))), "{limits:?}");
        }
    }
}
