//! A master and a replica under three sentinels.

use std::sync::OnceLock;

use halfkey_core::WalletProperties;
use halfkey_testkit::servers::redis::RedisSentinel;
use halfkey_testkit::tools;
use halfkey_vault::store::redis::{
    Durability, RedisConfig, RedisProperties, RedisRecords, Topology,
};
use halfkey_vault::{Error, Expect, GetRecord as _, PropertiesStore as _, PutRecord as _};

use super::{config, must_open, secret_file, sentinel_topology};
use crate::support::{environment, name};

fn deployment() -> &'static RedisSentinel {
    static DEPLOYMENT: OnceLock<RedisSentinel> = OnceLock::new();
    tools::real_part("redis-sentinel");
    DEPLOYMENT.get_or_init(RedisSentinel::start)
}

fn sentinel_config(deployment: &RedisSentinel) -> RedisConfig {
    config(sentinel_topology(deployment))
}

mod records {
    use super::*;

    async fn make() -> (RedisRecords, ()) {
        let mut config = sentinel_config(deployment());
        config.allow_async_replication = true;
        (must_open(&config).await, ())
    }
    halfkey_vault::record_store_conformance!(make);
}

mod properties {
    use super::*;

    async fn make() -> (RedisProperties, ()) {
        let store = RedisProperties::open(&sentinel_config(deployment()), &environment()).await;
        (store.unwrap(), ())
    }
    halfkey_vault::properties_store_conformance!(make);
}

#[tokio::test]
async fn records_under_sentinel_need_the_flag() {
    let config = sentinel_config(deployment());
    let error = RedisRecords::open(&config, &environment()).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::NotDurable(_)), "{error:?}");
}

#[tokio::test]
async fn a_service_that_no_sentinel_watches_is_refused() {
    let mut config = sentinel_config(deployment());
    let Topology::Sentinel(sentinel) = &mut config.topology else {
        panic!("not sentinel");
    };
    sentinel.service = "other".to_owned();
    let error = RedisProperties::open(&config, &environment()).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Config(_)), "{error:?}");
}

#[tokio::test]
async fn the_sentinels_have_a_password_of_their_own() {
    let mut config = sentinel_config(deployment());
    let Topology::Sentinel(sentinel) = &mut config.topology else {
        panic!("not sentinel");
    };
    sentinel.password = Some(secret_file("wrong"));
    let error = RedisProperties::open(&config, &environment()).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error:?}");
}

/// The same clients, after a failover, without being made again. The cache goes on; a record is
/// not acknowledged while there is no replica to take it.
// With threads, so that the connections notice the end of their server while this waits.
#[tokio::test(flavor = "multi_thread")]
async fn clients_work_on_after_a_failover() {
    tools::real_part("redis-sentinel");
    let mut own = RedisSentinel::start();
    let mut config = sentinel_config(&own);
    let cache = RedisProperties::open(&config, &environment()).await;
    let cache = cache.unwrap();
    config.allow_async_replication = true;
    config.deadline_ms = 2000;
    let records = must_open(&config).await;
    let entry = WalletProperties::new("EVM", "w", "0xab");
    let before = cache.put("a", &entry, Expect::Any).await.unwrap();
    // Acknowledged by the replica, so it is there after the failover.
    let rev = records.put(&name("r"), b"1", Expect::Absent).await.unwrap();
    own.fail_over();
    let found = cache.get("a").await.unwrap();
    assert_eq!(found.unwrap().rev, before);
    assert!(cache.put("a", &entry, Expect::Rev(before)).await.unwrap() > before);
    let found = records.get(&name("r")).await.unwrap().unwrap();
    assert_eq!((found.value, found.rev), (b"1".to_vec(), rev));
    assert_eq!(records.durability().await, Durability::AsyncReplication);
    let error = records.put(&name("s"), b"1", Expect::Absent).await;
    assert!(matches!(error, Err(Error::Timeout(_))), "{error:?}");
}
