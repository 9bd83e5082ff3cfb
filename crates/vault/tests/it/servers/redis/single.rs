//! One server.

use halfkey_core::{KeyShareBackupInfo, WalletProperties};
use halfkey_vault::store::redis::{Durability, MAX_RECORD_LEN, RedisProperties, RedisRecords};
use halfkey_vault::{
    DestroyRecord as _, Error, Expect, GetRecord as _, PropertiesStore as _, PutRecord as _,
};

use super::{must_open, shared, single};
use crate::support::{environment, name};

mod records {
    use super::*;

    async fn make() -> (RedisRecords, ()) {
        (must_open(&single(shared())).await, ())
    }
    halfkey_vault::record_store_conformance!(make);
}

mod properties {
    use super::*;

    async fn make() -> (RedisProperties, ()) {
        let config = single(shared());
        let store = RedisProperties::open(&config, &environment()).await;
        (store.unwrap(), ())
    }
    halfkey_vault::properties_store_conformance!(make);
}

#[tokio::test]
async fn a_single_synced_server_is_durable() {
    let records = must_open(&single(shared())).await;
    assert_eq!(records.durability().await, Durability::Synced);
    assert!(records.durability().await.is_durable());
}

#[tokio::test]
async fn a_record_that_is_too_large_is_not_sent() {
    let records = must_open(&single(shared())).await;
    let bytes = vec![0; MAX_RECORD_LEN + 1];
    let error = records.put(&name("a"), &bytes, Expect::Any).await;
    assert!(matches!(error, Err(Error::TooLarge { .. })));
    assert!(records.get(&name("a")).await.unwrap().is_none());
}

/// Neither a name that is made again, nor a counter that was lost or put back, gives a revision
/// out twice.
#[tokio::test]
async fn revisions_go_on_when_the_counter_is_lost() {
    let server = shared();
    let config = single(server);
    let records = must_open(&config).await;
    let old = records.put(&name("a"), b"1", Expect::Absent).await.unwrap();
    records.destroy(&name("a"), Expect::Any).await.unwrap();
    let counter = format!("{{{}:records}}:counter", config.prefix);
    assert_eq!(server.must_cli(&["DEL", &counter]), "1");
    let new = records.put(&name("a"), b"2", Expect::Absent).await.unwrap();
    assert!(new > old);
    assert_eq!(server.must_cli(&["SET", &counter, "7"]), "OK");
    let newer = records.put(&name("a"), b"3", Expect::Any).await.unwrap();
    assert!(newer > new);
}

/// Half a record is damage: not absent, and not written over as if it were.
#[tokio::test]
async fn a_record_without_its_bytes_or_revision_is_corrupt() {
    let server = shared();
    let config = single(server);
    let records = must_open(&config).await;
    for part in ["value", "rev"] {
        let at = name(part);
        records.put(&at, b"1", Expect::Absent).await.unwrap();
        let key = format!("{{{}:records}}:{part}:{part}", config.prefix);
        assert_eq!(server.must_cli(&["DEL", &key]), "1");
        let error = records.get(&at).await.unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
        let error = records.put(&at, b"2", Expect::Absent).await.unwrap_err();
        assert!(matches!(error, Error::Conflict(_)), "{error:?}");
        records.destroy(&at, Expect::Any).await.unwrap();
        assert!(records.get(&at).await.unwrap().is_none());
    }
}

/// The issue with caches that forget: entries expire, but never the only copy of backup pointers.
#[tokio::test]
async fn backup_pointers_never_expire() {
    let server = shared();
    let mut config = single(server);
    config.ttl_s = Some(1000);
    let store = RedisProperties::open(&config, &environment())
        .await
        .unwrap();
    let plain = WalletProperties::new("EVM", "w", "0xab");
    let pointers = plain
        .clone()
        .with_backup_info(KeyShareBackupInfo::default());
    let ttls = |address: &str| -> Vec<i64> {
        let key = |part| format!("{{{}:properties}}:{part}:{address}", config.prefix);
        let ttl = |part| server.must_cli(&["TTL", &key(part)]).parse().unwrap();
        ["value", "rev"].map(ttl).to_vec()
    };
    store.put("a", &plain, Expect::Absent).await.unwrap();
    assert!(ttls("a").iter().all(|ttl| (1..=1000).contains(ttl)));
    store.put("a", &pointers, Expect::Any).await.unwrap();
    assert_eq!(ttls("a"), [-1, -1], "the time to live is taken off");
    store.put("a", &plain, Expect::Any).await.unwrap();
    assert!(ttls("a").iter().all(|ttl| (1..=1000).contains(ttl)));
}

/// What has expired is neither read nor listed, nor does it end the list early.
#[tokio::test]
async fn expired_entries_are_not_listed() {
    let server = shared();
    let mut config = single(server);
    config.ttl_s = Some(1000);
    let store = RedisProperties::open(&config, &environment())
        .await
        .unwrap();
    let entry = WalletProperties::new("EVM", "w", "0xab");
    for address in ["a", "b", "c", "d", "e"] {
        store.put(address, &entry, Expect::Absent).await.unwrap();
    }
    for address in ["a", "b", "d"] {
        for part in ["value", "rev"] {
            let key = format!("{{{}:properties}}:{part}:{address}", config.prefix);
            // A time in the past: it expires at once.
            assert_eq!(server.must_cli(&["PEXPIREAT", &key, "1"]), "1");
        }
    }
    assert!(store.get("a").await.unwrap().is_none());
    for limit in 1..=3 {
        let first = store.addresses(None, limit).await.unwrap();
        assert_eq!(first.first().map(String::as_str), Some("c"), "{limit}");
    }
    assert_eq!(store.addresses(None, 9).await.unwrap(), ["c", "e"]);
    let names = format!("{{{}:properties}}:names", config.prefix);
    assert_eq!(server.must_cli(&["ZCARD", &names]), "2");
    store.put("a", &entry, Expect::Absent).await.unwrap();
}
