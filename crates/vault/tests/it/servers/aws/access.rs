//! How the tests get in: made-up keys in private files, and the SDK's own clients for what Halfkey
//! itself has no right to do.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use halfkey_vault::kms::aws::AwsKekConfig;
use halfkey_vault::net::aws::{AwsAccess, AwsCredentials, connect};
use halfkey_vault::net::{SecretSource, TlsConfig};
use halfkey_vault::store::aws_secrets::{AwsSecrets, AwsSecretsConfig};

use crate::support::environment;

pub(super) const REGION: &str = "eu-central-1";

/// Long: the emulators are slow on a loaded machine.
pub(super) const DEADLINE_MS: u64 = 60_000;

/// A name that no other case uses.
pub(super) fn unique(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{what}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Keys the emulators accept.
pub(super) fn credentials() -> AwsCredentials {
    static DIR: OnceLock<tempfile::TempDir> = OnceLock::new();
    let dir = DIR.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [("id", "AKIAIOSFODNN7EXAMPLE"), ("secret", "not a secret\n")] {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        }
        dir
    });
    let file = |name: &str| SecretSource::File(dir.path().join(name));
    AwsCredentials::Keys {
        access_key_id: file("id"),
        secret_access_key: file("secret"),
        session_token: None,
    }
}

pub(super) fn tls(ca_file: Option<PathBuf>) -> TlsConfig {
    TlsConfig {
        ca_file,
        ..TlsConfig::default()
    }
}

/// The KEK `key_id` behind `endpoint`.
pub(super) fn kek_config(endpoint: &str, key_id: &str) -> AwsKekConfig {
    AwsKekConfig {
        key_id: key_id.to_owned(),
        region: REGION.to_owned(),
        endpoint: Some(endpoint.to_owned()),
        credentials: Some(credentials()),
        tls: TlsConfig::default(),
        deadline_ms: DEADLINE_MS,
    }
}

/// Secrets behind `endpoint`; short pages.
pub(super) fn secrets_config(endpoint: &str, prefix: &str) -> AwsSecretsConfig {
    AwsSecretsConfig {
        region: REGION.to_owned(),
        prefix: prefix.to_owned(),
        manager_key_id: None,
        endpoint: Some(endpoint.to_owned()),
        credentials: Some(credentials()),
        tls: TlsConfig::default(),
        deadline_ms: DEADLINE_MS,
        page_len: 5,
    }
}

pub(super) async fn open_secrets(endpoint: &str, prefix: &str) -> AwsSecrets {
    AwsSecrets::open(&secrets_config(endpoint, prefix), &environment())
        .await
        .unwrap()
}

async fn sdk(endpoint: &str, tls: &TlsConfig) -> aws_config::SdkConfig {
    let access = AwsAccess {
        region: REGION,
        endpoint: Some(endpoint),
        credentials: Some(&credentials()),
        tls,
        deadline_ms: DEADLINE_MS,
    };
    connect(&access).await.unwrap()
}

/// Whoever sets up keys.
pub(super) async fn kms(endpoint: &str) -> aws_sdk_kms::Client {
    aws_sdk_kms::Client::new(&sdk(endpoint, &TlsConfig::default()).await)
}

/// The same over TLS.
pub(super) async fn kms_tls(endpoint: &str, tls: &TlsConfig) -> aws_sdk_kms::Client {
    aws_sdk_kms::Client::new(&sdk(endpoint, tls).await)
}

/// Whoever looks at secrets from outside.
pub(super) async fn secrets(endpoint: &str) -> aws_sdk_secretsmanager::Client {
    aws_sdk_secretsmanager::Client::new(&sdk(endpoint, &TlsConfig::default()).await)
}
