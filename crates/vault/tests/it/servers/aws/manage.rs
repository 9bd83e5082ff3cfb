//! Rotation by alias and on demand, and what must not be disabled.

use halfkey_vault::{
    Dek, Error, KekState, ManageKey as _, RewrapKey as _, UnwrapKey as _, WrapKey as _,
};

use super::{access, emulators};
use crate::support::{ctx, environment};

#[tokio::test]
async fn a_moved_alias_wraps_under_the_new_key_and_unwraps_under_both() {
    let endpoint = emulators::moto().endpoint();
    let kms = access::kms(&endpoint).await;
    let (old, new) = (emulators::key(&kms).await, emulators::key(&kms).await);
    let alias = emulators::alias(&kms, &old).await;
    let kek = emulators::open(&endpoint, &alias).await;
    let dek = Dek::generate().unwrap();
    let before = kek.wrap(&ctx(), &dek).await.unwrap();
    assert_eq!(before.kek_version, old);
    assert!(before.kek_uri.starts_with("aws-kms:arn:aws:kms:"));
    assert!(before.kek_uri.ends_with(&format!(":{alias}")));

    emulators::move_alias(&kms, &alias, &new).await;
    let after = kek.rewrap(&ctx(), &before).await.unwrap();
    assert_eq!(
        (after.kek_version.as_str(), &after.kek_uri),
        (&*new, &before.kek_uri)
    );
    // A process that starts after the move knows the old key only from the records.
    let later = emulators::open(&endpoint, &alias).await;
    for wrapped in [&before, &after] {
        assert!(later.unwrap(&ctx(), wrapped).await.unwrap() == dek);
    }
    assert_eq!(later.info().await.unwrap().versions.len(), 2);
    // The version says which key: with the other one's it is another wrap.
    let mixed = halfkey_vault::Wrapped {
        kek_version: new,
        ..before
    };
    assert!(later.unwrap(&ctx(), &mixed).await.is_err());
}

#[tokio::test]
async fn an_alias_moved_to_a_key_of_another_environment_wraps_nothing() {
    let endpoint = emulators::moto().endpoint();
    let kms = access::kms(&endpoint).await;
    let alias = emulators::alias(&kms, &emulators::key(&kms).await).await;
    let kek = emulators::open(&endpoint, &alias).await;
    let dek = Dek::generate().unwrap();
    let wrapped = kek.wrap(&ctx(), &dek).await.unwrap();

    let other = emulators::key_of(&kms, "env-other").await;
    emulators::move_alias(&kms, &alias, &other).await;
    let refused = kek.wrap(&ctx(), &dek).await.unwrap_err();
    assert!(matches!(refused, Error::Environment { .. }), "{refused}");
    let refused = kek.rewrap(&ctx(), &wrapped).await.unwrap_err();
    assert!(matches!(refused, Error::Environment { .. }), "{refused}");
    let unmarked = emulators::unmarked_key(&kms).await;
    emulators::move_alias(&kms, &alias, &unmarked).await;
    let refused = kek.wrap(&ctx(), &dek).await.unwrap_err();
    assert!(matches!(refused, Error::Config(_)), "{refused}");
    // What was wrapped before still unwraps.
    assert!(kek.unwrap(&ctx(), &wrapped).await.unwrap() == dek);
}

/// A record that names a key of another environment as its version.
#[tokio::test]
async fn a_version_of_another_environment_is_refused() {
    let endpoint = emulators::moto().endpoint();
    let kms = access::kms(&endpoint).await;
    let alias = emulators::alias(&kms, &emulators::key(&kms).await).await;
    let kek = emulators::open(&endpoint, &alias).await;
    let sound = kek.wrap(&ctx(), &Dek::generate().unwrap()).await.unwrap();
    let foreign = halfkey_vault::Wrapped {
        kek_version: emulators::key_of(&kms, "env-other").await,
        ..sound.clone()
    };
    let refused = kek.unwrap(&ctx(), &foreign).await.unwrap_err();
    assert!(matches!(refused, Error::Environment { .. }), "{refused}");
    let absent = halfkey_vault::Wrapped {
        kek_version: "00000000-0000-4000-8000-000000000000".to_owned(),
        ..sound
    };
    let refused = kek.unwrap(&ctx(), &absent).await.unwrap_err();
    assert!(matches!(refused, Error::Corrupt { .. }), "{refused}");
}

#[tokio::test]
async fn rotation_on_demand_is_inside_the_key() {
    let endpoint = emulators::moto().endpoint();
    let kms = access::kms(&endpoint).await;
    let key = emulators::key(&kms).await;
    let kek = emulators::open(&endpoint, &emulators::alias(&kms, &key).await).await;
    let dek = Dek::generate().unwrap();
    let before = kek.wrap(&ctx(), &dek).await.unwrap();

    assert_eq!(kek.rotate().await.unwrap(), key);
    let shown = kms.list_key_rotations().key_id(&key).send().await.unwrap();
    assert_eq!(shown.rotations().len(), 1);
    let after = kek.wrap(&ctx(), &dek).await.unwrap();
    assert_eq!(after.kek_version, before.kek_version);
    assert!(kek.unwrap(&ctx(), &before).await.unwrap() == dek);
    let info = kek.info().await.unwrap();
    assert_eq!(info.versions.len(), 1);
    assert_eq!(info.versions[0].state, KekState::Enabled);
    assert!(info.versions[0].created_at.is_some() && info.hardware_or_remote);
    assert_eq!(info.environment, environment());
}

#[tokio::test]
async fn disable_rejects_what_is_in_use_or_not_ours() {
    let endpoint = emulators::moto().endpoint();
    let kms = access::kms(&endpoint).await;
    let key = emulators::key(&kms).await;
    let alias = emulators::alias(&kms, &key).await;
    let kek = emulators::open(&endpoint, &alias).await;
    for version in [key.as_str(), "", "1", &alias] {
        for refused in [kek.disable(version).await, kek.enable(version).await] {
            let refused = refused.unwrap_err();
            assert!(matches!(refused, Error::Caller(_)), "{version}: {refused}");
        }
    }
    let other = emulators::key_of(&kms, "env-other").await;
    let refused = kek.disable(&other).await.unwrap_err();
    assert!(matches!(refused, Error::Environment { .. }), "{refused}");
    let unmarked = emulators::unmarked_key(&kms).await;
    let refused = kek.disable(&unmarked).await.unwrap_err();
    assert!(matches!(refused, Error::Config(_)), "{refused}");

    let by_id = emulators::open(&endpoint, &key).await;
    for refused in [by_id.disable(&key).await, by_id.enable(&key).await] {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, Error::Forbidden(_)), "{refused}");
    }
    assert!(!by_id.needs_unwrap_right());
    for untouched in [key, other, unmarked] {
        let told = kms.describe_key().key_id(untouched).send().await.unwrap();
        assert!(told.key_metadata.unwrap().enabled);
    }
}
