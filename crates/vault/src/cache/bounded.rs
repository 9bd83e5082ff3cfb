//! Wallet properties in this process's memory, with a bound.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use halfkey_core::WalletProperties;

use crate::store::page_limit;
use crate::{Error, Expect, PropertiesStore, Rev, Versioned};

/// Keeps at most so many wallets' properties. A process's memory is never the only copy of
/// anything, so every entry may go; those without backup pointers go first, the one read longest
/// ago before the others.
pub struct BoundedProperties {
    max_entries: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<String, Entry>,
    /// The revision of the next write; grows over all entries, so none is ever used again.
    next_rev: u64,
    tick: u64,
}

struct Entry {
    properties: WalletProperties,
    rev: Rev,
    used_at: u64,
}

impl core::fmt::Debug for BoundedProperties {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("BoundedProperties")
            .field("max_entries", &self.max_entries)
            .finish_non_exhaustive()
    }
}

impl BoundedProperties {
    /// An empty store for `max_entries` wallets.
    ///
    /// # Errors
    /// [`Error::Config`] for none.
    pub fn new(max_entries: usize) -> Result<Self, Error> {
        if max_entries == 0 {
            return Err(Error::Config(
                "a cache needs room for one wallet".to_owned(),
            ));
        }
        Ok(Self {
            max_entries,
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn make_room(&mut self, max_entries: usize) {
        while self.entries.len() > max_entries {
            let cheapest = self.entries.iter().min_by_key(|(_, entry)| {
                let pointers = &entry.properties.external_server_key_shares_backup_info;
                (pointers.is_some(), entry.used_at)
            });
            let Some(cheapest) = cheapest.map(|(address, _)| address.clone()) else {
                break;
            };
            self.entries.remove(&cheapest);
        }
    }

    fn tick(&mut self) -> u64 {
        self.tick = self.tick.wrapping_add(1);
        self.tick
    }
}

#[async_trait]
impl PropertiesStore for BoundedProperties {
    async fn get(&self, address: &str) -> Result<Option<Versioned<WalletProperties>>, Error> {
        let mut state = self.state();
        let tick = state.tick();
        Ok(state.entries.get_mut(address).map(|entry| {
            entry.used_at = tick;
            Versioned {
                value: entry.properties.clone(),
                rev: entry.rev,
            }
        }))
    }

    async fn put(
        &self,
        address: &str,
        properties: &WalletProperties,
        expect: Expect,
    ) -> Result<Rev, Error> {
        let mut state = self.state();
        let found = state.entries.get(address).map(|entry| entry.rev);
        let holds = match expect {
            Expect::Any => true,
            Expect::Absent => found.is_none(),
            Expect::Rev(rev) => found == Some(rev),
        };
        if !holds {
            return Err(Error::Conflict(address.to_owned()));
        }
        state.next_rev = state.next_rev.saturating_add(1);
        let entry = Entry {
            properties: properties.clone(),
            rev: Rev(state.next_rev),
            used_at: state.tick(),
        };
        let rev = entry.rev;
        state.entries.insert(address.to_owned(), entry);
        state.make_room(self.max_entries);
        Ok(rev)
    }

    async fn delete(&self, address: &str) -> Result<(), Error> {
        self.state().entries.remove(address);
        Ok(())
    }

    async fn addresses(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, Error> {
        let limit = page_limit(limit)?;
        let state = self.state();
        let later = state
            .entries
            .keys()
            .filter(|address| after.is_none_or(|after| address.as_str() > after));
        Ok(later.take(limit).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use halfkey_core::KeyShareBackupInfo;

    use super::*;

    fn properties(has_pointers: bool) -> WalletProperties {
        let properties = WalletProperties::new("EVM", "w", "0xab");
        if has_pointers {
            properties.with_backup_info(KeyShareBackupInfo::default())
        } else {
            properties
        }
    }

    #[tokio::test]
    async fn what_has_backup_pointers_stays_longest() {
        let store = BoundedProperties::new(2).unwrap();
        store
            .put("a", &properties(true), Expect::Any)
            .await
            .unwrap();
        for address in ["b", "c", "d"] {
            store
                .put(address, &properties(false), Expect::Any)
                .await
                .unwrap();
        }
        assert_eq!(store.addresses(None, 9).await.unwrap(), ["a", "d"]);
        store
            .put("e", &properties(true), Expect::Any)
            .await
            .unwrap();
        assert_eq!(store.addresses(None, 9).await.unwrap(), ["a", "e"]);
    }

    #[tokio::test]
    async fn bounded_properties_rejects_no_room() {
        assert!(matches!(BoundedProperties::new(0), Err(Error::Config(_))));
    }
}
