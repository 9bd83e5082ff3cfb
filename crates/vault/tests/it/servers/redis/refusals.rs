//! Servers and stores that must not be used as they are.

use halfkey_testkit::servers::redis::{PASSWORD, Redis, SYNCED};
use halfkey_testkit::tools;
use halfkey_vault::store::redis::{
    Durability, RedisConfig, RedisProperties, RedisRecords, Topology,
};
use halfkey_vault::{Error, Expect, GetRecord as _, PropertiesStore as _, PutRecord as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{must_open, secret_file, shared, single};
use crate::support::{environment, name};

async fn refusal(config: &RedisConfig) -> Error {
    RedisRecords::open(config, &environment())
        .await
        .unwrap_err()
}

fn must_not_be_durable(error: &Error, names: &str) {
    let Error::NotDurable(text) = error else {
        panic!("{names}: {error:?}");
    };
    assert!(text.contains(names), "{names}: {text}");
}

/// Each setting with which a server acknowledges what it can lose is refused, by its name, for
/// records; the cache tier takes all but the last.
#[tokio::test]
async fn a_server_that_can_lose_records_is_refused() {
    tools::real_part("redis");
    let server = Redis::start();
    let config = single(&server);
    for (setting, bad, good) in [
        ("appendfsync", "everysec", "always"),
        ("appendfsync", "no", "always"),
        ("appendonly", "no", "yes"),
        ("no-appendfsync-on-rewrite", "yes", "no"),
        ("maxmemory-policy", "volatile-lru", "noeviction"),
        ("maxmemory-policy", "allkeys-lru", "noeviction"),
    ] {
        server.must_cli(&["CONFIG", "SET", setting, bad]);
        must_not_be_durable(&refusal(&config).await, setting);
        let cache = RedisProperties::open(&config, &environment()).await;
        if bad == "allkeys-lru" {
            must_not_be_durable(&cache.unwrap_err(), setting);
        } else {
            cache.unwrap();
        }
        server.must_cli(&["CONFIG", "SET", setting, good]);
        must_open(&config).await;
    }
}

#[tokio::test]
async fn replicas_need_the_flag() {
    tools::real_part("redis");
    let master = Redis::start();
    let replica_of = format!("replicaof 127.0.0.1 {}", master.port());
    let replica = Redis::start_with(&[SYNCED, &[replica_of.as_str()]].concat());
    // Blocks until the replica is there and has caught up.
    assert_eq!(master.must_cli(&["WAIT", "1", "0"]), "1");
    let mut config = single(&master);
    must_not_be_durable(&refusal(&config).await, "allow_async_replication");
    config.allow_async_replication = true;
    let records = must_open(&config).await;
    assert_eq!(records.durability().await, Durability::AsyncReplication);
    records.put(&name("a"), b"1", Expect::Absent).await.unwrap();
    // The replica itself takes no store: what it has may be old.
    let mut at_replica = single(&replica);
    at_replica.prefix.clone_from(&config.prefix);
    assert!(refusal(&at_replica).await.is_transient());
}

/// A user that may not read the settings is told what to allow.
#[tokio::test]
async fn settings_that_cannot_be_read_are_refused() {
    let server = shared();
    let user = "no-config";
    server.must_cli(&[
        "ACL", "SETUSER", user, "on", ">pw", "~*", "+@all", "-config",
    ]);
    let mut config = single(server);
    config.username = Some(user.to_owned());
    config.password = Some(secret_file("pw"));
    must_not_be_durable(&refusal(&config).await, "+config|get");
    // Who promises no writes needs no right to read them, once the store is there.
    must_open(&RedisConfig {
        username: None,
        password: Some(secret_file(PASSWORD)),
        ..config.clone()
    })
    .await;
    config.read_only = true;
    let records = must_open(&config).await;
    assert_eq!(records.durability().await, Durability::Unclaimed);
    let error = records.put(&name("a"), b"1", Expect::Any).await;
    assert!(matches!(error, Err(Error::Forbidden(_))), "{error:?}");
}

/// What held at open is asked again after a reconnection.
#[tokio::test]
async fn a_server_that_came_back_otherwise_is_refused() {
    tools::real_part("redis");
    let server = Redis::start();
    let config = single(&server);
    let records = must_open(&config).await;
    records.put(&name("a"), b"1", Expect::Absent).await.unwrap();
    server.must_cli(&["CONFIG", "SET", "appendfsync", "everysec"]);
    server.must_cli(&["CLIENT", "KILL", "TYPE", "normal"]);
    // The call that finds the connection lost may say so; none succeeds.
    let first = records
        .put(&name("b"), b"1", Expect::Any)
        .await
        .unwrap_err();
    assert!(
        first.is_transient() || matches!(first, Error::NotDurable(_)),
        "{first:?}"
    );
    let second = records.put(&name("b"), b"1", Expect::Any).await;
    must_not_be_durable(&second.unwrap_err(), "appendfsync");
    server.must_cli(&["CONFIG", "SET", "appendfsync", "always"]);
    assert!(records.get(&name("a")).await.unwrap().is_some());
    assert!(records.get(&name("b")).await.unwrap().is_none());
}

/// A server that comes back empty has lost the records: it is not taken for a new store. A cache
/// may start again.
#[tokio::test]
async fn a_store_that_came_back_empty_is_refused() {
    tools::real_part("redis");
    let server = Redis::start();
    let config = single(&server);
    let records = must_open(&config).await;
    let cache = RedisProperties::open(&config, &environment()).await;
    let cache = cache.unwrap();
    server.must_cli(&["FLUSHALL"]);
    server.must_cli(&["CLIENT", "KILL", "TYPE", "normal"]);
    let first = records.get(&name("a")).await.unwrap_err();
    assert!(first.is_transient() || matches!(first, Error::Environment { .. }));
    let second = records.put(&name("a"), b"1", Expect::Any).await;
    assert!(
        matches!(second, Err(Error::Environment { .. })),
        "{second:?}"
    );
    let _lost = cache.get("a").await;
    assert!(cache.get("a").await.unwrap().is_none());
}

#[tokio::test]
async fn a_store_of_another_environment_is_refused() {
    let config = single(shared());
    must_open(&config).await;
    RedisProperties::open(&config, &environment())
        .await
        .unwrap();
    let other = "env-other".parse().unwrap();
    let records = RedisRecords::open(&config, &other).await.unwrap_err();
    let cache = RedisProperties::open(&config, &other).await.unwrap_err();
    for error in [records, cache] {
        let Error::Environment {
            found, expected, ..
        } = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!(
            (found.as_str(), expected.as_str()),
            ("env-test", "env-other")
        );
    }
}

/// Records without a mark are a part of a store, not a new one.
#[tokio::test]
async fn a_store_that_lost_its_mark_is_refused() {
    let server = shared();
    let config = single(server);
    let records = must_open(&config).await;
    records.put(&name("a"), b"1", Expect::Absent).await.unwrap();
    let mark = format!("{{{}:records}}:environment", config.prefix);
    assert_eq!(server.must_cli(&["DEL", &mark]), "1");
    let error = refusal(&config).await;
    assert!(matches!(error, Error::Environment { .. }), "{error:?}");
}

/// Opening for reading makes nothing.
#[tokio::test]
async fn a_read_only_process_marks_no_store() {
    let mut config = single(shared());
    config.read_only = true;
    let error = refusal(&config).await;
    assert!(matches!(error, Error::Environment { .. }), "{error:?}");
    config.read_only = false;
    must_open(&config).await;
}

#[tokio::test]
async fn wrong_and_missing_passwords_are_denied() {
    let mut config = single(shared());
    config.password = Some(secret_file("wrong-canary"));
    let error = refusal(&config).await;
    assert!(matches!(error, Error::Denied(_)), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("canary"));
    config.password = None;
    let error = refusal(&config).await;
    assert!(matches!(error, Error::Denied(_)), "{error:?}");
}

#[tokio::test]
async fn records_with_a_time_to_live_are_refused() {
    let mut config = single(shared());
    config.ttl_s = Some(60);
    let error = refusal(&config).await;
    assert!(matches!(error, Error::Config(_)), "{error:?}");
}

/// A node that sends the client to another machine, where it may not go without TLS.
#[tokio::test]
async fn a_redirection_off_this_machine_is_refused() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let node = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for reply in ["+OK\r\n", "-MOVED 1 203.0.113.1:6379\r\n"] {
            let mut request = [0; 1024];
            assert_ne!(stream.read(&mut request).await.unwrap(), 0);
            stream.write_all(reply.as_bytes()).await.unwrap();
        }
    });
    let mut config = super::config(Topology::Cluster(vec![address]));
    config.allow_async_replication = true;
    let error = refusal(&config).await;
    assert!(matches!(error, Error::Insecure(_)), "{error:?}");
    node.await.unwrap();
}
