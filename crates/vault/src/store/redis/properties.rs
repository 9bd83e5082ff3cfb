//! Wallet properties in Redis.

use core::fmt;

use async_trait::async_trait;
use halfkey_core::{EnvironmentId, WalletProperties};

use super::check::Tier;
use super::client::{Write, parse_rev};
use super::script::PAGE;
use super::{Client, RedisConfig};
use crate::store::page_limit;
use crate::{Error, Expect, PropertiesStore, Rev, Versioned};

/// The longest entry, in bytes of JSON.
const MAX_LEN: usize = 1 << 20;

/// A properties store in Redis: a cache, which promises no durability.
pub struct RedisProperties {
    client: Client,
    ttl_ms: u64,
}

impl RedisProperties {
    /// Connects and checks that the server is a master, that it evicts at most what has a time to
    /// live, and that the store is of this environment; an empty one is marked with it.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Insecure`], [`Error::Denied`], [`Error::NotDurable`] for a
    /// policy that could evict the only copy of backup pointers, [`Error::Environment`],
    /// [`Error::Timeout`], [`Error::Backend`].
    pub async fn open(config: &RedisConfig, environment: &EnvironmentId) -> Result<Self, Error> {
        let client = Client::open(Tier::Properties, config, environment).await?;
        let ttl_ms = config.ttl_s.unwrap_or(0).saturating_mul(1000);
        Ok(Self { client, ttl_ms })
    }
}

impl fmt::Debug for RedisProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisProperties").finish_non_exhaustive()
    }
}

#[async_trait]
impl PropertiesStore for RedisProperties {
    async fn get(&self, address: &str) -> Result<Option<Versioned<WalletProperties>>, Error> {
        let keys = &self.client.keys;
        let mut get = ::redis::cmd("MGET");
        get.arg(keys.rev(address)).arg(keys.value(address));
        // One part alone is what eviction left.
        let (Some(rev), Some(json)) = self
            .client
            .query::<(Option<String>, Option<Vec<u8>>)>(&get)
            .await?
        else {
            return Ok(None);
        };
        let value = serde_json::from_slice(&json)
            .map_err(|_| Error::corrupt(address, "its properties are not what was written"))?;
        Ok(Some(Versioned {
            value,
            rev: parse_rev(address, &rev)?,
        }))
    }

    async fn put(
        &self,
        address: &str,
        properties: &WalletProperties,
        expect: Expect,
    ) -> Result<Rev, Error> {
        let json = serde_json::to_vec(properties)
            .map_err(|_| Error::Caller("the properties cannot be written as JSON"))?;
        if json.len() > MAX_LEN {
            return Err(Error::TooLarge {
                what: "properties entry",
                len: json.len(),
                limit: MAX_LEN,
            });
        }
        // The only copy of backup pointers may stand here: it never expires.
        let pointers = properties.external_server_key_shares_backup_info.is_some();
        let write = Write {
            name: address,
            value: &json,
            expect,
            ttl_ms: if pointers { 0 } else { self.ttl_ms },
        };
        self.client.put(write).await
    }

    async fn delete(&self, address: &str) -> Result<(), Error> {
        self.client.remove(address, Expect::Any).await
    }

    async fn addresses(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, Error> {
        let limit = page_limit(limit)?;
        let mut found: Vec<String> = Vec::new();
        let mut from = after.map_or_else(|| "-".to_owned(), |after| format!("({after}"));
        // A page whose entries have all expired is not the end of the list.
        while found.len() < limit {
            let page = self.page(&from, limit.saturating_sub(found.len())).await?;
            let Some((last, addresses)) = page.split_first() else {
                break;
            };
            found.extend_from_slice(addresses);
            if last.is_empty() {
                break;
            }
            from = format!("({last}");
        }
        Ok(found)
    }
}

impl RedisProperties {
    async fn page(&self, from: &str, limit: usize) -> Result<Vec<String>, Error> {
        let keys = &self.client.keys;
        let values = keys.value("");
        let prune = if self.client.may_write() { "1" } else { "0" };
        let limit = limit.to_string();
        let arguments = [
            from.as_bytes(),
            limit.as_bytes(),
            values.as_bytes(),
            prune.as_bytes(),
        ];
        self.client.run(&PAGE, &[keys.names()], &arguments).await
    }
}
