//! Records in memory.

use async_trait::async_trait;

use super::Table;
use crate::store::page_limit;
use crate::{
    DestroyRecord, Error, Expect, GetRecord, ListRecords, Page, PutRecord, RecordName, Rev,
    Versioned,
};

/// A record store in memory.
#[derive(Debug, Default)]
pub struct MemoryRecords(Table<RecordName, Vec<u8>>);

#[async_trait]
impl PutRecord for MemoryRecords {
    async fn put(&self, name: &RecordName, bytes: &[u8], expect: Expect) -> Result<Rev, Error> {
        self.0.set(name.clone(), Some(bytes.to_vec()), expect)
    }
}

#[async_trait]
impl GetRecord for MemoryRecords {
    async fn get(&self, name: &RecordName) -> Result<Option<Versioned<Vec<u8>>>, Error> {
        Ok(self.0.get(name))
    }
}

#[async_trait]
impl ListRecords for MemoryRecords {
    async fn list(
        &self,
        prefix: &str,
        after: Option<&RecordName>,
        limit: usize,
    ) -> Result<Page, Error> {
        let limit = page_limit(limit)?;
        let wanted = |name: &RecordName| name.as_str().starts_with(prefix);
        let mut names = self.0.keys_after(after, wanted, limit.saturating_add(1));
        let more = names.len() > limit;
        names.truncate(limit);
        let next = names.last().filter(|_| more).cloned();
        Ok(Page { names, next })
    }
}

#[async_trait]
impl DestroyRecord for MemoryRecords {
    async fn destroy(&self, name: &RecordName, expect: Expect) -> Result<(), Error> {
        match expect {
            Expect::Absent => Err(Error::Caller("what is absent cannot be destroyed")),
            Expect::Any if self.0.get(name).is_none() => Ok(()),
            Expect::Any | Expect::Rev(_) => self.0.set(name.clone(), None, expect).map(drop),
        }
    }
}
