//! What opening checks.

use halfkey_testkit::servers::TestCa;
use halfkey_testkit::servers::moto::Moto;
use halfkey_testkit::tools;
use halfkey_vault::conformance::sample;
use halfkey_vault::net::TlsConfig;
use halfkey_vault::store::s3::{S3Config, S3Records};
use halfkey_vault::{Error, Expect, GetRecord, PutRecord};

use super::{BUCKET, config, fresh_prefix, moto, open, read_back, stranger};
use crate::support::{environment, name};

async fn opened(config: &S3Config) -> Result<S3Records, Error> {
    S3Records::open(config, &environment()).await
}

#[tokio::test]
async fn open_rejects_another_environment_and_records_without_one() {
    let (endpoint, prefix) = (moto().await.endpoint(), fresh_prefix());
    let (store, _alive) = open(&endpoint, &prefix).await;
    let (config, _dir) = config(&endpoint, &prefix);
    let other = S3Records::open(&config, &sample::environment("env-other")).await;
    let Err(Error::Environment {
        found, expected, ..
    }) = other
    else {
        panic!("{other:?}")
    };
    assert_eq!(
        (found.as_str(), expected.as_str()),
        ("env-test", "env-other")
    );
    store.put(&name("a"), b"x", Expect::Absent).await.unwrap();
    let client = stranger();
    let mark = format!("{endpoint}/{BUCKET}/{prefix}/environment");
    client
        .put(&mark)
        .body("something else")
        .send()
        .await
        .unwrap();
    assert!(matches!(opened(&config).await, Err(Error::Corrupt { .. })));
    client.delete(&mark).send().await.unwrap();
    let unmarked = opened(&config).await;
    assert!(
        matches!(unmarked, Err(Error::Environment { .. })),
        "{unmarked:?}"
    );
}

#[tokio::test]
async fn opening_again_changes_nothing() {
    let (endpoint, prefix) = (moto().await.endpoint(), fresh_prefix());
    let (store, _alive) = open(&endpoint, &prefix).await;
    store.put(&name("a"), b"x", Expect::Absent).await.unwrap();
    let before = read_back(&endpoint, &prefix).await;
    let (_again, _alive) = open(&endpoint, &prefix).await;
    assert_eq!(read_back(&endpoint, &prefix).await, before);
}

#[tokio::test]
async fn open_rejects_a_bucket_that_is_not_there() {
    let (mut config, _dir) = config(&moto().await.endpoint(), "p");
    config.bucket = "no-such-bucket".to_owned();
    let absent = opened(&config).await;
    assert!(matches!(absent, Err(Error::NotFound(_))), "{absent:?}");
}

/// moto checks signatures and keys once it is told to; it knows none of ours.
#[tokio::test]
async fn open_rejects_credentials_that_are_not_known() {
    tools::real_part("moto");
    let moto = super::Moto::start().await;
    let endpoint = moto.endpoint();
    let (config, _dir) = config(&endpoint, "p");
    let store = opened(&config).await.unwrap();
    let client = stranger();
    let told = client
        .post(format!("{endpoint}/moto-api/reset-auth"))
        .body("0");
    assert!(told.send().await.unwrap().status().is_success());
    for refused in [
        opened(&config).await.map(drop),
        store.get(&name("a")).await.map(drop),
        store.put(&name("a"), b"x", Expect::Any).await.map(drop),
    ] {
        let error = refused.unwrap_err();
        assert!(matches!(error, Error::Denied(_)), "{error:?}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}

#[tokio::test]
async fn open_takes_its_own_ca_and_no_other() {
    tools::real_part("moto");
    let ca = TestCa::new();
    let started = tokio::task::spawn_blocking(move || (Moto::start_tls(&ca), ca));
    let (moto, ca) = started.await.unwrap();
    let (mut config, _dir) = config(&moto.endpoint(), "p");
    let unknown = opened(&config).await.unwrap_err();
    assert!(unknown.is_transient(), "{unknown:?}");
    assert!(!unknown.to_string().contains("http"), "{unknown}");
    config.tls = TlsConfig {
        ca_file: Some(ca.ca_file()),
        ..TlsConfig::default()
    };
    // The certificate is taken; there is no bucket yet.
    let absent = opened(&config).await;
    assert!(matches!(absent, Err(Error::NotFound(_))), "{absent:?}");
}

#[tokio::test]
async fn open_rejects_what_cannot_be_meant() {
    let (good, _dir) = config("http://127.0.0.1:9", "p");
    let with = |edit: fn(&mut S3Config)| {
        let mut config = good.clone();
        edit(&mut config);
        config
    };
    for bad in [
        with(|config| config.bucket = "Bucket/../x".to_owned()),
        with(|config| config.bucket = String::new()),
        with(|config| config.region = "eu central".to_owned()),
        with(|config| config.prefix = "a//b".to_owned()),
        with(|config| config.endpoint = Some("https://id:key@host".to_owned())),
        with(|config| config.endpoint = Some("s3://bucket".to_owned())),
        with(|config| config.tls.ca_file = Some("/nonexistent".into())),
        with(|config| {
            config.credentials.as_mut().unwrap().secret_access_key =
                halfkey_vault::net::SecretSource::Env("HALFKEY_NO_SUCH_VARIABLE".to_owned());
        }),
    ] {
        let refused = opened(&bad).await;
        assert!(matches!(refused, Err(Error::Config(_))), "{refused:?}");
    }
    let plain = with(|config| config.endpoint = Some("http://10.1.1.1".to_owned()));
    assert!(matches!(opened(&plain).await, Err(Error::Insecure(_))));
}

#[test]
fn a_configuration_is_read_and_an_unknown_field_is_not() {
    let text = "bucket = \"b\"\nregion = \"eu-central-1\"\n";
    let config: S3Config = toml::from_str(text).unwrap();
    assert_eq!((config.prefix.as_str(), config.deadline_ms), ("", 10_000));
    assert!(toml::from_str::<S3Config>(&format!("{text}secret_key = \"x\"\n")).is_err());
}
