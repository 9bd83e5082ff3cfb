//! Cluster, three masters and three replicas.

use std::sync::OnceLock;

use halfkey_core::WalletProperties;
use halfkey_testkit::servers::redis::RedisCluster;
use halfkey_testkit::tools;
use halfkey_vault::store::redis::{
    Durability, RedisConfig, RedisProperties, RedisRecords, Topology,
};
use halfkey_vault::{Error, Expect, GetRecord as _, PropertiesStore as _, PutRecord as _};

use super::{config, must_open};
use crate::support::{environment, name};

fn cluster() -> &'static RedisCluster {
    static CLUSTER: OnceLock<RedisCluster> = OnceLock::new();
    tools::real_part("redis-cluster");
    CLUSTER.get_or_init(RedisCluster::start)
}

fn cluster_config(cluster: &RedisCluster) -> RedisConfig {
    config(Topology::Cluster(cluster.addresses()))
}

mod records {
    use super::*;

    async fn make() -> (RedisRecords, ()) {
        let mut config = cluster_config(cluster());
        config.allow_async_replication = true;
        (must_open(&config).await, ())
    }
    halfkey_vault::record_store_conformance!(make);
}

mod properties {
    use super::*;

    async fn make() -> (RedisProperties, ()) {
        let store = RedisProperties::open(&cluster_config(cluster()), &environment()).await;
        (store.unwrap(), ())
    }
    halfkey_vault::properties_store_conformance!(make);
}

#[tokio::test]
async fn records_in_a_cluster_need_the_flag() {
    let mut config = cluster_config(cluster());
    let error = RedisRecords::open(&config, &environment()).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::NotDurable(_)), "{error:?}");
    config.allow_async_replication = true;
    let records = must_open(&config).await;
    assert_eq!(records.durability().await, Durability::AsyncReplication);
    assert!(!records.durability().await.is_durable());
}

/// Stores are spread over the masters: each is found from any one node.
#[tokio::test]
async fn any_node_leads_to_the_owner() {
    let mut config = cluster_config(cluster());
    config.allow_async_replication = true;
    let records = must_open(&config).await;
    records.put(&name("a"), b"1", Expect::Absent).await.unwrap();
    for address in cluster().addresses() {
        config.topology = Topology::Cluster(vec![address]);
        let records = must_open(&config).await;
        let found = records.get(&name("a")).await.unwrap().unwrap();
        assert_eq!(found.value, b"1");
    }
}

/// The same client, after a promotion, without being made again.
// With threads, so that the connections notice the end of their server while this waits.
#[tokio::test(flavor = "multi_thread")]
async fn the_cache_works_on_after_a_promotion() {
    tools::real_part("redis-cluster");
    let mut own = RedisCluster::start();
    let config = cluster_config(&own);
    let store = RedisProperties::open(&config, &environment()).await;
    let store = store.unwrap();
    let entry = WalletProperties::new("EVM", "w", "0xab");
    let before = store.put("a", &entry, Expect::Absent).await.unwrap();
    own.kill_owner_of(&format!("{{{}:properties}}:environment", config.prefix));
    let found = store.get("a").await.unwrap();
    // Replication is asynchronous, but this one entry had seconds.
    assert_eq!(found.unwrap().rev, before);
    let after = store.put("a", &entry, Expect::Rev(before)).await.unwrap();
    assert!(after > before);
}
