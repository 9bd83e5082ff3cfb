//! A cache that is down when the tiers are opened.

use std::path::Path;
use std::sync::Arc;

use halfkey_core::{EnvironmentId, WalletProperties};
use halfkey_testkit::servers::free_port;
use halfkey_testkit::servers::redis::Redis;
use halfkey_testkit::{FakeClock, tools};
use halfkey_vault::net::SecretSource;
use halfkey_vault::store::redis::Topology;
use halfkey_vault::{Error, Expect, Storage, StorageConfig};

use super::single;
use crate::support::{access, ctx, environment, name, secret};

/// `[cache]` at this server.
fn cache(server: &Redis) -> String {
    let config = single(server);
    let (Topology::Single(address), Some(SecretSource::File(password))) =
        (config.topology, config.password)
    else {
        panic!("another configuration")
    };
    format!(
        "[cache]\nkind = \"redis\"\ntopology = {{ single = \"{address}\" }}\nprefix = \"{}\"\n\
         password = {{ file = \"{}\" }}",
        config.prefix,
        password.display()
    )
}

async fn open(
    dir: &Path,
    environment: &EnvironmentId,
    config: &str,
    clock: &Arc<FakeClock>,
) -> Result<Storage, Error> {
    let config = StorageConfig::parse(config).unwrap();
    let clock = Arc::<FakeClock>::clone(clock);
    Storage::create_or_open(dir, environment, &config, None, clock, "node").await
}

/// The vault tier works without it, and once the server is back it is used again.
#[tokio::test]
async fn the_tiers_open_without_their_cache_and_use_it_once_it_is_back() {
    tools::real_part("redis");
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("data");
    let mut server = Redis::start();
    let config = cache(&server);
    server.kill();
    let clock = Arc::new(FakeClock::default());
    let storage = open(&dir, &environment(), &config, &clock).await.unwrap();
    let at = name("a");
    let stored = storage
        .vault
        .store(&at, &ctx(), &secret("x"), Expect::Absent, &access())
        .await;
    stored.unwrap();
    let opened = storage.vault.load(&at, &ctx(), &access()).await.unwrap();
    assert!(opened.value == secret("x"));
    let error = storage.properties.get("0xab").await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    clock.advance_millis(60_000);
    let error = storage.properties.get("0xab").await.unwrap_err();
    assert!(error.is_transient(), "still down: {error}");

    server.kill_and_restart();
    let error = storage.properties.get("0xab").await.unwrap_err();
    assert!(error.is_transient(), "not tried at every call: {error}");
    clock.advance_millis(60_000);
    let properties = WalletProperties::new("EVM", "w", "0xab");
    let put = storage.properties.put("0xab", &properties, Expect::Absent);
    put.await.unwrap();
    let found = storage.properties.get("0xab").await.unwrap().unwrap();
    assert_eq!(found.value, properties);
    storage.close().await;

    // It lies in the server, for whoever opens it next.
    let again = open(&dir, &environment(), &config, &clock).await.unwrap();
    let found = again.properties.get("0xab").await.unwrap().unwrap();
    assert_eq!(found.value, properties);
    again.close().await;
}

/// What is wrong with the configuration is said at once.
#[tokio::test]
async fn another_environments_cache_is_refused_at_open() {
    tools::real_part("redis");
    let server = super::shared();
    let (config, clock) = (cache(server), Arc::new(FakeClock::default()));
    let outer = tempfile::tempdir().unwrap();
    let storage = open(&outer.path().join("a"), &environment(), &config, &clock).await;
    storage.unwrap().close().await;
    let other = "env-other".parse().unwrap();
    let refused = open(&outer.path().join("b"), &other, &config, &clock).await;
    assert!(matches!(refused, Err(Error::Environment { .. })));
}

/// Nothing listens there.
#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_cache_in_a_postgresql_that_is_down_does_not_stop_the_tiers() {
    let outer = tempfile::tempdir().unwrap();
    let config = format!(
        "[cache]\nkind = \"postgres\"\nport = {}\ndatabase = \"d\"\nuser = \"u\"",
        free_port()
    );
    let clock = Arc::new(FakeClock::default());
    let storage = open(&outer.path().join("a"), &environment(), &config, &clock).await;
    let storage = storage.unwrap();
    assert!(storage.properties.get("0xab").await.is_err());
    storage.close().await;
}
