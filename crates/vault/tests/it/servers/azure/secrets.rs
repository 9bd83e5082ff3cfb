//! Secrets.

use halfkey_vault::Error;
use halfkey_vault::store::azure_secrets::AzureSecrets;
use halfkey_vault::store::secret::{SecretId, SecretStore as _};
use serde_json::json;

use super::{fake, open_secrets, secrets_config, unique};
use crate::support::name;

mod suite {
    use halfkey_vault::store::azure_secrets::AzureSecrets;

    use super::super::{open_secrets, secrets_config, unique};

    /// The other one's names begin with everything that the first one's do.
    async fn make() -> ([AzureSecrets; 2], ()) {
        let prefix = unique("suite");
        let store = open_secrets(&prefix).await;
        let longer = "env-test-x".parse().unwrap();
        let other = AzureSecrets::open(&secrets_config(&prefix), &longer)
            .await
            .unwrap();
        ([store, other], ())
    }
    halfkey_vault::secret_store_conformance!(make);
}

fn secret_name(prefix: &str, id: SecretId) -> String {
    format!("{prefix}-env--test-{id}")
}

async fn store() -> (AzureSecrets, String) {
    let prefix = unique("own");
    (open_secrets(&prefix).await, prefix)
}

#[tokio::test]
async fn a_secret_is_one_version_with_tags() {
    let (store, prefix) = store().await;
    let id = SecretId::generate().unwrap();
    let long = name(&"n".repeat(512));
    store.create(id, &long, &[0xFB, 0xFF]).await.unwrap();
    store.create(id, &long, &[0xFB, 0xFF]).await.unwrap();
    let held = fake().control("secret", json!({ "name": secret_name(&prefix, id) }));
    let [version] = held["versions"].as_array().unwrap().as_slice() else {
        panic!("{held}");
    };
    assert_eq!(version["value"], "-_8");
    let tags = json!({ "halfkey-environment": "env-test", "halfkey-record": "n".repeat(256) });
    assert_eq!(version["tags"], tags);
}

/// The name cannot be used again, and a removal that ended early is taken up.
#[tokio::test]
async fn a_deleted_secret_that_was_not_purged_is_handled() {
    let (store, prefix) = store().await;
    let id = SecretId::generate().unwrap();
    store.create(id, &name("n"), b"one").await.unwrap();
    let purge = format!("DELETE /deletedsecrets/{}", secret_name(&prefix, id));
    fake().fault(&purge, "status", json!({ "status": 503 }));
    let error = store.remove(id).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(store.read(id).await.unwrap().is_none());
    assert!(store.list(None).await.unwrap().ids.is_empty());
    for value in [b"one", b"two"] {
        let result = store.create(id, &name("n"), value).await;
        assert!(matches!(result, Err(Error::Conflict(_))), "{result:?}");
    }
    fake().heal(&purge);
    store.remove(id).await.unwrap();
    let held = fake().control("secret", json!({ "name": secret_name(&prefix, id) }));
    assert_eq!(held["versions"], json!([]));
}

/// Nothing is left, although the vault takes its time with the deletion.
#[tokio::test]
async fn a_removed_secret_is_purged() {
    let (store, prefix) = store().await;
    let id = SecretId::generate().unwrap();
    store.create(id, &name("n"), b"one").await.unwrap();
    store.remove(id).await.unwrap();
    let held = fake().control("secret", json!({ "name": secret_name(&prefix, id) }));
    assert_eq!(held, json!({ "versions": [], "deleted": false }));
}

