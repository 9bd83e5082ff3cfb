//! What is refused before anything is wrapped, and TLS.

use aws_sdk_kms::types::{KeySpec, KeyUsageType, Tag};
use halfkey_testkit::servers::TestCa;
use halfkey_testkit::servers::moto::Moto;
use halfkey_testkit::tools;
use halfkey_vault::kms::aws::{AwsKek, AwsKekConfig};
use halfkey_vault::net::aws::ENVIRONMENT_TAG;
use halfkey_vault::store::aws_secrets::AwsSecrets;
use halfkey_vault::{Dek, Error, UnwrapKey as _, WrapKey as _};

use super::access::{kek_config, secrets_config};
use super::{access, emulators};
use crate::support::{ctx, environment};

async fn refused(config: &AwsKekConfig) -> Error {
    AwsKek::open(config, &environment()).await.unwrap_err()
}

#[tokio::test]
async fn open_rejects_keys_that_are_not_for_this() {
    let endpoint = emulators::moto().endpoint();
    let kms = access::kms(&endpoint).await;
    let unmarked = emulators::unmarked_key(&kms).await;
    let error = refused(&kek_config(&endpoint, &unmarked)).await;
    assert!(matches!(error, Error::Config(_)), "{error}");
    let told = error.to_string();
    assert!(told.contains("aws kms tag-resource") && told.contains("=env-test"));
    let other = emulators::key_of(&kms, "env-other").await;
    let error = refused(&kek_config(&endpoint, &other)).await;
    assert!(matches!(error, Error::Environment { .. }), "{error}");
    let rsa = kms
        .create_key()
        .key_spec(KeySpec::Rsa2048)
        .key_usage(KeyUsageType::EncryptDecrypt);
    let mac = kms
        .create_key()
        .key_spec(KeySpec::Hmac256)
        .key_usage(KeyUsageType::GenerateVerifyMac);
    for call in [rsa, mac] {
        // Marked, so that it is refused for its kind alone.
        let tag = Tag::builder()
            .tag_key(ENVIRONMENT_TAG)
            .tag_value(environment().as_str())
            .build()
            .unwrap();
        let made = call.tags(tag).send().await.unwrap().key_metadata.unwrap();
        let error = refused(&kek_config(&endpoint, &made.key_id)).await;
        assert!(error.to_string().contains("not symmetric"), "{error}");
    }
    let absent = "00000000-0000-4000-8000-000000000000";
    for key in [absent, "alias/absent", "alias/aws/s3", "", "a key"] {
        let error = refused(&kek_config(&endpoint, key)).await;
        assert!(matches!(error, Error::Config(_)), "{key}: {error}");
    }
}

#[tokio::test]
async fn open_rejects_configurations_that_cannot_be() {
    let sound = kek_config("http://127.0.0.1:1", "alias/x");
    for config in [
        AwsKekConfig {
            region: "eu.example.com/".to_owned(),
            ..sound.clone()
        },
        AwsKekConfig {
            deadline_ms: 0,
            ..sound.clone()
        },
        AwsKekConfig {
            endpoint: Some("http://127.0.0.1/?x".to_owned()),
            ..sound.clone()
        },
    ] {
        let error = refused(&config).await;
        assert!(matches!(error, Error::Config(_)), "{error}");
    }
    let plain = AwsKekConfig {
        endpoint: Some("http://kms.eu-central-1.amazonaws.com".to_owned()),
        ..sound.clone()
    };
    let error = refused(&plain).await;
    assert!(matches!(error, Error::Insecure(_)), "{error}");
    let error = refused(&sound).await;
    assert!(error.is_transient(), "{error}");
    let wrong = [
        ("a key/", 5),
        ("halfkey", 5),
        ("halfkey/", 0),
        ("halfkey/", 101),
    ];
    for (prefix, page_len) in wrong {
        let mut config = secrets_config("http://127.0.0.1:1", prefix);
        config.page_len = page_len;
        let error = AwsSecrets::open(&config, &environment()).await.unwrap_err();
        assert!(matches!(error, Error::Config(_)), "{prefix}: {error}");
    }
}

#[tokio::test]
async fn tls_needs_a_certificate_that_is_trusted() {
    tools::real_part("moto");
    let ca = TestCa::new();
    let moto = Moto::start_tls(&ca);
    let endpoint = moto.endpoint();
    let tls = access::tls(Some(ca.ca_file()));
    let kms = access::kms_tls(&endpoint, &tls).await;
    let key = emulators::key(&kms).await;
    let untrusting = kek_config(&endpoint, &key);
    let trusting = AwsKekConfig {
        tls,
        ..untrusting.clone()
    };
    let kek = AwsKek::open(&trusting, &environment()).await.unwrap();
    let dek = Dek::generate().unwrap();
    let wrapped = kek.wrap(&ctx(), &dek).await.unwrap();
    assert!(kek.unwrap(&ctx(), &wrapped).await.unwrap() == dek);
    let error = refused(&untrusting).await;
    assert!(error.to_string().contains("not trusted"), "{error}");
    let other = TestCa::new();
    let foreign = AwsKekConfig {
        tls: access::tls(Some(other.ca_file())),
        ..untrusting
    };
    let error = refused(&foreign).await;
    assert!(error.to_string().contains("not trusted"), "{error}");
}

#[test]
fn the_configuration_is_what_the_guide_says() {
    let kek: AwsKekConfig = toml::from_str(
        r#"
        key_id = "alias/halfkey"
        region = "eu-central-1"
        credentials = { profile = "halfkey" }
        tls = { min_tls = "1.3" }
        "#,
    )
    .unwrap();
    assert_eq!(kek.deadline_ms, 5_000);
    let keys: AwsKekConfig = toml::from_str(
        r#"
        key_id = "alias/halfkey"
        region = "eu-central-1"
        [credentials.keys]
        access_key_id = { env = "HALFKEY_AWS_ID" }
        secret_access_key = { file = "/run/secrets/aws" }
        "#,
    )
    .unwrap();
    assert!(format!("{keys:?}").contains("/run/secrets/aws"));
    for unknown in ["region = 'x'\nkey_id = 'y'\npassword = 'z'", "region = 'x'"] {
        assert!(
            toml::from_str::<AwsKekConfig>(unknown).is_err(),
            "{unknown}"
        );
    }
}
