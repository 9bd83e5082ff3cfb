//! A secret manager in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::store::secret::{SecretId, SecretPage, SecretStore};
use crate::{Error, RecordName};

/// Secrets on one page; few, so that tests page.
const PAGE: usize = 5;

/// By prefix and id.
type Rows = BTreeMap<(String, SecretId), Vec<u8>>;

/// A secret manager in memory, seen through one prefix.
#[derive(Clone)]
pub struct MemorySecrets {
    uri: String,
    prefix: String,
    limit: usize,
    rows: Arc<Mutex<Rows>>,
}

impl core::fmt::Debug for MemorySecrets {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("MemorySecrets")
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}

impl MemorySecrets {
    /// A fresh manager that takes values of at most `limit` bytes.
    pub fn new(prefix: &str, limit: usize) -> Self {
        Self {
            uri: format!("memory-secrets:{prefix}"),
            prefix: prefix.to_owned(),
            limit,
            rows: Arc::default(),
        }
    }

    /// The same manager through another prefix.
    #[must_use]
    pub fn with_prefix(&self, prefix: &str) -> Self {
        Self {
            rows: Arc::clone(&self.rows),
            ..Self::new(prefix, self.limit)
        }
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, id: SecretId) -> (String, SecretId) {
        (self.prefix.clone(), id)
    }
}

#[async_trait]
impl SecretStore for MemorySecrets {
    fn uri(&self) -> &str {
        &self.uri
    }

    fn limit(&self) -> usize {
        self.limit
    }

    async fn create(&self, id: SecretId, _name: &RecordName, value: &[u8]) -> Result<(), Error> {
        if value.len() > self.limit {
            return Err(Error::TooLarge {
                what: "secret",
                len: value.len(),
                limit: self.limit,
            });
        }
        let mut rows = self.lock();
        let found = rows.entry(self.key(id)).or_insert_with(|| value.to_vec());
        if found == value {
            Ok(())
        } else {
            Err(Error::Conflict(id.to_string()))
        }
    }

    async fn read(&self, id: SecretId) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.lock().get(&self.key(id)).cloned())
    }

    async fn remove(&self, id: SecretId) -> Result<(), Error> {
        self.lock().remove(&self.key(id));
        Ok(())
    }

    async fn list(&self, after: Option<&str>) -> Result<SecretPage, Error> {
        let from =
            match after {
                None => Bound::Included(self.key(SecretId::from_bytes([0; 16]))),
                Some(text) => Bound::Excluded(self.key(
                    SecretId::parse(text).ok_or(Error::Caller("that is no place in a listing"))?,
                )),
            };
        let rows = self.lock();
        let mut ids: Vec<_> = rows
            .range((from, Bound::Unbounded))
            .map(|((prefix, id), _)| (prefix, *id))
            .take_while(|(prefix, _)| **prefix == self.prefix)
            .map(|(_, id)| id)
            .take(PAGE.saturating_add(1))
            .collect();
        let more = ids.len() > PAGE;
        ids.truncate(PAGE);
        let next = ids.last().filter(|_| more).map(ToString::to_string);
        Ok(SecretPage { ids, next })
    }
}
