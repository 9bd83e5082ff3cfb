//! Stores that live and die with the process, for tests.

mod properties;
mod records;
mod secrets;

pub use self::properties::MemoryProperties;
pub use self::records::MemoryRecords;
pub use self::secrets::MemorySecrets;

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{Error, Expect, Rev, Versioned};

/// A map with revisions; a removed key keeps its revision, so that none is used twice.
#[derive(Debug)]
struct Table<K, V>(Mutex<BTreeMap<K, (u64, Option<V>)>>);

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }
}

impl<K: Ord + Clone + ToString, V: Clone> Table<K, V> {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<K, (u64, Option<V>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<Versioned<V>>
    where
        K: Borrow<Q>,
    {
        let rows = self.lock();
        let (rev, value) = rows.get(key)?;
        value.clone().map(|value| Versioned {
            value,
            rev: Rev(*rev),
        })
    }

    fn set(&self, key: K, value: Option<V>, expect: Expect) -> Result<Rev, Error> {
        let mut rows = self.lock();
        let (rev, present) = rows
            .get(&key)
            .map_or((0, false), |row| (row.0, row.1.is_some()));
        let holds = match expect {
            Expect::Absent => !present,
            Expect::Rev(expected) => present && expected == Rev(rev),
            Expect::Any => true,
        };
        if !holds {
            return Err(Error::Conflict(key.to_string()));
        }
        let rev = rev.saturating_add(1);
        rows.insert(key, (rev, value));
        Ok(Rev(rev))
    }

    /// Keys with a value, ascending, strictly after `after`.
    fn keys_after(&self, after: Option<&K>, wanted: impl Fn(&K) -> bool, limit: usize) -> Vec<K> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.lock();
        let range = rows.range::<K, _>((from, Bound::Unbounded));
        let present = range.filter(|(key, row)| row.1.is_some() && wanted(key));
        present.map(|(key, _)| key.clone()).take(limit).collect()
    }
}
