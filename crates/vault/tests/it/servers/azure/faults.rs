//! A vault that refuses, fails, hangs, or answers with something else.

use halfkey_vault::kms::azure::AzureKek;
use halfkey_vault::store::azure_secrets::AzureSecrets;
use halfkey_vault::store::secret::{SecretId, SecretStore as _};
use halfkey_vault::{Dek, Error, ManageKey as _, UnwrapKey as _, WrapKey as _, Wrapped};
use serde_json::{Value, json};

use super::{fake, fresh_key, kek_config, open_kek, open_secrets, secrets_config, unique};
use crate::support::{ctx, environment, name};

/// Every operation of a KEK under a fault of its whole key; each fails.
async fn failures(kek: &AzureKek, key: &str, kind: &str, with: Value) -> Vec<Error> {
    let sound = kek.wrap(&ctx(), &Dek::generate().unwrap()).await.unwrap();
    let line = format!("/keys/{key}");
    fake().fault(&line, kind, with);
    let errors = vec![
        kek.wrap(&ctx(), &Dek::generate().unwrap())
            .await
            .unwrap_err(),
        kek.unwrap(&ctx(), &sound).await.unwrap_err(),
        kek.info().await.unwrap_err(),
        kek.rotate().await.unwrap_err(),
        kek.disable(&sound.kek_version).await.unwrap_err(),
        kek.enable(&sound.kek_version).await.unwrap_err(),
        AzureKek::open(&kek_config(key), &environment())
            .await
            .unwrap_err(),
    ];
    fake().heal(&line);
    errors
}

async fn all_fail(kind: &str, with: Value, expected: fn(&Error) -> bool) {
    let key = fresh_key();
    let kek = open_kek(&key).await;
    for error in failures(&kek, &key, kind, with.clone()).await {
        assert!(expected(&error), "{kind}: {error:?}");
        for secret in [
            "fake-token",
            "fake-client-secret",
            "proxy's page",
            "ForbiddenByRbac",
        ] {
            assert!(
                !format!("{error:?} {error}").contains(secret),
                "{kind}: {error:?}"
            );
        }
    }
    let prefix = unique("fault");
    let store = open_secrets(&prefix).await;
    let id = SecretId::generate().unwrap();
    let line = format!("{prefix}-");
    fake().fault(&line, kind, with);
    for error in [
        store.create(id, &name("n"), b"x").await.unwrap_err(),
        store.read(id).await.unwrap_err(),
        store.remove(id).await.unwrap_err(),
    ] {
        assert!(expected(&error), "{kind}: {error:?}");
    }
    fake().heal(&line);
    // Nothing is left of it.
    store.create(id, &name("n"), b"x").await.unwrap();
    kek.wrap(&ctx(), &Dek::generate().unwrap()).await.unwrap();
}

fn is_temporary(error: &Error) -> bool {
    matches!(
        error,
        Error::Backend {
            temporary: true,
            ..
        }
    )
}

#[tokio::test]
async fn a_refusal_is_denied() {
    all_fail("deny", json!({}), |error| matches!(error, Error::Denied(_))).await;
}

#[tokio::test]
async fn too_many_calls_are_throttled() {
    all_fail("throttle", json!({}), |error| {
        matches!(error, Error::Throttled(_))
    })
    .await;
}

#[tokio::test]
async fn a_failing_vault_is_a_temporary_failure() {
    for status in [500, 502, 503, 504] {
        all_fail("status", json!({ "status": status }), is_temporary).await;
    }
}

#[tokio::test]
async fn a_page_of_something_else_is_a_temporary_failure() {
    all_fail("garbage", json!({}), is_temporary).await;
}

#[tokio::test]
async fn a_cut_reply_is_a_temporary_failure() {
    all_fail("cut", json!({}), is_temporary).await;
}

/// A token would go along.
#[tokio::test]
async fn a_redirect_is_not_followed() {
    let lasting = |error: &Error| {
        matches!(
            error,
            Error::Backend {
                temporary: false,
                ..
            }
        )
    };
    all_fail("redirect", json!({}), lasting).await;
    assert_eq!(fake().calls("again=1"), 0);
}

/// Not the rights of whoever asks next.
#[tokio::test]
async fn a_challenge_without_end_is_denied() {
    let challenge =
        r#"Bearer authorization="https://localhost", resource="https://vault.azure.net""#;
    let with = json!({ "challenge": challenge });
    all_fail("challenge", with, |error| matches!(error, Error::Denied(_))).await;
}

/// One call is one request: retries are for the wrapper that counts them.
#[tokio::test]
async fn nothing_is_tried_again() {
    let key = fresh_key();
    let kek = open_kek(&key).await;
    for kind in ["throttle", "cut"] {
        let line = format!("/keys/{key}/wrapkey");
        let before = fake().calls(&line);
        fake().fault(&line, kind, json!({}));
        kek.wrap(&ctx(), &Dek::generate().unwrap())
            .await
            .unwrap_err();
        fake().heal(&line);
        assert_eq!(fake().calls(&line) - before, 1, "{kind}");
    }
}

/// Once with connection and token made, and once from the beginning.
#[tokio::test]
async fn a_vault_that_hangs_is_a_timeout() {
    let key = fresh_key();
    let mut config = kek_config(&key);
    config.deadline_ms = 4000;
    let kek = AzureKek::open(&config, &environment()).await.unwrap();
    let sound = kek.wrap(&ctx(), &Dek::generate().unwrap()).await.unwrap();
    let line = format!("/keys/{key}/");
    fake().fault(&line, "hang", json!({}));
    let fresh = async { AzureKek::open(&config, &environment()).await.map(|_| ()) };
    let dek = Dek::generate().unwrap();
    let errors = tokio::join!(
        async { kek.wrap(&ctx(), &dek).await.map(|_| ()) },
        async { kek.unwrap(&ctx(), &sound).await.map(|_| ()) },
        async { kek.info().await.map(|_| ()) },
        fresh,
    );
    fake().heal(&line);
    for result in [errors.0, errors.1, errors.2, errors.3] {
        assert!(matches!(result, Err(Error::Timeout(_))), "{result:?}");
    }
}

