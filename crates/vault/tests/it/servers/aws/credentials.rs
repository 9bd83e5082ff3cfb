//! The default chain, each of its links in a process of its own, since it is told by environment
//! variables.

use std::process::{Command, Output};

use halfkey_testkit::tools;
use halfkey_vault::Error;
use halfkey_vault::kms::aws::{AwsKek, AwsKekConfig};

use super::access::{self, kek_config};
use super::emulators;
use super::proxy::{Answer, Proxy};
use crate::support::environment;

/// Set for the process that opens a KEK: at this endpoint, with this key.
const ENDPOINT: &str = "HALFKEY_VAULT_TEST_AWS_ENDPOINT";
const KEY: &str = "HALFKEY_VAULT_TEST_AWS_KEY";

/// Opens a KEK with what the environment gives; alone, without credentials, it must not.
#[tokio::test]
async fn opens_with_the_default_chain() {
    let set = |name: &str| std::env::var(name).ok();
    let (endpoint, key) = (set(ENDPOINT), set(KEY));
    let config = AwsKekConfig {
        credentials: None,
        ..kek_config(
            endpoint.as_deref().unwrap_or("http://127.0.0.1:1"),
            key.as_deref().unwrap_or("alias/x"),
        )
    };
    let opened = AwsKek::open(&config, &environment()).await;
    match (endpoint, opened) {
        (Some(_), Ok(_)) => eprintln!("opened"),
        (Some(_), Err(error)) => eprintln!("refused: {error:?}"),
        (None, opened) => assert!(opened.is_err()),
    }
}

/// Runs the test above with exactly these variables.
async fn open_with(endpoint: &str, key: &str, set: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "--nocapture"])
        .arg("servers::aws::credentials::opens_with_the_default_chain")
        .env_clear()
        .env(ENDPOINT, endpoint)
        .env(KEY, key)
        .env("HOME", "/nonexistent")
        .envs(set.iter().copied());
    let Output { stderr, .. } = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    String::from_utf8(stderr).unwrap()
}

/// A KMS in front of moto that keeps what it sees, and a marked key in it.
async fn moto() -> (Proxy, String) {
    let moto = emulators::moto();
    let proxy = Proxy::start(Some(moto.port())).await;
    let key = emulators::key(&access::kms(&moto.endpoint()).await).await;
    (proxy, key)
}

/// A request was signed by an access key that begins so.
fn must_be_signed_by(proxy: &Proxy, access_key: &str) {
    let seen = String::from_utf8_lossy(&proxy.seen()).into_owned();
    let signed = format!("Credential={access_key}");
    assert!(seen.contains(&signed), "not signed by {access_key}");
}

const NO_METADATA: (&str, &str) = ("AWS_EC2_METADATA_DISABLED", "true");

#[tokio::test]
async fn environment_variables_and_profiles_give_credentials() {
    let (proxy, key) = moto().await;
    let endpoint = proxy.endpoint();
    let set = [
        ("AWS_ACCESS_KEY_ID", "AKIAFROMENV"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
    ];
    let told = open_with(&endpoint, &key, &set).await;
    assert!(told.contains("opened"), "{told}");
    must_be_signed_by(&proxy, "AKIAFROMENV");

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("credentials");
    let text = "[other]\naws_access_key_id = AKIAFROMPROFILE\naws_secret_access_key = x\n";
    std::fs::write(&file, text).unwrap();
    let set = [
        ("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap()),
        ("AWS_PROFILE", "other"),
    ];
    let told = open_with(&endpoint, &key, &set).await;
    assert!(told.contains("opened"), "{told}");
    must_be_signed_by(&proxy, "AKIAFROMPROFILE");
}

#[tokio::test]
async fn a_web_identity_gives_credentials_through_sts() {
    let (proxy, key) = moto().await;
    let endpoint = proxy.endpoint();
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "a.web.identity").unwrap();
    let set = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/halfkey"),
        ("AWS_ENDPOINT_URL_STS", &endpoint),
        NO_METADATA,
    ];
    let told = open_with(&endpoint, &key, &set).await;
    assert!(told.contains("opened"), "{told}");
    must_be_signed_by(&proxy, "ASIA");
}

fn temporary_credentials(access_key: &str) -> Answer {
    let body = format!(
        r#"{{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"{access_key}",
        "SecretAccessKey":"x","Token":"t","Expiration":"2999-01-01T00:00:00Z",
        "LastUpdated":"2026-01-01T00:00:00Z"}}"#
    );
    Answer::Reply(200, body)
}

#[tokio::test]
async fn ecs_and_ec2_metadata_give_credentials() {
    let (proxy, key) = moto().await;
    let metadata = Proxy::start(None).await;
    metadata.answer("/role", temporary_credentials("ASIAFROMECS"));
    let from = format!("{}/role", metadata.endpoint());
    let set = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", from.as_str())];
    let told = open_with(&proxy.endpoint(), &key, &set).await;
    assert!(told.contains("opened"), "{told}");
    must_be_signed_by(&proxy, "ASIAFROMECS");

    metadata.answer("/latest/api/token", Answer::Reply(200, "token".to_owned()));
    for list in [
        "/latest/meta-data/iam/security-credentials/",
        "/latest/meta-data/iam/security-credentials-extended/",
    ] {
        metadata.answer(list, Answer::Reply(200, "role".to_owned()));
    }
    for role in [
        "/latest/meta-data/iam/security-credentials/role",
        "/latest/meta-data/iam/security-credentials-extended/role",
    ] {
        metadata.answer(role, temporary_credentials("ASIAFROMEC2"));
    }
    let at = metadata.endpoint();
    let set = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", at.as_str())];
    let told = open_with(&proxy.endpoint(), &key, &set).await;
    assert!(told.contains("opened"), "{told}");
    must_be_signed_by(&proxy, "ASIAFROMEC2");
}

#[tokio::test]
async fn without_credentials_the_error_says_so() {
    let (proxy, key) = moto().await;
    let told = open_with(&proxy.endpoint(), &key, &[NO_METADATA]).await;
    assert!(told.contains("refused: Config("), "{told}");
    assert!(told.contains("no AWS credentials"), "{told}");
    assert!(proxy.seen().is_empty());
}

#[tokio::test]
async fn a_service_endpoint_of_the_environment_needs_tls_too() {
    tools::real_part("moto");
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), "a.web.identity").unwrap();
    let set = [
        (
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            token.path().to_str().unwrap(),
        ),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/halfkey"),
        ("AWS_ENDPOINT_URL_STS", "http://198.51.100.7/"),
        NO_METADATA,
    ];
    let (proxy, key) = moto().await;
    let told = open_with(&proxy.endpoint(), &key, &set).await;
    assert!(told.contains("refused: Insecure("), "{told}");
}

#[tokio::test]
async fn key_pairs_come_from_private_files_only() {
    let (proxy, key) = moto().await;
    let mut config = kek_config(&proxy.endpoint(), &key);
    AwsKek::open(&config, &environment()).await.unwrap();
    must_be_signed_by(&proxy, "AKIAIOSFODNN7EXAMPLE");
    let open_to_others = tempfile::tempdir().unwrap();
    let file = open_to_others.path().join("id");
    std::fs::write(&file, "AKIAX").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let source = halfkey_vault::net::SecretSource::File(file);
    config.credentials = Some(halfkey_vault::net::aws::AwsCredentials::Keys {
        access_key_id: source.clone(),
        secret_access_key: source,
        session_token: None,
    });
    let error = AwsKek::open(&config, &environment()).await.unwrap_err();
    assert!(matches!(error, Error::Config(_)), "{error}");
}
