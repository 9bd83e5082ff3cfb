//! Keys that are disabled or wait for their deletion, in ministack: moto uses them all the same.

use halfkey_vault::kms::aws::AwsKek;
use halfkey_vault::{Dek, Error, KekState, ManageKey as _, UnwrapKey as _, WrapKey as _};

use super::{access, emulators, known_wrong};
use crate::support::{ctx, environment};

async fn must_be_stopped(kek: &AwsKek, wrapped: &halfkey_vault::Wrapped) {
    let refused = kek.unwrap(&ctx(), wrapped).await.unwrap_err();
    assert!(matches!(refused, Error::KeyDisabled(_)), "{refused}");
    let refused = kek.wrap(&ctx(), &Dek::generate().unwrap()).await;
    let refused = refused.unwrap_err();
    assert!(matches!(refused, Error::KeyDisabled(_)), "{refused}");
}

#[tokio::test]
async fn a_disabled_key_neither_wraps_nor_unwraps_until_it_is_enabled() {
    known_wrong("moto", "disabled keys");
    let endpoint = emulators::ministack().endpoint();
    let kms = access::kms(&endpoint).await;
    let key = emulators::key(&kms).await;
    let alias = emulators::alias(&kms, &key).await;
    let kek = emulators::open(&endpoint, &alias).await;
    let dek = Dek::generate().unwrap();
    let wrapped = kek.wrap(&ctx(), &dek).await.unwrap();

    kms.disable_key().key_id(&key).send().await.unwrap();
    must_be_stopped(&kek, &wrapped).await;
    let versions = kek.info().await.unwrap().versions;
    assert_eq!(versions.last().unwrap().state, KekState::Disabled);
    let config = access::kek_config(&endpoint, &alias);
    let refused = AwsKek::open(&config, &environment()).await.unwrap_err();
    assert!(matches!(refused, Error::KeyDisabled(_)), "{refused}");

    kms.enable_key().key_id(&key).send().await.unwrap();
    assert!(kek.unwrap(&ctx(), &wrapped).await.unwrap() == dek);
    kek.wrap(&ctx(), &dek).await.unwrap();
}

#[tokio::test]
async fn a_key_that_waits_for_deletion_neither_wraps_nor_unwraps() {
    let endpoint = emulators::ministack().endpoint();
    let kms = access::kms(&endpoint).await;
    let key = emulators::key(&kms).await;
    let kek = emulators::open(&endpoint, &key).await;
    let dek = Dek::generate().unwrap();
    let wrapped = kek.wrap(&ctx(), &dek).await.unwrap();

    kms.schedule_key_deletion()
        .key_id(&key)
        .pending_window_in_days(7)
        .send()
        .await
        .unwrap();
    must_be_stopped(&kek, &wrapped).await;
    let versions = kek.info().await.unwrap().versions;
    assert_eq!(versions.last().unwrap().state, KekState::PendingDeletion);

    kms.cancel_key_deletion().key_id(&key).send().await.unwrap();
    kms.enable_key().key_id(&key).send().await.unwrap();
    assert!(kek.unwrap(&ctx(), &wrapped).await.unwrap() == dek);
}

/// An alias was moved; the old key is taken out of use, and brought back.
#[tokio::test]
async fn an_old_key_can_be_disabled_and_enabled() {
    let endpoint = emulators::ministack().endpoint();
    let kms = access::kms(&endpoint).await;
    let (old, new) = (emulators::key(&kms).await, emulators::key(&kms).await);
    let alias = emulators::alias(&kms, &old).await;
    let kek = emulators::open(&endpoint, &alias).await;
    let dek = Dek::generate().unwrap();
    let wrapped = kek.wrap(&ctx(), &dek).await.unwrap();
    let refused = kek.disable(&old).await.unwrap_err();
    assert!(matches!(refused, Error::Caller(_)), "{refused}");

    emulators::move_alias(&kms, &alias, &new).await;
    kek.disable(&old).await.unwrap();
    let refused = kek.unwrap(&ctx(), &wrapped).await.unwrap_err();
    assert!(matches!(refused, Error::KeyDisabled(_)), "{refused}");
    let versions = kek.info().await.unwrap().versions;
    let told: Vec<_> = versions
        .iter()
        .map(|version| (version.version.as_str(), version.state))
        .collect();
    assert_eq!(
        told,
        [(&*old, KekState::Disabled), (&*new, KekState::Enabled)]
    );
    let again = kek.wrap(&ctx(), &dek).await.unwrap();
    assert_eq!(again.kek_version, new);

    kek.enable(&old).await.unwrap();
    assert!(kek.unwrap(&ctx(), &wrapped).await.unwrap() == dek);
}