#[tokio::test]
async fn a_secret_that_hangs_is_a_timeout() {
    let prefix = unique("hang");
    let mut config = secrets_config(&prefix);
    config.deadline_ms = 4000;
    let store = AzureSecrets::open(&config, &environment()).await.unwrap();
    let id = SecretId::generate().unwrap();
    let line = format!("{prefix}-");
    fake().fault(&line, "hang", json!({}));
    let record = name("n");
    let results = tokio::join!(
        store.create(id, &record, b"x"),
        async { store.read(id).await.map(|_| ()) },
        store.remove(id),
    );
    fake().heal(&line);
    for result in [results.0, results.1, results.2] {
        assert!(matches!(result, Err(Error::Timeout(_))), "{result:?}");
    }
}

/// The whole of a removal has one deadline, however often it must ask.
#[tokio::test]
async fn a_deletion_that_does_not_come_through_is_a_timeout() {
    let prefix = unique("hang");
    let mut config = secrets_config(&prefix);
    config.deadline_ms = 4000;
    let store = AzureSecrets::open(&config, &environment()).await.unwrap();
    let id = SecretId::generate().unwrap();
    store.create(id, &name("n"), b"x").await.unwrap();
    let line = format!("GET /deletedsecrets/{prefix}-");
    let body = json!({ "error": { "code": "SecretNotFound", "message": "x" } });
    fake().fault(&line, "json", json!({ "status": 404, "body": body }));
    let error = store.remove(id).await.unwrap_err();
    fake().heal(&line);
    assert!(matches!(error, Error::Timeout(_)), "{error:?}");
    store.remove(id).await.unwrap();
}

/// Right form, wrong content: no damage of the record, unless it is the record's own.
#[tokio::test]
async fn an_answer_about_another_key_is_no_answer() {
    let key = fresh_key();
    let kek = open_kek(&key).await;
    let sound = kek.wrap(&ctx(), &Dek::generate().unwrap()).await.unwrap();
    let kid = |key: &str, version: &str| format!("{}/keys/{key}/{version}", fake().url());
    let (own, other) = (&*sound.kek_version, "0123456789abcdef0123456789abcdef");
    let line = format!("/keys/{key}/");
    let answers = [
        json!({ "kid": kid("other", own), "value": "AA" }),
        json!({ "kid": kid(&key, other), "value": "AA" }),
        json!({ "kid": format!("https://example.com/keys/{key}/{own}"), "value": "AA" }),
        json!({ "kid": kid(&key, own) }),
        json!({}),
    ];
    for answer in answers {
        fake().fault(&line, "json", json!({ "body": answer.clone() }));
        let wrapped = kek
            .wrap(&ctx(), &Dek::generate().unwrap())
            .await
            .unwrap_err();
        let unwrapped = kek.unwrap(&ctx(), &sound).await.unwrap_err();
        fake().heal(&line);
        for error in [wrapped, unwrapped] {
            assert!(
                matches!(error, Error::Backend { .. }),
                "{answer}: {error:?}"
            );
        }
    }
    // A wrap that has not the length of the key is not given out.
    let short = json!({ "body": { "kid": kid(&key, own), "value": "AA" } });
    fake().fault(&line, "json", short);
    let error = kek
        .wrap(&ctx(), &Dek::generate().unwrap())
        .await
        .unwrap_err();
    fake().heal(&line);
    assert!(matches!(error, Error::Backend { .. }), "{error:?}");
}

/// Whatever a page says about the next one.
#[tokio::test]
async fn a_listing_does_not_lead_to_another_host() {
    let key = fresh_key();
    let kek = open_kek(&key).await;
    let elsewhere = fake().url().replace("localhost", "127.0.0.1");
    let link = format!("{elsewhere}/keys/{key}/elsewhere");
    let line = format!("/keys/{key}/versions");
    fake().fault(
        &line,
        "json",
        json!({ "body": { "value": [], "nextLink": link } }),
    );
    let error = kek.info().await.unwrap_err();
    fake().heal(&line);
    assert!(matches!(error, Error::Insecure(_)), "{error:?}");
    assert_eq!(fake().calls(&format!("{key}/elsewhere")), 0);
}

/// A status 400 is how the vault says that bytes do not unwrap; only unwrapping takes it so.
#[tokio::test]
async fn only_unwrapping_takes_bad_request_for_damage() {
    let key = fresh_key();
    let kek = open_kek(&key).await;
    let sound = kek.wrap(&ctx(), &Dek::generate().unwrap()).await.unwrap();
    let damaged = Wrapped {
        bytes: sound.bytes.iter().rev().map(|byte| byte & 0x3F).collect(),
        ..sound.clone()
    };
    let result = kek.unwrap(&ctx(), &damaged).await;
    assert!(matches!(result, Err(Error::Corrupt { .. })), "{result:?}");
    let line = format!("/keys/{key}/wrapkey");
    fake().fault(&line, "status", json!({ "status": 400 }));
    let error = kek
        .wrap(&ctx(), &Dek::generate().unwrap())
        .await
        .unwrap_err();
    fake().heal(&line);
    assert!(
        matches!(
            error,
            Error::Backend {
                temporary: false,
                ..
            }
        ),
        "{error:?}"
    );
}
