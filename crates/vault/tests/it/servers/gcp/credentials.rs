//! Who calls: a service account's key, workload identity federation, nobody.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use halfkey_testkit::servers::gcp_fake::{Fault, GcpFake};
use halfkey_testkit::{Canary, CapturedLog};
use halfkey_vault::kms::gcp::{GcpKek, GcpKekConfig};
use halfkey_vault::net::gcp::GcpCredentials;
use halfkey_vault::{Dek, Error, UnwrapKey as _, WrapKey as _};
use tempfile::TempDir;

use super::{KEY, fake, kek_config};
use crate::support::{ctx, environment};

/// A stand-in that wants a token, and the configuration with this credentials file.
fn with_file(text: &str, mode: u32) -> (GcpFake, GcpKekConfig, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = write(&dir, "credentials.json", text, mode);
    let fake = fake();
    fake.require_bearer();
    let mut config = kek_config(&fake.endpoint(), KEY);
    config.credentials = GcpCredentials::File(path);
    (fake, config, dir)
}

fn write(dir: &TempDir, name: &str, text: &str, mode: u32) -> PathBuf {
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

/// A key file as Google gives one out; and the key's own bytes.
fn service_account() -> (String, Vec<u8>) {
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
    let lines = STANDARD.encode(der.as_ref());
    let lines: Vec<&str> = lines
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\\n{}\\n-----END PRIVATE KEY-----\\n",
        lines.join("\\n")
    );
    let file = format!(
        "{{\"type\":\"service_account\",\"project_id\":\"test\",\"private_key_id\":\"1\",\
         \"client_email\":\"halfkey@test.iam.gserviceaccount.com\",\"private_key\":\"{pem}\"}}"
    );
    (file, der.as_ref().to_vec())
}

fn federation(token_url: &str, subject_file: &std::path::Path) -> String {
    format!(
        "{{\"type\":\"external_account\",\"audience\":\"//iam.googleapis.com/pool\",\
         \"subject_token_type\":\"urn:ietf:params:oauth:token-type:jwt\",\
         \"token_url\":\"{token_url}\",\"credential_source\":{{\"file\":\"{}\"}}}}",
        subject_file.display()
    )
}

#[tokio::test]
async fn without_a_token_nothing_is_allowed() {
    let fake = fake();
    fake.require_bearer();
    let refused = GcpKek::open(&kek_config(&fake.endpoint(), KEY), &environment()).await;
    assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
}

#[tokio::test]
async fn a_service_accounts_key_signs_each_call_and_is_not_shown() {
    let (file, key) = service_account();
    let (fake, config, _dir) = with_file(&file, 0o600);
    let log = CapturedLog::default();
    let _capturing = tracing::subscriber::set_default(log.subscriber());
    let kek = GcpKek::open(&config, &environment()).await.unwrap();
    let wrapped = kek.wrap(&ctx(), &Dek::generate().unwrap()).await.unwrap();
    kek.unwrap(&ctx(), &wrapped).await.unwrap();
    let tokens = fake.tokens();
    assert_eq!(tokens.len(), 3, "one each");
    assert!(tokens[0].starts_with("ey"), "a signed token");
    fake.break_calls("", Fault::google(403, "PERMISSION_DENIED"));
    let error = kek.unwrap(&ctx(), &wrapped).await.unwrap_err();
    let shown = format!("{kek:?} {config:?} {error:?} {error}");
    for secret in [
        Canary::text("the token", &tokens[0]),
        Canary::new("the key", &key),
    ] {
        secret.must_be_absent("debug output", shown.as_bytes());
        secret.must_be_absent("the log", &log.bytes());
    }
    Canary::new("the key", &key).must_be_absent("the wire", &fake.received());
}

#[tokio::test]
async fn a_federated_identity_exchanges_its_token_first() {
    let (fake, mut config, dir) = with_file("", 0o644);
    let subject = write(&dir, "subject", "subject-token-Xw93kd02", 0o600);
    let file = federation(&fake.token_url(), &subject);
    config.credentials = GcpCredentials::File(write(&dir, "wif.json", &file, 0o644));
    let log = CapturedLog::default();
    let _capturing = tracing::subscriber::set_default(log.subscriber());
    let kek = GcpKek::open(&config, &environment()).await.unwrap();
    kek.wrap(&ctx(), &Dek::generate().unwrap()).await.unwrap();
    let tokens = fake.tokens();
    assert_eq!(tokens.len(), 2);
    for secret in [&*tokens[0], "subject-token-Xw93kd02"] {
        Canary::text("the token", secret).must_be_absent("the log", &log.bytes());
    }
}

#[tokio::test]
async fn a_token_that_does_not_come_ends_at_the_deadline() {
    let (fake, mut config, dir) = with_file("", 0o644);
    let subject = write(&dir, "subject", "subject-token-Xw93kd02", 0o600);
    let file = federation(&fake.token_url(), &subject);
    config.credentials = GcpCredentials::File(write(&dir, "wif.json", &file, 0o644));
    config.deadline_ms = 300;
    fake.break_calls("token", Fault::Hang);
    let hung = GcpKek::open(&config, &environment()).await;
    assert!(matches!(hung, Err(Error::Timeout(_))), "{hung:?}");
    fake.heal();
    let body = "{\"error\":\"invalid_grant\",\"error_description\":\"subject-token-Xw93kd02\"}";
    fake.break_calls("token", Fault::Reply(400, body.to_owned()));
    let refused = GcpKek::open(&config, &environment()).await.unwrap_err();
    assert!(matches!(refused, Error::Denied(_)), "{refused:?}");
    assert!(!format!("{refused:?} {refused}").contains("Xw93"));
}

#[tokio::test]
async fn a_foreign_token_is_not_sent_in_the_clear() {
    let (_fake, mut config, dir) = with_file("", 0o644);
    let subject = write(&dir, "subject", "x", 0o600);
    let file = federation("http://sts.googleapis.com/v1/token", &subject);
    config.credentials = GcpCredentials::File(write(&dir, "wif.json", &file, 0o644));
    let refused = GcpKek::open(&config, &environment()).await;
    assert!(matches!(refused, Err(Error::Insecure(_))), "{refused:?}");
}
