//! Listing names.

use object_store::list::{PaginatedListOptions, PaginatedListStore as _};

use super::S3Records;
use super::error::from_client;
use super::object::TOMBSTONE_LEN;
use crate::store::MAX_PAGE;
use crate::{Error, Page, RecordName};

impl S3Records {
    /// Keys sort as names do, and a tombstone is told by its length, so nothing is read but the
    /// listing. Tombstones take part in it: a prefix full of them takes several calls.
    pub(super) async fn list_names(
        &self,
        prefix: &str,
        after: Option<&RecordName>,
        limit: usize,
    ) -> Result<Page, Error> {
        let from = self.keys.records_from(prefix);
        let mut last = match after {
            Some(after) => Some(self.keys.record(after)?),
            None => None,
        };
        let wanted = limit.saturating_add(1);
        let mut names = Vec::new();
        let mut page_token = None;
        loop {
            let options = PaginatedListOptions {
                offset: last.clone(),
                max_keys: Some(wanted.min(MAX_PAGE)),
                page_token,
                ..PaginatedListOptions::default()
            };
            let found = self.store.list_paginated(Some(&from), options);
            let found = self
                .timed(async { found.await.map_err(|error| from_client(&self.uri, &error)) })
                .await?;
            for object in found.result.objects {
                let key = object.location.to_string();
                if last.as_ref().is_some_and(|last| key <= *last) {
                    return Err(Error::permanent(format!(
                        "{}: the bucket does not list in order",
                        self.uri
                    )));
                }
                if object.size != u64::try_from(TOMBSTONE_LEN).unwrap_or_default() {
                    let name = self.keys.name_of(&key);
                    names.push(
                        name.ok_or_else(|| Error::corrupt(&*key, "no record has such a key"))?,
                    );
                }
                last = Some(key);
            }
            page_token = found.page_token;
            if names.len() >= wanted || page_token.is_none() {
                break;
            }
        }
        let more = names.len() > limit;
        names.truncate(limit);
        let next = names.last().filter(|_| more).cloned();
        Ok(Page { names, next })
    }
}
