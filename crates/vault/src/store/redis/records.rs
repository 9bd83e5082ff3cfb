//! Records in Redis.

use core::fmt;

use async_trait::async_trait;
use halfkey_core::EnvironmentId;

use super::check::Tier;
use super::client::{Write, parse_rev};
use super::{Client, Durability, RedisConfig};
use crate::store::page_limit;
use crate::{
    DestroyRecord, Error, Expect, GetRecord, ListRecords, Page, PutRecord, RecordName, Rev,
    Versioned,
};

/// The longest record, in bytes. Redis itself takes 512 MB, but it serves one call at a time, and a
/// record is at most little over one megabyte.
pub const MAX_RECORD_LEN: usize = 8 << 20;

/// A record store in Redis.
pub struct RedisRecords {
    client: Client,
}

impl RedisRecords {
    /// Connects and checks: that the server is a master and syncs its log before each reply
    /// (`appendonly yes`, `appendfsync always`), evicts nothing, has no replicas unless
    /// `allow_async_replication`, and that the store is of this environment; an empty one is
    /// marked with it. The same is checked again after every reconnection.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Insecure`], [`Error::Denied`], [`Error::NotDurable`],
    /// [`Error::Environment`], [`Error::Timeout`], [`Error::Backend`].
    pub async fn open(config: &RedisConfig, environment: &EnvironmentId) -> Result<Self, Error> {
        if config.ttl_s.is_some() {
            return Err(Error::Config(
                "redis: records never expire; take ttl_s out".to_owned(),
            ));
        }
        let client = Client::open(Tier::Records, config, environment).await?;
        Ok(Self { client })
    }

    /// What an acknowledged write survives, as found when the server was last connected to.
    pub async fn durability(&self) -> Durability {
        self.client.durability().await
    }
}

impl fmt::Debug for RedisRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisRecords").finish_non_exhaustive()
    }
}

#[async_trait]
impl PutRecord for RedisRecords {
    async fn put(&self, name: &RecordName, bytes: &[u8], expect: Expect) -> Result<Rev, Error> {
        if bytes.len() > MAX_RECORD_LEN {
            return Err(Error::TooLarge {
                what: "record",
                len: bytes.len(),
                limit: MAX_RECORD_LEN,
            });
        }
        let write = Write {
            name: name.as_str(),
            value: bytes,
            expect,
            ttl_ms: 0,
        };
        self.client.put(write).await
    }
}

#[async_trait]
impl GetRecord for RedisRecords {
    async fn get(&self, name: &RecordName) -> Result<Option<Versioned<Vec<u8>>>, Error> {
        let keys = &self.client.keys;
        let mut get = ::redis::cmd("MGET");
        get.arg(keys.rev(name.as_str()))
            .arg(keys.value(name.as_str()));
        match self.client.query(&get).await? {
            (None::<String>, None::<Vec<u8>>) => Ok(None),
            (Some(rev), Some(value)) => Ok(Some(Versioned {
                value,
                rev: parse_rev(name.as_str(), &rev)?,
            })),
            (Some(_), None) => Err(Error::corrupt(name.as_str(), "its bytes are missing")),
            (None, Some(_)) => Err(Error::corrupt(name.as_str(), "its revision is missing")),
        }
    }
}

#[async_trait]
impl ListRecords for RedisRecords {
    async fn list(
        &self,
        prefix: &str,
        after: Option<&RecordName>,
        limit: usize,
    ) -> Result<Page, Error> {
        let limit = page_limit(limit)?;
        let after = after.map_or("", RecordName::as_str);
        let from = match after < prefix {
            true => format!("[{prefix}"),
            false if after.is_empty() => "-".to_owned(),
            false => format!("({after}"),
        };
        let mut list = ::redis::cmd("ZRANGEBYLEX");
        list.arg(self.client.keys.names()).arg(from);
        // Names are printable ASCII, so all that start with the prefix sort before this.
        list.arg(format!("({prefix}\u{7f}"));
        list.arg("LIMIT").arg(0).arg(limit.saturating_add(1));
        let found: Vec<String> = self.client.query(&list).await?;
        let more = found.len() > limit;
        let names = found.into_iter().take(limit).map(RecordName::new);
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let next = names.last().filter(|_| more).cloned();
        Ok(Page { names, next })
    }
}

#[async_trait]
impl DestroyRecord for RedisRecords {
    async fn destroy(&self, name: &RecordName, expect: Expect) -> Result<(), Error> {
        if expect == Expect::Absent {
            return Err(Error::Caller("what is absent cannot be destroyed"));
        }
        self.client.remove(name.as_str(), expect).await
    }
}
