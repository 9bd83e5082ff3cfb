//! The vendor's own Python clients against the same fake: neither the fake nor we can have
//! misunderstood the protocol in a way that suits the other.

use halfkey_testkit::tools;
use halfkey_vault::store::secret::{SecretId, SecretStore as _};
use halfkey_vault::{Dek, ManageKey as _, RewrapKey as _, UnwrapKey as _, WrapKey as _, Wrapped};
use serde_json::json;

use super::{fake, fresh_key, open_kek, open_secrets, unique};
use crate::support::{ctx, name};

fn vendor(arguments: &[&str]) -> String {
    tools::real_part("azure-python-sdk");
    fake().vendor_client(arguments)
}

fn bound(dek: &Dek) -> String {
    hex::encode([&dek.expose()[..], &ctx().digest().unwrap()].concat())
}

/// The vendor wraps by itself, under the public key alone.
#[tokio::test]
async fn what_the_vendor_wraps_is_unwrapped_here() {
    let key = fresh_key();
    let kek = open_kek(&key).await;
    let dek = Dek::generate().unwrap();
    let printed = vendor(&["wrap", &key, &bound(&dek)]);
    let (version, bytes) = printed.split_once(' ').unwrap();
    let wrapped = Wrapped {
        kek_uri: kek.kek_uri().to_owned(),
        kek_version: version.to_owned(),
        bytes: hex::decode(bytes).unwrap(),
    };
    assert!(kek.unwrap(&ctx(), &wrapped).await.unwrap() == dek);
}

#[tokio::test]
async fn what_is_wrapped_here_is_unwrapped_by_the_vendor() {
    let key = fresh_key();
    let kek = open_kek(&key).await;
    let dek = Dek::generate().unwrap();
    let wrapped = kek.wrap(&ctx(), &dek).await.unwrap();
    let bytes = hex::encode(&wrapped.bytes);
    assert_eq!(
        vendor(&["unwrap", &key, &wrapped.kek_version, &bytes]),
        bound(&dek)
    );
    // And after the vendor rotated the key.
    let made = vendor(&["rotate", &key]);
    assert_eq!(kek.info().await.unwrap().newest().unwrap().version, made);
    assert!(kek.unwrap(&ctx(), &wrapped).await.unwrap() == dek);
    assert_eq!(
        kek.rewrap(&ctx(), &wrapped).await.unwrap().kek_version,
        made
    );
}

#[tokio::test]
async fn secrets_are_the_same_for_both() {
    let prefix = unique("cross");
    let store = open_secrets(&prefix).await;
    let [ours, theirs] = [(); 2].map(|()| SecretId::generate().unwrap());
    let secret = |id: SecretId| format!("{prefix}-env--test-{id}");
    store
        .create(ours, &name("wallet:0xab"), &[0xFB, 0xFF, 0])
        .await
        .unwrap();
    let tags = json!({ "halfkey-environment": "env-test", "halfkey-record": "wallet:0xab" });
    let read = vendor(&["get-secret", &secret(ours)]);
    let (text, read_tags) = read.split_once('\n').unwrap();
    assert_eq!(text, "-_8A");
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(read_tags).unwrap(),
        tags
    );
    vendor(&["set-secret", &secret(theirs), "AAEC"]);
    assert_eq!(store.read(theirs).await.unwrap().unwrap(), [0, 1, 2]);
    let listed = vendor(&["list-secrets"]);
    for id in [ours, theirs] {
        assert!(listed.lines().any(|line| line == secret(id)), "{listed}");
    }
    vendor(&["delete-secret", &secret(ours)]);
    assert!(store.read(ours).await.unwrap().is_none());
}
