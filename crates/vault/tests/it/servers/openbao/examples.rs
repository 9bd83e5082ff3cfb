//! `examples/vault_kv.rs` and `examples/redis_vault_transit.rs` do what they say, against the real
//! OpenBao and Redis.

#[cfg(feature = "redis")]
#[expect(dead_code, reason = "its main")]
#[path = "../../../../examples/redis_vault_transit.rs"]
mod redis_vault_transit;
#[expect(dead_code, reason = "its main")]
#[path = "../../../../examples/vault_kv.rs"]
mod vault_kv;

use super::{Access, KV, fresh};
use crate::support::{environment, replaced};

/// A mount with this environment's key.
async fn transit(access: &Access) -> String {
    let mount = fresh("transit");
    access
        .admin
        .make_transit(&mount, environment().as_str())
        .await;
    mount
}

/// As the address stands in the examples, and as it is here.
fn address(access: &Access) -> String {
    let address = &access.server.address;
    format!("\"{address}\"\ndeadline_ms = 30000\nallow_in_memory_server = true")
}

#[tokio::test]
async fn vault_kv_alone() {
    let access = Access::dev().await;
    let (mount, dir) = (transit(&access).await, tempfile::tempdir().unwrap());
    let token = access.dir.path().join("token").display().to_string();
    let storage = replaced(
        vault_kv::STORAGE,
        &[
            ("mount = \"transit\"", &format!("mount = \"{mount}\"")),
            ("mount = \"kv\"", &format!("mount = \"{KV}\"")),
            ("\"wallets\"", &format!("\"{}\"", fresh("folder"))),
            ("\"https://vault.internal:8200\"", &address(&access)),
            ("/run/secrets/vault-transit", &token),
            ("/run/secrets/vault-kv", &token),
        ],
    );
    let data = dir.path().join("data");
    let report = vault_kv::run(&data, &environment(), &storage)
        .await
        .unwrap();
    for said in [
        "kms: transit",
        "records: kv",
        "from revision 1 to 2",
        "was changed by another writer",
        "opened as it was: true",
    ] {
        assert!(report.contains(said), "{said}: {report}");
    }
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn redis_and_vault_transit() {
    use halfkey_testkit::servers::redis::{PASSWORD, Redis};

    halfkey_testkit::tools::real_part("redis");
    let (access, redis) = (Access::dev().await, Redis::start());
    let (mount, dir) = (transit(&access).await, tempfile::tempdir().unwrap());
    let file = |name: &str, text: &str| match access.secret(name, text) {
        halfkey_vault::net::SecretSource::File(path) => path.display().to_string(),
        other => panic!("{other:?}"),
    };
    let storage = replaced(
        redis_vault_transit::STORAGE,
        &[
            ("mount = \"transit\"", &format!("mount = \"{mount}\"")),
            ("\"https://vault.internal:8200\"", &address(&access)),
            (
                "/run/secrets/vault",
                &access.dir.path().join("token").display().to_string(),
            ),
            ("127.0.0.1:6379", &redis.address()),
            ("/run/secrets/redis", &file("redis", PASSWORD)),
        ],
    );
    let data = dir.path().join("data");
    let report = redis_vault_transit::run(&data, &environment(), &storage)
        .await
        .unwrap();
    for said in [
        "kms: transit",
        "records: redis",
        "the writer opens it: false",
        "the opener opens it as it was: true",
    ] {
        assert!(report.contains(said), "{said}: {report}");
    }
}
