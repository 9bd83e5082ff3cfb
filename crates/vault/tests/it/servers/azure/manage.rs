//! The operator's side.

use halfkey_vault::{
    Dek, Error, KekState, ManageKey as _, RewrapKey as _, UnwrapKey as _, WrapKey as _,
};
use serde_json::json;

use super::{fake, fresh_key, open_kek, unique};
use crate::support::{ctx, environment};

#[tokio::test]
async fn info_tells_versions_oldest_first() {
    let name = fresh_key();
    let kek = open_kek(&name).await;
    let first = kek.info().await.unwrap();
    assert_eq!(first.uri, format!("azure-kv:{}/keys/{name}", fake().url()));
    assert_eq!(first.uri, kek.kek_uri());
    assert_eq!(first.environment, environment());
    assert!(first.hardware_or_remote);
    assert_eq!(first.versions.len(), 1);
    let made = kek.rotate().await.unwrap();
    let info = kek.info().await.unwrap();
    assert_eq!(info.versions[0], first.versions[0]);
    assert_eq!(info.newest().unwrap().version, made);
    assert!(info.newest().unwrap().created_at.is_some());
}

/// More versions than a page has, of which several are of one second.
#[tokio::test]
async fn info_walks_through_all_pages() {
    let name = unique("oct");
    let mut made: Vec<String> = Vec::new();
    for _ in 0..23 {
        made.push(fake().create_key(&name, "env-test", json!({ "kty": "oct-HSM" })));
    }
    let versions = open_kek(&name).await.info().await.unwrap().versions;
    assert_eq!(versions.len(), made.len());
    assert_eq!(Some(&versions.last().unwrap().version), made.last());
    let mut found: Vec<_> = versions
        .into_iter()
        .map(|version| version.version)
        .collect();
    found.sort();
    made.sort();
    assert_eq!(found, made);
}

#[tokio::test]
async fn after_a_rotation_old_wraps_unwrap_and_new_ones_are_new() {
    let name = fresh_key();
    let kek = open_kek(&name).await;
    let dek = Dek::generate().unwrap();
    let old = kek.wrap(&ctx(), &dek).await.unwrap();
    let made = kek.rotate().await.unwrap();
    assert_ne!(made, old.kek_version);
    assert!(kek.unwrap(&ctx(), &old).await.unwrap() == dek);
    let new = kek.wrap(&ctx(), &dek).await.unwrap();
    assert_eq!(new.kek_version, made);
    let moved = kek.rewrap(&ctx(), &old).await.unwrap();
    assert_eq!(moved.kek_version, made);
    // Another process, which knows of neither version.
    let other = open_kek(&name).await;
    for wrapped in [&old, &new, &moved] {
        assert!(other.unwrap(&ctx(), wrapped).await.unwrap() == dek);
    }
}

/// Whether the service copies tags is not written anywhere.
#[tokio::test]
async fn a_new_version_has_the_mark_even_if_the_vault_drops_it() {
    let name = fresh_key();
    fake().control("drop_tags_on_rotation", json!({ "name": name }));
    let kek = open_kek(&name).await;
    kek.rotate().await.unwrap();
    open_kek(&name).await;
    assert_eq!(kek.info().await.unwrap().environment, environment());
}

#[tokio::test]
async fn a_disabled_version_does_not_unwrap_until_enabled() {
    let name = fresh_key();
    let kek = open_kek(&name).await;
    let dek = Dek::generate().unwrap();
    let old = kek.wrap(&ctx(), &dek).await.unwrap();
    kek.rotate().await.unwrap();
    kek.disable(&old.kek_version).await.unwrap();
    assert_eq!(
        kek.info().await.unwrap().versions[0].state,
        KekState::Disabled
    );
    // Whether or not the version was met before.
    for kek in [&kek, &open_kek(&name).await] {
        for refused in [
            kek.unwrap(&ctx(), &old).await.err(),
            kek.rewrap(&ctx(), &old).await.err(),
        ] {
            assert!(
                matches!(refused, Some(Error::KeyDisabled(_))),
                "{refused:?}"
            );
        }
        kek.wrap(&ctx(), &dek).await.unwrap();
    }
    kek.enable(&old.kek_version).await.unwrap();
    assert!(kek.unwrap(&ctx(), &old).await.unwrap() == dek);
    assert_eq!(
        kek.info().await.unwrap().versions[0].state,
        KekState::Enabled
    );
}

/// By somebody else, while the KEK is in use.
#[tokio::test]
async fn a_newest_version_that_is_disabled_does_not_wrap() {
    let name = fresh_key();
    let kek = open_kek(&name).await;
    let version = kek.info().await.unwrap().newest().unwrap().version.clone();
    fake().control(
        "set_key",
        json!({ "name": name, "version": version, "enabled": false }),
    );
    let result = kek.wrap(&ctx(), &Dek::generate().unwrap()).await;
    assert!(matches!(result, Err(Error::KeyDisabled(_))), "{result:?}");
    assert_eq!(
        kek.info().await.unwrap().newest().unwrap().state,
        KekState::Disabled
    );
    kek.enable(&version).await.unwrap();
    kek.wrap(&ctx(), &Dek::generate().unwrap()).await.unwrap();
}

#[tokio::test]
async fn the_newest_version_and_versions_that_never_were_are_not_disabled() {
    let name = fresh_key();
    let kek = open_kek(&name).await;
    let newest = kek.rotate().await.unwrap();
    for version in [
        &*newest,
        "",
        "1",
        "../x",
        "0123456789abcdef0123456789abcdef",
    ] {
        let result = kek.disable(version).await;
        assert!(
            matches!(result, Err(Error::Caller(_))),
            "{version}: {result:?}"
        );
    }
    for version in ["", "1", "../x", "0123456789abcdef0123456789abcdef"] {
        let result = kek.enable(version).await;
        assert!(
            matches!(result, Err(Error::Caller(_))),
            "{version}: {result:?}"
        );
    }
    let states: Vec<_> = kek.info().await.unwrap().versions;
    assert!(
        states
            .iter()
            .all(|version| version.state == KekState::Enabled)
    );
}
