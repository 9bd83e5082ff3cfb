//! Azure Key Vault against a TLS fake.
//!
//! The fake is ours (no emulator can be had) and knows no RBAC; the vendor's own clients check it
//! in [`cross_check`]. What it does as Azure's reference says was not seen on Azure.

mod credentials;
mod cross_check;
mod faults;
mod kms;
mod manage;
mod open;
mod plaintext;
mod secrets;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use halfkey_testkit::servers::azure_fake::{AzureFake, CLIENT_SECRET};
use halfkey_testkit::tools;
use halfkey_vault::kms::azure::{AzureKek, AzureKekConfig};
use halfkey_vault::net::azure::AzureCredential;
use halfkey_vault::net::{SecretSource, TlsConfig};
use halfkey_vault::store::azure_secrets::{AzureSecrets, AzureSecretsConfig};
use serde_json::json;

use crate::support::{ctx, environment};

/// One for the whole binary.
fn fake() -> &'static AzureFake {
    static FAKE: OnceLock<AzureFake> = OnceLock::new();
    tools::real_part("azure-fake");
    FAKE.get_or_init(AzureFake::start)
}

/// A name that no other case has, and that is no part of another one.
fn unique(what: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("{what}{:04}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn tls() -> TlsConfig {
    TlsConfig {
        ca_file: Some(fake().ca().ca_file()),
        ..TlsConfig::default()
    }
}

/// The application that the fake knows. Its secret stands in a private file.
fn application() -> AzureCredential {
    static FILE: OnceLock<(tempfile::TempDir, std::path::PathBuf)> = OnceLock::new();
    let (_, path) = FILE.get_or_init(|| private_file(CLIENT_SECRET));
    client_secret(path)
}

fn private_file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    (dir, path)
}

fn client_secret(path: &std::path::Path) -> AzureCredential {
    AzureCredential::ClientSecret {
        tenant_id: "tenant".to_owned(),
        client_id: "application".to_owned(),
        secret: SecretSource::File(path.to_owned()),
    }
}

fn kek_config(key_name: &str) -> AzureKekConfig {
    AzureKekConfig {
        vault_url: fake().url(),
        key_name: key_name.to_owned(),
        credential: application(),
        authority_url: Some(fake().url()),
        tls: tls(),
        deadline_ms: 60_000,
        allow_loopback: true,
    }
}

fn secrets_config(prefix: &str) -> AzureSecretsConfig {
    AzureSecretsConfig {
        vault_url: fake().url(),
        credential: application(),
        prefix: prefix.to_owned(),
        purge: true,
        authority_url: Some(fake().url()),
        tls: tls(),
        deadline_ms: 60_000,
        allow_loopback: true,
    }
}

/// A fresh key of our environment; returns its name.
fn fresh_key() -> String {
    let name = unique("key");
    fake().create_key(&name, ctx().environment.as_str(), json!({}));
    name
}

async fn open_kek(name: &str) -> AzureKek {
    AzureKek::open(&kek_config(name), &environment())
        .await
        .unwrap()
}

async fn open_secrets(prefix: &str) -> AzureSecrets {
    AzureSecrets::open(&secrets_config(prefix), &environment())
        .await
        .unwrap()
}
