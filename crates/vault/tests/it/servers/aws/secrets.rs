//! The suite of secret managers, and secrets as they look from outside.

use halfkey_vault::Error;
use halfkey_vault::net::aws::ENVIRONMENT_TAG;
use halfkey_vault::store::aws_secrets::AwsSecrets;
use halfkey_vault::store::secret::{SecretId, SecretStore as _};

use super::access::{self, open_secrets, unique};
use super::emulators;
use crate::support::name;

async fn pair(endpoint: &str) -> ([AwsSecrets; 2], ()) {
    let prefix = format!("{}/", unique("halfkey"));
    let beside = format!("{prefix}env-test/");
    let store = open_secrets(endpoint, &prefix).await;
    ([store, open_secrets(endpoint, &beside).await], ())
}

mod moto {
    use super::{AwsSecrets, emulators, pair};

    async fn make() -> ([AwsSecrets; 2], ()) {
        pair(&emulators::moto().endpoint()).await
    }
    halfkey_vault::secret_store_conformance!(make);
}

mod ministack {
    use super::{AwsSecrets, emulators, pair};

    async fn make() -> ([AwsSecrets; 2], ()) {
        pair(&emulators::ministack().endpoint()).await
    }
    halfkey_vault::secret_store_conformance!(make);
}

#[tokio::test]
async fn a_secret_carries_its_environment_and_label() {
    let endpoint = emulators::moto().endpoint();
    let prefix = format!("{}/", unique("halfkey"));
    let store = open_secrets(&endpoint, &prefix).await;
    assert_eq!(
        store.uri(),
        format!("aws-secrets:eu-central-1/{prefix}env-test/")
    );
    let (id, label) = (SecretId::generate().unwrap(), name("wallet:0xab/shares/2"));
    store.create(id, &label, b"sealed").await.unwrap();
    let outside = access::secrets(&endpoint).await;
    let at = format!("{prefix}env-test/{id}");
    let told = outside
        .describe_secret()
        .secret_id(at)
        .send()
        .await
        .unwrap();
    assert_eq!(told.description(), Some(label.as_str()));
    let tags = told.tags();
    assert_eq!(tags[0].key(), Some(ENVIRONMENT_TAG));
    assert_eq!(tags[0].value(), Some("env-test"));
}

/// Somebody used the console.
#[tokio::test]
async fn secrets_that_others_changed_are_told_apart() {
    let endpoint = emulators::moto().endpoint();
    let prefix = format!("{}/", unique("halfkey"));
    let store = open_secrets(&endpoint, &prefix).await;
    let outside = access::secrets(&endpoint).await;
    let (text, deleted) = (SecretId::generate().unwrap(), SecretId::generate().unwrap());
    outside
        .create_secret()
        .name(format!("{prefix}env-test/{text}"))
        .secret_string("text")
        .send()
        .await
        .unwrap();
    let error = store.read(text).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");

    store.create(deleted, &name("x"), b"sealed").await.unwrap();
    outside
        .delete_secret()
        .secret_id(format!("{prefix}env-test/{deleted}"))
        .recovery_window_in_days(7)
        .send()
        .await
        .unwrap();
    assert!(store.read(deleted).await.unwrap().is_none());
    store.remove(deleted).await.unwrap();
    let garbage = outside.create_secret().name(format!("{prefix}env-test/x"));
    garbage.secret_string("text").send().await.unwrap();
    assert_eq!(store.list(None).await.unwrap().ids, [text]);
}
