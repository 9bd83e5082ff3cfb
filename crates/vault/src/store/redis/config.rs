//! The configuration of both tiers.

use core::time::Duration;

use serde::Deserialize;

use super::address::Address;
use crate::Error;
use crate::net::{SecretSource, TlsConfig, endpoint};

/// Where the servers are. An address is `host:port`, or `[v6]:port`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topology {
    /// One server.
    Single(String),
    /// Redis Cluster: some of its nodes, best all. The store stands in one slot.
    Cluster(Vec<String>),
    /// A master that Sentinel watches.
    Sentinel(SentinelConfig),
}

/// Sentinels, and what they watch. They are reached with the same TLS settings as the servers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentinelConfig {
    /// The name under which they watch the master.
    pub service: String,
    /// Their addresses, best all.
    pub addresses: Vec<String>,
    /// An ACL user of the sentinels; default: their `default` user.
    #[serde(default)]
    pub username: Option<String>,
    /// The sentinels' own password; default: none.
    #[serde(default)]
    pub password: Option<SecretSource>,
}

/// A store in Redis.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisConfig {
    /// Where the servers are.
    pub topology: Topology,
    /// The ACL user; default: the `default` user. Needs a password.
    #[serde(default)]
    pub username: Option<String>,
    /// Where the password is; default: none.
    #[serde(default)]
    pub password: Option<SecretSource>,
    /// TLS; default: none, which is allowed to this machine only.
    #[serde(default)]
    pub tls: Option<TlsConfig>,
    /// What all keys begin with; 1 to 128 of `a-z A-Z 0-9 . _ - : /`. Default: `halfkey`.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// The number of the database; default 0, which is the only one Cluster has.
    #[serde(default)]
    pub database: u32,
    /// The longest a call may take, in milliseconds, connecting included; default 5000.
    #[serde(default = "default_deadline_ms")]
    pub deadline_ms: u64,
    /// Records only: take a store that is replicated asynchronously, so that a failover can lose
    /// writes that were acknowledged. Default: refuse it.
    #[serde(default)]
    pub allow_async_replication: bool,
    /// This process never writes: every write is refused here already, and no durability is asked
    /// for. Default false.
    #[serde(default)]
    pub read_only: bool,
    /// Properties only: forget an entry so many seconds after it was last written, unless it holds
    /// pointers to backups. Default: never.
    #[serde(default)]
    pub ttl_s: Option<u64>,
}

fn default_prefix() -> String {
    "halfkey".to_owned()
}

const fn default_deadline_ms() -> u64 {
    5000
}

impl RedisConfig {
    /// The defaults for these servers.
    pub fn new(topology: Topology) -> Self {
        Self {
            topology,
            username: None,
            password: None,
            tls: None,
            prefix: default_prefix(),
            database: 0,
            deadline_ms: default_deadline_ms(),
            allow_async_replication: false,
            read_only: false,
            ttl_s: None,
        }
    }

    /// Refuses what cannot work before anything is connected.
    pub(super) fn check(&self) -> Result<(), Error> {
        let refuse = |why: &str| Err(Error::Config(format!("redis: {why}")));
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:/".contains(&byte);
        if self.prefix.is_empty() || self.prefix.len() > 128 || !self.prefix.bytes().all(known) {
            return refuse("prefix is not 1 to 128 of a-z A-Z 0-9 . _ - : /");
        }
        if self.username.is_some() && self.password.is_none() {
            return refuse("a username needs a password");
        }
        if !(10..=600_000).contains(&self.deadline_ms) {
            return refuse("deadline_ms is not 10 to 600000");
        }
        if self.ttl_s == Some(0) {
            return refuse("ttl_s of 0 would keep nothing");
        }
        match &self.topology {
            Topology::Cluster(_) if self.database != 0 => refuse("Cluster has database 0 only"),
            Topology::Sentinel(sentinel) if sentinel.username.is_some() => {
                match sentinel.password {
                    Some(_) => Ok(()),
                    None => refuse("the sentinels' username needs a password"),
                }
            }
            Topology::Single(_) | Topology::Cluster(_) | Topology::Sentinel(_) => Ok(()),
        }
    }

