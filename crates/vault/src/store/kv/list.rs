//! Listing names. The engine lists destroyed ones too, so each is looked up in the metadata.

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;

use super::calls::State;
use super::{KvRecords, path};
use crate::net::openbao::Request;
use crate::store::page_limit;
use crate::{Error, ListRecords, Page, RecordName};

/// How many names are looked up at the same time.
const LOOK_UPS: usize = 8;

impl KvRecords {
    /// Segments in the folder, ascending, strictly after `after`. OpenBao sends at most `limit`;
    /// HashiCorp Vault knows no pages and sends all that there are.
    pub(super) async fn segments(&self, after: &str, limit: usize) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Keys {
            // Absent in an empty answer with a warning, such as that a parameter is not known.
            #[serde(default)]
            keys: Vec<String>,
        }
        let folder = format!("{}/metadata/{}/records/", self.mount, self.prefix);
        let mut request = Request::get(folder)
            .with("list", "true")
            .with("limit", limit.to_string());
        if !after.is_empty() {
            request = request.with("after", after);
        }
        let reply = self.client.call(&request).await?;
        if reply.is_absent() {
            return Ok(Vec::new());
        }
        if !reply.is_success() {
            return Err(reply.refused("the list of records"));
        }
        let Keys { mut keys } = reply.data("the list of records")?;
        keys.retain(|key| key.as_str() > after);
        keys.sort_unstable();
        Ok(keys)
    }

    /// Those of `names` that are not destroyed, in their order; at most `limit`.
    async fn present(
        &self,
        names: Vec<RecordName>,
        limit: usize,
    ) -> Result<Vec<RecordName>, Error> {
        let look_ups = names.into_iter().map(|name| async {
            let is_present = matches!(self.state(&name).await?, State::Present(_));
            Ok::<_, Error>(is_present.then_some(name))
        });
        stream::iter(look_ups)
            .buffered(LOOK_UPS)
            .try_filter_map(|name| async { Ok(name) })
            .take(limit)
            .try_collect()
            .await
    }

    async fn page(&self, prefix: &str, after: String, limit: usize) -> Result<Page, Error> {
        // One more than asked for tells whether there is another page.
        let wanted = limit.saturating_add(1);
        let mut found = Vec::new();
        let mut cursor = after;
        while found.len() < wanted {
            let segments = self.segments(&cursor, wanted).await?;
            let Some(last) = segments.last() else { break };
            cursor.clone_from(last);
            let names: Vec<_> = segments.iter().filter_map(|key| path::name(key)).collect();
            let is_past = names
                .last()
                .is_some_and(|name| !name.as_str().starts_with(prefix) && name.as_str() > prefix);
            let names = names.into_iter();
            let names = names.filter(|name| name.as_str().starts_with(prefix));
            let missing = wanted.saturating_sub(found.len());
            found.extend(self.present(names.collect(), missing).await?);
            // More than was asked for is all there is.
            if is_past || segments.len() != wanted {
                break;
            }
        }
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).cloned();
        Ok(Page { names: found, next })
    }
}

#[async_trait]
impl ListRecords for KvRecords {
    async fn list(
        &self,
        prefix: &str,
        after: Option<&RecordName>,
        limit: usize,
    ) -> Result<Page, Error> {
        let limit = page_limit(limit)?;
        let before = path::before(prefix);
        let after = after.map(path::segment).unwrap_or_default();
        self.client
            .within(self.page(prefix, after.max(before), limit))
            .await
    }
}
