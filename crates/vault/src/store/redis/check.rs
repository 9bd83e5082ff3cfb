//! What every new connection must pass before it is used.

use halfkey_core::EnvironmentId;

use super::durability::{Durability, check_synced};
use super::keys::Keys;
use super::link::Link;
use super::{RedisConfig, Topology, mark};
use crate::Error;

/// Which tier a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tier {
    Records,
    Properties,
}

impl Tier {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Properties => "properties",
        }
    }
}

/// What a store asks of its server.
#[derive(Debug, Clone)]
pub(super) struct Demands {
    pub(super) tier: Tier,
    pub(super) environment: EnvironmentId,
    pub(super) read_only: bool,
    allow_async_replication: bool,
    /// Cluster and Sentinel fail over; a single server with replicas can be made to.
    replicated: bool,
}

impl Demands {
    pub(super) fn new(tier: Tier, config: &RedisConfig, environment: &EnvironmentId) -> Self {
        Self {
            tier,
            environment: environment.clone(),
            read_only: config.read_only,
            allow_async_replication: config.allow_async_replication,
            replicated: !matches!(config.topology, Topology::Single(_)),
        }
    }

    /// Checks the server at the other end; `again` after the first time in this process.
    pub(super) async fn check(
        &self,
        link: &Link,
        keys: &Keys,
        again: bool,
    ) -> Result<Durability, Error> {
        let replication = Info::read(link, "replication").await?;
        if replication.get("role") != Some("master") {
            return Err(Error::temporary(format!(
                "{} is not a master",
                link.address
            )));
        }
        self.check_eviction(link).await?;
        let durability = self.check_durability(link, &replication).await?;
        // Records that vanish under a running process are a loss, a cache that does is not.
        let may_mark = !self.read_only && (self.tier == Tier::Properties || !again);
        mark::check(link, keys, &self.environment, may_mark).await?;
        Ok(durability)
    }

    async fn check_eviction(&self, link: &Link) -> Result<(), Error> {
        let memory = Info::read(link, "memory").await?;
        let policy = memory.get("maxmemory_policy").unwrap_or("unknown");
        let harmless = match self.tier {
            Tier::Records => policy == "noeviction",
            // What has no time to live is not evicted: backup pointers, revisions, the mark.
            Tier::Properties => policy == "noeviction" || policy.starts_with("volatile-"),
        };
        if harmless {
            return Ok(());
        }
        Err(Error::NotDurable(format!(
            "{} has `maxmemory-policy {policy}`, which could evict {}: set `noeviction`",
            link.address,
            match self.tier {
                Tier::Records => "records",
                Tier::Properties => "the only copy of backup pointers",
            }
        )))
    }

    async fn check_durability(&self, link: &Link, replication: &Info) -> Result<Durability, Error> {
        if self.tier == Tier::Properties || self.read_only {
            return Ok(Durability::Unclaimed);
        }
        check_synced(link).await?;
        if !self.replicated && replication.get("connected_slaves") == Some("0") {
            return Ok(Durability::Synced);
        }
        if self.allow_async_replication {
            return Ok(Durability::AsyncReplication);
        }
        Err(Error::NotDurable(format!(
            "{} replicates asynchronously, so a failover can lose acknowledged writes: use a \
             single server without replicas, or set allow_async_replication",
            link.address
        )))
    }
}

/// A section of `INFO`.
struct Info(String);

impl Info {
    async fn read(link: &Link, section: &str) -> Result<Self, Error> {
        let mut info = ::redis::cmd("INFO");
        info.arg(section);
        link.query(&info).await.map(Self)
    }

    fn get(&self, field: &str) -> Option<&str> {
        self.0.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name == field).then_some(value.trim_end())
        })
    }
}