/// Purge protection, a missing right, and a configuration without purging: it stays recoverable.
#[tokio::test]
async fn what_may_not_be_purged_is_deleted() {
    let (store, prefix) = store().await;
    let [protected, denied, unwanted] = [(); 3].map(|()| SecretId::generate().unwrap());
    for id in [protected, denied, unwanted] {
        store.create(id, &name("n"), b"one").await.unwrap();
    }
    let protected_name = secret_name(&prefix, protected);
    fake().control("protect", json!({ "name": protected_name }));
    let purge = format!("DELETE /deletedsecrets/{}", secret_name(&prefix, denied));
    fake().fault(&purge, "deny", json!({}));
    store.remove(protected).await.unwrap();
    store.remove(denied).await.unwrap();
    let mut config = secrets_config(&prefix);
    config.purge = false;
    let careful = AzureSecrets::open(&config, &"env-test".parse().unwrap()).await;
    careful.unwrap().remove(unwanted).await.unwrap();
    for id in [protected, denied, unwanted] {
        assert!(store.read(id).await.unwrap().is_none());
        let held = fake().control("secret", json!({ "name": secret_name(&prefix, id) }));
        assert_eq!(held["deleted"], true);
    }
    assert_eq!(
        fake().calls(&format!("DELETE /deletedsecrets/{protected_name}")),
        0
    );
}

#[tokio::test]
async fn a_disabled_secret_is_not_absent() {
    let (store, prefix) = store().await;
    let id = SecretId::generate().unwrap();
    store.create(id, &name("n"), b"one").await.unwrap();
    let secret = secret_name(&prefix, id);
    fake().control("set_secret", json!({ "name": secret, "enabled": false }));
    let result = store.read(id).await;
    assert!(matches!(result, Err(Error::KeyDisabled(_))), "{result:?}");
    let result = store.create(id, &name("n"), b"one").await;
    assert!(matches!(result, Err(Error::KeyDisabled(_))), "{result:?}");
}

/// One value has one text.
#[tokio::test]
async fn a_text_that_is_not_ours_is_damaged() {
    let (store, prefix) = store().await;
    for text in ["AB", "AA==", "A", "!!", "AAAA\n", "é"] {
        let id = SecretId::generate().unwrap();
        let secret = secret_name(&prefix, id);
        fake().control("put_secret", json!({ "name": secret, "value": text }));
        let result = store.read(id).await;
        assert!(
            matches!(result, Err(Error::Corrupt { .. })),
            "{text:?}: {result:?}"
        );
        let result = store.create(id, &name("n"), &[0]).await;
        assert!(
            matches!(result, Err(Error::Conflict(_))),
            "{text:?}: {result:?}"
        );
    }
}

#[tokio::test]
async fn a_listing_goes_on_only_where_it_was() {
    let (store, _) = store().await;
    for place in [
        "",
        "x",
        "https://example.com/secrets?x",
        "http://localhost/secrets",
        &format!("{}/keys", fake().url()),
        &format!("{}/secrets/x", fake().url()),
    ] {
        let result = store.list(Some(place)).await;
        assert!(
            matches!(result, Err(Error::Caller(_))),
            "{place}: {result:?}"
        );
    }
}

/// The right answers for the wrong question.
#[tokio::test]
async fn an_answer_about_another_secret_is_no_answer() {
    let (store, prefix) = store().await;
    let [id, other] = [(); 2].map(|()| SecretId::generate().unwrap());
    let (vault, version) = (fake().url(), "0".repeat(32));
    let about_other = json!({ "body": {
        "id": format!("{vault}/secrets/{}/{version}", secret_name(&prefix, other)),
        "value": "AA",
    }});
    let line = secret_name(&prefix, id);
    fake().fault(&line, "json", about_other);
    for result in [
        store.read(id).await.map(|_| ()),
        store.create(id, &name("n"), &[0]).await,
    ] {
        assert!(matches!(result, Err(Error::Backend { .. })), "{result:?}");
    }
    fake().heal(&line);
    // A page of something that is no vault is not "absent".
    fake().fault(&line, "status", json!({ "status": 404 }));
    let result = store.read(id).await;
    assert!(
        matches!(
            result,
            Err(Error::Backend {
                temporary: false,
                ..
            })
        ),
        "{result:?}"
    );
    fake().heal(&line);
}
