//! Records and properties in Redis: a single server, Cluster or Sentinel.
//!
//! # Layout
//!
//! One store is five kinds of keys, all under one hash tag, so that a script sees them together and
//! Cluster keeps them in one slot: the store is as large as one node can hold.
//!
//! | key | type | holds |
//! |---|---|---|
//! | `{prefix:tier}:environment` | string | the environment the store belongs to |
//! | `{prefix:tier}:counter` | string | the last revision that was given out |
//! | `{prefix:tier}:names` | sorted set, all scores 0 | the names, for listing in byte order |
//! | `{prefix:tier}:rev:` and the name | string | the revision; it stands for the name's presence |
//! | `{prefix:tier}:value:` and the name | string | the bytes |
//!
//! `tier` is `records` or `properties`. Bytes and revision are two keys so that a role can be let
//! write the one without reading it. A revision is the store's counter, which never falls behind
//! the server's clock in microseconds: a name that is made again, and a server that lost its last
//! writes or was restored, never give one out twice.
//!
//! # Connections
//!
//! The `redis` crate speaks the protocol; where the master is and how it is reached is decided
//! here. So each connection goes through our own TLS configuration, and each new one (after a
//! failover too) is checked for everything that was checked at open before it is used. A call is
//! tried once: what failed is told, and the next call looks for the master anew.

mod address;
mod check;
mod client;
mod config;
mod durability;
mod error;
mod keys;
mod link;
mod locate;
mod mark;
mod properties;
mod records;
mod script;
mod tls;

pub use self::config::{RedisConfig, SentinelConfig, Topology};
pub use self::durability::Durability;
pub use self::properties::RedisProperties;
pub use self::records::{MAX_RECORD_LEN, RedisRecords};

use self::client::Client;
