//! Redis: the real server, alone, over TLS, as Cluster and under Sentinel.

mod cluster;
mod down;
mod faults;
mod plaintext;
mod refusals;
mod roles;
mod sentinel;
mod single;
mod tls;

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use halfkey_testkit::servers::redis::{PASSWORD, Redis, RedisSentinel};
use halfkey_testkit::tools;
use halfkey_vault::net::SecretSource;
use halfkey_vault::store::redis::{RedisConfig, RedisRecords, SentinelConfig, Topology};

use crate::support::environment;

/// The server that most cases share: synced, without replicas, without TLS.
fn shared() -> &'static Redis {
    static SERVER: OnceLock<Redis> = OnceLock::new();
    tools::real_part("redis");
    SERVER.get_or_init(Redis::start)
}

/// A password as deployments keep it: in a private file.
fn secret_file(text: &'static str) -> SecretSource {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| tempfile::tempdir().unwrap());
    let path: PathBuf = folder.path().join(format!("{}-{text}", fresh_number()));
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    SecretSource::File(path)
}

fn fresh_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A configuration with a prefix that no other case has.
fn config(topology: Topology) -> RedisConfig {
    let mut config = RedisConfig::new(topology);
    config.password = Some(secret_file(PASSWORD));
    config.prefix = format!("case-{}", fresh_number());
    // Generous: the machine may be busy, and no case waits for it.
    config.deadline_ms = 30_000;
    config
}

fn single(server: &Redis) -> RedisConfig {
    config(Topology::Single(server.address()))
}

fn sentinel_topology(deployment: &RedisSentinel) -> Topology {
    Topology::Sentinel(SentinelConfig {
        service: deployment.service().to_owned(),
        addresses: deployment.addresses(),
        username: None,
        password: Some(secret_file(RedisSentinel::PASSWORD)),
    })
}

async fn must_open(config: &RedisConfig) -> RedisRecords {
    RedisRecords::open(config, &environment()).await.unwrap()
}