    /// The deadline of a call.
    pub(super) const fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    /// The configured addresses, each checked against [`Self::may_dial`].
    pub(super) fn addresses(&self) -> Result<Vec<Address>, Error> {
        let texts = match &self.topology {
            Topology::Single(address) => core::slice::from_ref(address),
            Topology::Cluster(addresses) => addresses.as_slice(),
            Topology::Sentinel(sentinel) => sentinel.addresses.as_slice(),
        };
        if texts.is_empty() {
            return Err(Error::Config("redis: no addresses".to_owned()));
        }
        texts
            .iter()
            .map(|text| {
                let address = Address::parse(text)?;
                self.may_dial(&address)?;
                Ok(address)
            })
            .collect()
    }

    /// Plain connections go to this machine only, wherever the address came from.
    pub(super) fn may_dial(&self, address: &Address) -> Result<(), Error> {
        if self.tls.is_some() || endpoint::is_loopback_host(&address.host) {
            return Ok(());
        }
        Err(Error::Insecure(format!(
            "{address} without TLS (only loopback may go without)"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> RedisConfig {
        toml::from_str(text).unwrap()
    }

    /// The tables of the guide, as they are pasted.
    #[test]
    fn what_the_guide_shows_can_be_read() {
        let guide = include_str!("../../../../../docs/guides/storage/redis.md");
        let (_, block) = guide.split_once("```toml\n").unwrap();
        let (block, _) = block.split_once("```").unwrap();
        let file: toml::Table = toml::from_str(block).unwrap();
        for tier in ["cache", "records"] {
            let mut table = file[tier].as_table().unwrap().clone();
            assert_eq!(table.remove("kind").unwrap().as_str(), Some("redis"));
            let config: RedisConfig = toml::Value::Table(table).try_into().unwrap();
            config.check().unwrap();
            config.addresses().unwrap();
        }
    }

    #[test]
    fn every_topology_can_be_read() {
        let single = parse(r#"topology = { single = "127.0.0.1:6379" }"#);
        single.check().unwrap();
        assert_eq!(single.addresses().unwrap().len(), 1);
        assert!(!single.allow_async_replication && !single.read_only);
        let sentinel = parse(
            r#"
            topology = { sentinel = { service = "hk", addresses = ["a:1", "b:1"] } }
            username = "writer"
            password = { file = "/run/secrets/redis" }
            tls = { ca_file = "/etc/halfkey/ca.pem" }
            ttl_s = 60
            "#,
        );
        sentinel.check().unwrap();
        assert_eq!(sentinel.addresses().unwrap().len(), 2);
        assert!(toml::from_str::<RedisConfig>("topology = { single = 'a:1' }\nx = 1").is_err());
    }

    #[test]
    fn config_rejects_plain_connections_to_other_machines() {
        for address in ["10.0.0.1:6379", "redis.example.com:6379", "[2001:db8::1]:1"] {
            let mut config = RedisConfig::new(Topology::Cluster(vec![address.to_owned()]));
            assert!(
                matches!(config.addresses(), Err(Error::Insecure(_))),
                "{address}"
            );
            config.tls = Some(TlsConfig::default());
            assert!(config.addresses().is_ok(), "{address}");
        }
    }

    #[test]
    fn config_rejects_what_cannot_work() {
        type Edit = fn(&mut RedisConfig);
        let edits: [Edit; 7] = [
            |config| config.prefix = String::new(),
            |config| config.prefix = "a{b".to_owned(),
            |config| config.username = Some("x".to_owned()),
            |config| config.deadline_ms = 0,
            |config| config.ttl_s = Some(0),
            |config| {
                config.topology = Topology::Cluster(vec!["localhost:1".to_owned()]);
                config.database = 1;
            },
            |config| {
                config.topology = Topology::Sentinel(SentinelConfig {
                    service: "s".to_owned(),
                    addresses: Vec::new(),
                    username: Some("x".to_owned()),
                    password: None,
                });
            },
        ];
        for (number, edit) in edits.into_iter().enumerate() {
            let mut config = RedisConfig::new(Topology::Single("localhost:1".to_owned()));
            config.check().unwrap();
            edit(&mut config);
            assert!(matches!(config.check(), Err(Error::Config(_))), "{number}");
        }
        let none = RedisConfig::new(Topology::Cluster(Vec::new()));
        assert!(matches!(none.addresses(), Err(Error::Config(_))));
    }
}
