//! Wrapping and unwrapping.

use halfkey_vault::{Dek, Error, RewrapKey as _, UnwrapKey as _, WrapKey as _, Wrapped};
use serde_json::json;

use super::{fake, fresh_key, open_kek, unique};
use crate::support::ctx;

mod rsa {
    use super::super::{fresh_key, open_kek};
    use halfkey_vault::kms::azure::AzureKek;

    async fn make() -> (AzureKek, ()) {
        (open_kek(&fresh_key()).await, ())
    }
    halfkey_vault::key_provider_conformance!(make);
}

/// A symmetric key, as Managed HSM has it.
mod oct_hsm {
    use super::super::{fake, open_kek, unique};
    use halfkey_vault::kms::azure::AzureKek;
    use serde_json::json;

    async fn make() -> (AzureKek, ()) {
        let name = unique("oct");
        fake().create_key(&name, "env-test", json!({ "kty": "oct-HSM" }));
        (open_kek(&name).await, ())
    }
    halfkey_vault::key_provider_conformance!(make);
}

fn refused_as(result: Result<Dek, Error>) -> &'static str {
    match result {
        Err(Error::Corrupt { why, .. }) => why,
        other => panic!("not refused as damaged: {other:?}"),
    }
}

/// What is wrapped is the key and the digest: found by unwrapping it elsewhere.
#[tokio::test]
async fn the_digest_is_wrapped_with_the_key() {
    let name = fresh_key();
    let kek = open_kek(&name).await;
    let dek = Dek::generate().unwrap();
    let wrapped = kek.wrap(&ctx(), &dek).await.unwrap();
    assert_eq!(wrapped.bytes.len(), 256);
    let value = hex::encode(&wrapped.bytes);
    let asked = json!({ "name": name, "version": wrapped.kek_version, "value": value });
    let inside = fake().control("unwrap", asked);
    let expected = [&dek.expose()[..], &ctx().digest().unwrap()].concat();
    assert_eq!(inside, hex::encode(expected));
}

/// Key Vault would unwrap it; without the digest it is nobody's.
#[tokio::test]
async fn a_bare_data_key_is_refused() {
    let name = unique("key");
    let version = fake().create_key(&name, "env-test", json!({}));
    let kek = open_kek(&name).await;
    for len in [0, 1, 32, 63, 65, 96] {
        let value = hex::encode(vec![7; len]);
        let wrapped = fake().control("wrap", json!({ "name": name, "value": value }));
        let wrapped = Wrapped {
            kek_uri: kek.kek_uri().to_owned(),
            kek_version: version.clone(),
            bytes: hex::decode(wrapped.as_str().unwrap()).unwrap(),
        };
        let why = refused_as(kek.unwrap(&ctx(), &wrapped).await);
        assert_eq!(why, "what is wrapped is no bound data key", "{len}");
    }
}

/// Other lengths and numbers are refused before the vault is asked.
#[tokio::test]
async fn a_wrap_that_no_version_gave_out_is_not_sent() {
    let name = fresh_key();
    let kek = open_kek(&name).await;
    let sound = kek.wrap(&ctx(), &Dek::generate().unwrap()).await.unwrap();
    let padded = [&[0][..], &sound.bytes].concat();
    for bytes in [vec![], padded, vec![0xFF; 256], vec![1; 384]] {
        let other = Wrapped {
            bytes,
            ..sound.clone()
        };
        refused_as(kek.unwrap(&ctx(), &other).await);
    }
    assert_eq!(
        fake().calls(&format!("{name}/{}/unwrap", sound.kek_version)),
        0
    );
}

/// A version becomes part of a URL, so one that is none goes nowhere.
#[tokio::test]
async fn a_version_that_is_none_is_not_sent() {
    let name = fresh_key();
    let kek = open_kek(&name).await;
    let sound = kek.wrap(&ctx(), &Dek::generate().unwrap()).await.unwrap();
    let before = fake().calls(&name);
    for version in [
        "../../secrets/x",
        "..",
        "latest",
        &sound.kek_version.to_uppercase(),
    ] {
        let other = Wrapped {
            kek_version: version.to_owned(),
            ..sound.clone()
        };
        refused_as(kek.unwrap(&ctx(), &other).await);
    }
    assert_eq!(fake().calls(&name), before);
}

/// A well-formed version that never was is damage; a key that is gone is none.
#[tokio::test]
async fn an_unknown_version_is_told_from_a_key_that_is_gone() {
    let name = fresh_key();
    let kek = open_kek(&name).await;
    let sound = kek.wrap(&ctx(), &Dek::generate().unwrap()).await.unwrap();
    let other = Wrapped {
        kek_version: "0123456789abcdef0123456789abcdef".to_owned(),
        ..sound.clone()
    };
    let why = refused_as(kek.unwrap(&ctx(), &other).await);
    assert_eq!(why, "it is wrapped by an unknown KEK version");
    fake().control("delete_key", json!({ "name": name }));
    for wrapped in [&sound, &other] {
        let result = kek.unwrap(&ctx(), wrapped).await;
        assert!(matches!(result, Err(Error::KeyDisabled(_))), "{result:?}");
    }
    let result = kek.wrap(&ctx(), &Dek::generate().unwrap()).await;
    assert!(matches!(result, Err(Error::KeyDisabled(_))), "{result:?}");
}

/// Each version is asked about once, however often it unwraps.
#[tokio::test]
async fn a_version_is_asked_about_once() {
    let name = fresh_key();
    let old = open_kek(&name).await;
    let wrapped = old.wrap(&ctx(), &Dek::generate().unwrap()).await.unwrap();
    fake().create_key(&name, "env-test", json!({ "size": 3072 }));
    let kek = open_kek(&name).await;
    let before = fake().calls(&format!("GET /keys/{name}/{}", wrapped.kek_version));
    for _ in 0..3 {
        kek.unwrap(&ctx(), &wrapped).await.unwrap();
    }
    let asked = fake().calls(&format!("GET /keys/{name}/{}", wrapped.kek_version));
    assert_eq!(asked - before, 1);
    // The longer key's wraps have its length.
    let moved = kek.rewrap(&ctx(), &wrapped).await.unwrap();
    assert_eq!((wrapped.bytes.len(), moved.bytes.len()), (256, 384));
    kek.unwrap(&ctx(), &moved).await.unwrap();
}

/// Another environment's records are refused before any call.
#[tokio::test]
async fn another_environment_is_refused_without_a_call() {
    let name = fresh_key();
    let kek = open_kek(&name).await;
    let wrapped = kek.wrap(&ctx(), &Dek::generate().unwrap()).await.unwrap();
    let before = fake().calls(&name);
    let mut other = ctx();
    other.environment = "env-other".parse().unwrap();
    for refused in [
        kek.wrap(&other, &Dek::generate().unwrap()).await.err(),
        kek.unwrap(&other, &wrapped).await.err(),
        kek.rewrap(&other, &wrapped).await.err(),
    ] {
        assert!(
            matches!(refused, Some(Error::Environment { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(fake().calls(&name), before);
    assert!(kek.needs_unwrap_right());
}
