//! The KEK: what it must be, its versions, and what its errors mean.

use halfkey_vault::kms::transit::{TransitConfig, TransitKek};
use halfkey_vault::{
    Dek, Error, KekState, ManageKey as _, RewrapKey as _, UnwrapKey as _, WrapKey as _,
};
use serde_json::{Value, json};

use super::{Access, fresh};
use crate::support::{ctx, environment, neighbours};

async fn open(access: &Access, mount: &str) -> Result<TransitKek, Error> {
    TransitKek::open(&access.transit(mount), &environment()).await
}

/// Opens a key made and then configured like that.
async fn open_key(made: Value, configured: Value) -> Result<TransitKek, Error> {
    let access = Access::dev().await;
    let mount = fresh("transit");
    let engine = json!({ "type": "transit" });
    let admin = &access.admin;
    admin
        .must("POST", &format!("sys/mounts/{mount}"), engine)
        .await;
    let path = format!("{mount}/keys/halfkey-env-test");
    admin.must("POST", &path, made).await;
    if !configured.is_null() {
        let path = format!("{path}/config");
        admin.must("POST", &path, configured).await;
    }
    open(&access, &mount).await
}

#[tokio::test]
async fn open_rejects_a_key_that_could_leave_the_server_or_does_not_bind() {
    let sound = json!({ "type": "aes256-gcm96", "derived": true });
    open_key(sound.clone(), Value::Null).await.unwrap();
    for (what, made, configured) in [
        ("derived", json!({ "type": "aes256-gcm96" }), Value::Null),
        (
            "type",
            json!({ "type": "chacha20-poly1305", "derived": true }),
            Value::Null,
        ),
        (
            "convergent",
            json!({ "type": "aes256-gcm96", "derived": true, "convergent_encryption": true }),
            Value::Null,
        ),
        (
            "exportable",
            json!({ "type": "aes256-gcm96", "derived": true, "exportable": true }),
            Value::Null,
        ),
        (
            "deleted",
            sound.clone(),
            json!({ "deletion_allowed": true }),
        ),
        (
            "plaintext",
            sound.clone(),
            json!({ "allow_plaintext_backup": true }),
        ),
    ] {
        match open_key(made, configured).await {
            Err(Error::Config(why)) => assert!(why.contains(what), "{what}: {why}"),
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn open_rejects_what_is_not_there() {
    let access = Access::dev().await;
    let mount = fresh("transit");
    let nothing = open(&access, &mount).await;
    assert!(
        matches!(
            nothing,
            Err(Error::Backend {
                temporary: false,
                ..
            })
        ),
        "{nothing:?}"
    );
    access.admin.make_transit(&mount, "env-other").await;
    // The mount is there, with the key of another environment.
    let other = open(&access, &mount).await;
    assert!(matches!(other, Err(Error::Config(_))), "{other:?}");
}

#[tokio::test]
async fn open_rejects_the_key_of_another_environment() {
    let access = Access::dev().await;
    let mount = fresh("transit");
    access.admin.make_transit(&mount, "env-test").await;
    access.admin.make_transit_key(&mount, "env-other").await;
    let named = |key: &str| TransitConfig {
        key: Some(key.to_owned()),
        ..access.transit(&mount)
    };
    let environment = environment();
    for (key, belongs_to) in [("halfkey-env-other", "env-other"), ("mine", "none")] {
        match TransitKek::open(&named(key), &environment).await {
            Err(Error::Environment {
                found, expected, ..
            }) => {
                assert_eq!(
                    (found.as_str(), expected.as_str()),
                    (belongs_to, "env-test")
                );
            }
            other => panic!("{key}: {other:?}"),
        }
    }
    TransitKek::open(&named("halfkey-env-test"), &environment)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_soft_deleted_key_is_disabled() {
    let (kek, access) = Access::dev().await.fresh_kek().await;
    let dek = Dek::generate().unwrap();
    let wrapped = kek.wrap(&ctx(), &dek).await.unwrap();
    let mount = kek.uri().split(['/', ':']).nth(1).unwrap().to_owned();
    let key = format!("{mount}/keys/halfkey-env-test");
    let path = format!("{key}/soft-delete");
    access.admin.must("DELETE", &path, Value::Null).await;
    for refused in [
        kek.wrap(&ctx(), &dek).await.map(drop),
        kek.unwrap(&ctx(), &wrapped).await.map(drop),
        kek.rewrap(&ctx(), &wrapped).await.map(drop),
        kek.info().await.map(drop),
        open(&access, &mount).await.map(drop),
    ] {
        assert!(matches!(refused, Err(Error::KeyDisabled(_))), "{refused:?}");
    }
    let path = format!("{key}/soft-delete-restore");
    access.admin.must("POST", &path, json!({})).await;
    assert!(kek.unwrap(&ctx(), &wrapped).await.unwrap() == dek);
}

#[tokio::test]
async fn a_wrap_is_raw_bytes_under_a_uri_without_a_server() {
    let (kek, _access) = Access::dev().await.fresh_kek().await;
    let wrapped = kek.wrap(&ctx(), &Dek::generate().unwrap()).await.unwrap();
    assert_eq!(wrapped.bytes.len(), 60);
    assert_eq!(wrapped.kek_version, "1");
    assert_eq!(wrapped.kek_uri, kek.uri());
    assert_eq!(kek.uri(), kek.kek_uri());
    let (engine, rest) = kek.uri().split_once(':').unwrap();
    assert_eq!(engine, "transit");
    assert!(rest.starts_with("transit-") && rest.ends_with("/halfkey-env-test"));
}

#[tokio::test]
async fn another_environment_is_refused_before_anything_is_sent() {
    let (kek, access) = Access::dev().await.fresh_kek().await;
    let dek = Dek::generate().unwrap();
    let wrapped = kek.wrap(&ctx(), &dek).await.unwrap();
    let other = &neighbours(&ctx())[0];
    // With the key gone, an answer could only be the server's refusal.
    let mount = kek.uri().split(['/', ':']).nth(1).unwrap();
    let path = format!("sys/mounts/{mount}");
    access.admin.must("DELETE", &path, Value::Null).await;
    for refused in [
        kek.wrap(other, &dek).await.map(drop),
        kek.unwrap(other, &wrapped).await.map(drop),
        kek.rewrap(other, &wrapped).await.map(drop),
    ] {
        assert!(
            matches!(refused, Err(Error::Environment { .. })),
            "{refused:?}"
        );
    }
    // And what is ours is a failure of the back-end, not damage.
    let gone = kek.unwrap(&ctx(), &wrapped).await;
    assert!(matches!(gone, Err(Error::Backend { .. })), "{gone:?}");
}

#[tokio::test]
async fn versions_are_rotated_disabled_and_enabled_again() {
    let (kek, _access) = Access::dev().await.fresh_kek().await;
    assert!(!kek.needs_unwrap_right());
    let dek = Dek::generate().unwrap();
    let first = kek.wrap(&ctx(), &dek).await.unwrap();
    let info = kek.info().await.unwrap();
    assert_eq!(info.uri, kek.uri());
    assert_eq!(info.environment, environment());
    assert!(info.hardware_or_remote);
    assert_eq!(info.versions.len(), 1);
    assert!(info.versions[0].created_at.unwrap().0 > 1_600_000_000_000);

    assert_eq!(kek.rotate().await.unwrap(), "2");
    assert_eq!(kek.rotate().await.unwrap(), "3");
    let moved = kek.rewrap(&ctx(), &first).await.unwrap();
    assert_eq!(moved.kek_version, "3");
    assert!(kek.unwrap(&ctx(), &moved).await.unwrap() == dek);

    kek.disable("1").await.unwrap();
    kek.disable("1").await.unwrap();
    for refused in [
        kek.unwrap(&ctx(), &first).await.map(drop),
        kek.rewrap(&ctx(), &first).await.map(drop),
    ] {
        assert!(matches!(refused, Err(Error::KeyDisabled(_))), "{refused:?}");
    }
    assert!(kek.unwrap(&ctx(), &moved).await.unwrap() == dek);
    let states: Vec<_> = kek.info().await.unwrap().versions;
    let states: Vec<_> = states
        .iter()
        .map(|version| (version.version.as_str(), version.state))
        .collect();
    assert_eq!(
        states,
        [
            ("1", KekState::Disabled),
            ("2", KekState::Enabled),
            ("3", KekState::Enabled)
        ]
    );

    kek.enable("1").await.unwrap();
    kek.enable("1").await.unwrap();
    assert!(kek.unwrap(&ctx(), &first).await.unwrap() == dek);
}

#[tokio::test]
async fn versions_are_disabled_from_the_oldest_on_only() {
    let (kek, _access) = Access::dev().await.fresh_kek().await;
    for _ in 0..3 {
        kek.rotate().await.unwrap();
    }
    for version in ["2", "3", "4", "5", "0", "01", "x", ""] {
        let refused = kek.disable(version).await;
        assert!(
            matches!(refused, Err(Error::Caller(_))),
            "disable {version:?}: {refused:?}"
        );
    }
    for version in ["1", "2", "3"] {
        kek.disable(version).await.unwrap();
    }
    for version in ["1", "2", "5", "0"] {
        let refused = kek.enable(version).await;
        assert!(
            matches!(refused, Err(Error::Caller(_))),
            "enable {version:?}: {refused:?}"
        );
    }
    for version in ["4", "3", "2", "1"] {
        kek.enable(version).await.unwrap();
    }
    let versions = kek.info().await.unwrap().versions;
    assert!(
        versions
            .iter()
            .all(|version| version.state == KekState::Enabled)
    );
}

#[tokio::test]
async fn a_key_that_became_exportable_is_noticed() {
    let (kek, access) = Access::dev().await.fresh_kek().await;
    let mount = kek.uri().split(['/', ':']).nth(1).unwrap();
    let path = format!("{mount}/keys/halfkey-env-test/config");
    let exportable = json!({ "exportable": true });
    access.admin.must("POST", &path, exportable).await;
    for refused in [
        kek.info().await.map(drop),
        kek.rotate().await.map(drop),
        open(&access, mount).await.map(drop),
    ] {
        assert!(matches!(refused, Err(Error::Config(_))), "{refused:?}");
    }
}
