//! Who is asking.

use std::process::Command;

use halfkey_testkit::servers::azure_fake::{FEDERATED_TOKEN, MACHINE_HEADER};
use halfkey_vault::Error;
use halfkey_vault::kms::azure::{AzureKek, AzureKekConfig};
use halfkey_vault::net::SecretSource;
use halfkey_vault::net::azure::AzureCredential;
use serde_json::json;

use super::{client_secret, fake, fresh_key, kek_config, private_file, unique};
use crate::support::environment;

async fn open_as(credential: AzureCredential) -> Result<AzureKek, Error> {
    let mut config = kek_config(&fresh_key());
    config.credential = credential;
    AzureKek::open(&config, &environment()).await
}

fn service_account(token_file: &std::path::Path) -> AzureCredential {
    AzureCredential::WorkloadIdentity {
        tenant_id: Some("tenant".to_owned()),
        client_id: Some("application".to_owned()),
        token_file: Some(token_file.to_owned()),
    }
}

#[tokio::test]
async fn a_wrong_client_secret_is_denied_and_not_shown() {
    let (_dir, path) = private_file("wrong-canary-secret");
    let error = open_as(client_secret(&path)).await.unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error:?}");
    assert!(!format!("{error:?}{error}").contains("canary"));
    assert!(!format!("{:?}", client_secret(&path)).contains("canary"));
    let absent = client_secret(std::path::Path::new("/nonexistent/secret"));
    let error = open_as(absent).await.unwrap_err();
    assert!(matches!(error, Error::Config(_)), "{error:?}");
}

#[tokio::test]
async fn a_service_account_of_kubernetes_is_let_in() {
    let (_dir, path) = private_file(FEDERATED_TOKEN);
    open_as(service_account(&path)).await.unwrap();
    let (_dir, path) = private_file("another token");
    let error = open_as(service_account(&path)).await.unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error:?}");
    let absent = service_account(std::path::Path::new("/nonexistent/token"));
    let error = open_as(absent).await.unwrap_err();
    assert!(matches!(error, Error::Config(_)), "{error:?}");
}

/// The authority's failures are told apart as the vault's are.
#[tokio::test]
async fn an_authority_that_fails_is_no_refusal() {
    for (kind, with, deadline_ms) in [
        ("throttle", json!({}), 60_000),
        ("status", json!({ "status": 503 }), 60_000),
        ("cut", json!({}), 60_000),
        ("hang", json!({}), 500),
    ] {
        let tenant = unique("tenant");
        let mut config = kek_config(&fresh_key());
        config.deadline_ms = deadline_ms;
        if let AzureCredential::ClientSecret { tenant_id, .. } = &mut config.credential {
            tenant.clone_into(tenant_id);
        }
        let line = format!("/{tenant}/");
        fake().fault(&line, kind, with);
        let error = AzureKek::open(&config, &environment()).await.unwrap_err();
        fake().heal(&line);
        let right = match kind {
            "throttle" => matches!(error, Error::Throttled(_)),
            "hang" => matches!(error, Error::Timeout(_)),
            _ => matches!(
                error,
                Error::Backend {
                    temporary: true,
                    ..
                }
            ),
        };
        assert!(right, "{kind}: {error:?}");
    }
}

/// Set for the process below: the configuration, as JSON.
const CONFIG: &str = "HALFKEY_AZURE_TEST_CONFIG";

/// In a process of its own, whose environment says who it is.
#[tokio::test]
async fn opens_as_whoever_this_process_is() {
    let config: AzureKekConfig = match std::env::var(CONFIG) {
        Ok(json) => serde_json::from_str(&json).unwrap(),
        Err(_) => kek_config(&fresh_key()),
    };
    AzureKek::open(&config, &environment()).await.unwrap();
}

fn opens_in_a_process(credential: &serde_json::Value, variables: &[(&str, &str)]) -> bool {
    let config = json!({
        "vault_url": fake().url(),
        "key_name": fresh_key(),
        "credential": credential,
        "tls": { "ca_file": fake().ca().ca_file() },
        "deadline_ms": 60_000,
        "allow_loopback": true,
    });
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "servers::azure::credentials::opens_as_whoever_this_process_is",
        ])
        .env(CONFIG, config.to_string())
        .env_remove("HALFKEY_PARTS_FILE")
        .envs(variables.iter().copied());
    command.output().unwrap().status.success()
}

/// App Service's way; that of virtual machines has a fixed address, which is not this machine's.
#[test]
fn a_managed_identity_is_let_in() {
    let endpoint = format!("{}/msi/token", fake().url());
    let variables = |header: &'static str| {
        [
            ("IDENTITY_ENDPOINT", endpoint.clone()),
            ("IDENTITY_HEADER", header.to_owned()),
        ]
    };
    let credential = json!({ "kind": "managed_identity" });
    let opens = |header| {
        let variables = variables(header);
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        opens_in_a_process(&credential, &variables)
    };
    assert!(opens(MACHINE_HEADER));
    assert!(!opens("another"));
}

/// With a program of that name in place of the real one.
#[test]
fn whoever_is_signed_in_with_az_is_let_in() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let az = dir.path().join("az");
    let path = format!("{}:/usr/bin:/bin", dir.path().display());
    let credential = json!({ "kind": "azure_cli" });
    let token = fake().control("new_token", json!({}));
    for (token, let_in) in [(token.as_str().unwrap(), true), ("another", false)] {
        let reply = json!({
            "accessToken": token, "expires_on": 4_000_000_000_u64, "tokenType": "Bearer",
        });
        std::fs::write(&az, format!("#!/bin/sh\necho '{reply}'\n")).unwrap();
        std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(opens_in_a_process(&credential, &[("PATH", &path)]), let_in);
    }
}

#[test]
fn a_credential_shows_where_its_secret_is_not_what_it_is() {
    let credential = AzureCredential::ClientSecret {
        tenant_id: "t".to_owned(),
        client_id: "c".to_owned(),
        secret: SecretSource::Env("AZURE_SECRET".to_owned()),
    };
    assert!(format!("{credential:?}").contains("AZURE_SECRET"));
}
