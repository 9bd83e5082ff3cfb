//! Servers that die, freeze, fill up, or give back something else than they were given.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use halfkey_testkit::servers::redis::Redis;
use halfkey_testkit::tools;
use halfkey_vault::store::redis::{RedisRecords, Topology};
use halfkey_vault::{Error, Expect, GetRecord as _, PutRecord as _};

use super::super::cut::{Wire, cut_everywhere};
use super::{must_open, single};
use crate::support::{access, ctx, environment, memory, name, secret};

/// A server is killed in the midst of writes: whatever it acknowledged is there when it is back,
/// and the same client finds it.
#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_records_survive_a_kill() {
    tools::real_part("redis");
    let mut server = Redis::start();
    let records = Arc::new(must_open(&single(&server)).await);
    let acknowledged = Arc::new(AtomicU64::new(0));
    let (enough, reached) = tokio::sync::oneshot::channel();
    let writer = tokio::spawn({
        let (records, acknowledged) = (Arc::clone(&records), Arc::clone(&acknowledged));
        async move {
            let mut enough = Some(enough);
            loop {
                let number = acknowledged.load(Ordering::Acquire);
                let at = name(&format!("r{number}"));
                let bytes = [number.to_be_bytes(); 100].concat();
                if let Err(error) = records.put(&at, &bytes, Expect::Absent).await {
                    return error;
                }
                acknowledged.fetch_add(1, Ordering::AcqRel);
                if number == 200 {
                    enough.take().unwrap().send(()).unwrap();
                }
            }
        }
    });
    reached.await.unwrap();
    server.kill();
    let error = writer.await.unwrap();
    assert!(error.is_transient(), "{error:?}");
    server.kill_and_restart();
    let count = acknowledged.load(Ordering::Acquire);
    assert!(count > 200);
    for number in 0..count {
        let found = records.get(&name(&format!("r{number}"))).await.unwrap();
        assert_eq!(found.unwrap().value, [number.to_be_bytes(); 100].concat());
    }
}

#[tokio::test]
async fn a_write_that_is_cut_is_whole_or_absent() {
    tools::real_part("redis");
    let server = Redis::start();
    let (direct, port) = (single(&server), server.address());
    let port = port.rsplit(':').next().unwrap().parse().unwrap();
    let wire = Wire::start(port).await;
    let mut over_wire = direct.clone();
    over_wire.topology = Topology::Single(format!("127.0.0.1:{}", wire.port()));
    let direct = must_open(&direct).await;
    cut_everywhere(&must_open(&over_wire).await, &direct, &wire).await;
}

/// A server that accepts connections and commands but answers none.
#[tokio::test]
async fn a_frozen_server_is_a_timeout() {
    tools::real_part("redis");
    let server = Redis::start();
    let mut config = single(&server);
    must_open(&config)
        .await
        .put(&name("a"), b"1", Expect::Absent)
        .await
        .unwrap();
    config.deadline_ms = 500;
    let records = must_open(&config).await;
    server.process().signal("STOP");
    for _ in 0..2 {
        // The second call needs a new connection: that has the deadline too.
        let error = records.get(&name("a")).await.unwrap_err();
        assert!(matches!(error, Error::Timeout(_)), "{error:?}");
    }
    let error = records
        .put(&name("b"), b"1", Expect::Any)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Timeout(_)), "{error:?}");
    let error = RedisRecords::open(&config, &environment()).await;
    assert!(matches!(error, Err(Error::Timeout(_))), "{error:?}");
    server.process().signal("CONT");
    config.deadline_ms = 30_000;
    let found = must_open(&config).await.get(&name("a")).await.unwrap();
    assert_eq!(found.unwrap().value, b"1");
}

#[tokio::test]
async fn a_server_that_is_down_is_a_temporary_failure() {
    tools::real_part("redis");
    let mut server = Redis::start();
    server.kill();
    let error = RedisRecords::open(&single(&server), &environment()).await;
    assert!(error.unwrap_err().is_transient());
}

/// Over `maxmemory` nothing is evicted and nothing changed.
#[tokio::test]
async fn a_full_server_says_so() {
    tools::real_part("redis");
    let server = Redis::start();
    let records = must_open(&single(&server)).await;
    let rev = records.put(&name("a"), b"1", Expect::Absent).await.unwrap();
    server.must_cli(&["CONFIG", "SET", "maxmemory", "1mb"]);
    for at in ["a", "b"] {
        let error = records
            .put(&name(at), &vec![7; 1_000_000], Expect::Any)
            .await;
        assert!(matches!(error, Err(Error::Full(_))), "{error:?}");
    }
    let found = records.get(&name("a")).await.unwrap().unwrap();
    assert_eq!((found.value, found.rev), (b"1".to_vec(), rev));
    assert!(records.get(&name("b")).await.unwrap().is_none());
}

/// A store that hands out one record under the name of another is found out when it is opened.
#[tokio::test]
async fn swapped_records_are_corrupt() {
    tools::real_part("redis");
    let server = Redis::start();
    let config = single(&server);
    let records = Arc::new(must_open(&config).await);
    let mut parts = memory().vault.parts().clone();
    parts.put = Some(Arc::<RedisRecords>::clone(&records));
    parts.get = Some(records);
    let vault = halfkey_vault::Vault::new(parts);
    let mut other = ctx();
    other.account_address = "0xcd".to_owned();
    let (one, two) = (name("wallet:0xab/shares/2"), name("wallet:0xcd/shares/2"));
    for (at, ctx, text) in [(&one, &ctx(), "one"), (&two, &other, "two")] {
        let stored = vault
            .store(at, ctx, &secret(text), Expect::Absent, &access())
            .await;
        stored.unwrap();
        vault.load(at, ctx, &access()).await.unwrap();
    }
    let key = |at: &str| format!("{{{}:records}}:value:{at}", config.prefix);
    let spare = key("spare");
    for (from, to) in [
        (key(one.as_str()), spare.clone()),
        (key(two.as_str()), key(one.as_str())),
        (spare, key(two.as_str())),
    ] {
        assert_eq!(server.must_cli(&["RENAME", &from, &to]), "OK");
    }
    for (at, ctx) in [(&one, &ctx()), (&two, &other)] {
        let error = vault.load(at, ctx, &access()).await.unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    }
}
