//! A mount that would keep or lose what it should not is refused.

use halfkey_vault::Error;
use halfkey_vault::store::kv::{KvConfig, KvRecords};
use serde_json::{Value, json};

use super::super::{Access, fresh};
use crate::support::environment;

async fn open_on(access: &Access, mount: &str) -> Result<KvRecords, Error> {
    let config = KvConfig {
        mount: mount.to_owned(),
        ..access.kv("folder")
    };
    KvRecords::open(&config, &environment()).await
}

#[tokio::test]
async fn a_mount_that_keeps_old_versions_is_refused() {
    let access = Access::dev().await;
    let mount = fresh("kv");
    access.admin.make_kv(&mount).await;
    open_on(&access, &mount).await.unwrap();
    let path = format!("{mount}/config");
    for config in [
        json!({ "max_versions": 0 }),
        json!({ "max_versions": 2 }),
        json!({ "max_versions": 1, "delete_version_after": "1h" }),
    ] {
        access.admin.must("POST", &path, config.clone()).await;
        let refused = open_on(&access, &mount).await;
        assert!(
            matches!(refused, Err(Error::Config(_))),
            "{config}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_mount_of_another_kind_is_refused() {
    let access = Access::dev().await;
    let mount = fresh("kv");
    let absent = open_on(&access, &mount).await;
    assert!(
        matches!(
            absent,
            Err(Error::Backend {
                temporary: false,
                ..
            })
        ),
        "{absent:?}"
    );
    let path = format!("sys/mounts/{mount}");
    let engine = json!({ "type": "kv", "options": { "version": "1" } });
    access.admin.must("POST", &path, engine).await;
    let version_1 = open_on(&access, &mount).await;
    assert!(matches!(version_1, Err(Error::Config(_))), "{version_1:?}");
    access.admin.must("DELETE", &path, Value::Null).await;
}

#[tokio::test]
async fn paths_that_could_mean_other_paths_are_refused() {
    let access = Access::dev().await;
    for (mount, prefix) in [("..", "a"), ("kv/../sys", "a"), ("kv", "a//b"), ("kv", "")] {
        let config = KvConfig {
            mount: mount.to_owned(),
            ..access.kv(prefix)
        };
        let refused = KvRecords::open(&config, &environment()).await;
        assert!(
            matches!(refused, Err(Error::Config(_))),
            "{mount} {prefix}: {refused:?}"
        );
    }
}
