//! What is refused at open.

use halfkey_testkit::servers::TestCa;
use halfkey_vault::Error;
use halfkey_vault::kms::azure::{AzureKek, AzureKekConfig};
use halfkey_vault::store::azure_secrets::{AzureSecrets, AzureSecretsConfig};
use serde_json::json;

use super::{fake, fresh_key, kek_config, secrets_config, unique};
use crate::support::environment;

async fn refused(config: &AzureKekConfig) -> Error {
    AzureKek::open(config, &environment()).await.unwrap_err()
}

async fn refused_key(with: serde_json::Value) -> Error {
    let name = unique("key");
    fake().create_key(&name, "env-test", with);
    refused(&kek_config(&name)).await
}

#[tokio::test]
async fn a_key_of_another_environment_is_refused() {
    let name = unique("key");
    fake().create_key(&name, "env-other", json!({}));
    let error = refused(&kek_config(&name)).await;
    assert!(
        matches!(&error, Error::Environment { found, expected, .. }
            if found == "env-other" && expected == "env-test"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_key_without_a_mark_is_refused_with_the_remedy() {
    let name = unique("key");
    fake().control("create_key", json!({ "name": name }));
    let error = refused(&kek_config(&name)).await;
    assert!(matches!(error, Error::Config(_)), "{error:?}");
    let remedy = "az keyvault key set-attributes --tags halfkey-environment=env-test";
    assert!(error.to_string().contains(remedy), "{error}");
}

/// The mark of the newest version counts: it wraps.
#[tokio::test]
async fn the_newest_version_is_the_one_that_is_checked() {
    let name = fresh_key();
    fake().create_key(&name, "env-other", json!({}));
    let error = refused(&kek_config(&name)).await;
    assert!(matches!(error, Error::Environment { .. }), "{error:?}");
}

#[tokio::test]
async fn a_key_that_cannot_wrap_is_refused() {
    let error = refused_key(json!({ "enabled": false })).await;
    assert!(matches!(error, Error::KeyDisabled(_)), "{error:?}");
    for with in [
        json!({ "ops": ["wrapKey", "encrypt", "decrypt"] }),
        json!({ "ops": ["unwrapKey"] }),
        json!({ "ops": [] }),
        json!({ "kty": "EC" }),
        json!({ "size": 1024 }),
    ] {
        let error = refused_key(with.clone()).await;
        assert!(matches!(error, Error::Config(_)), "{with}: {error:?}");
    }
    let error = refused(&kek_config(&unique("absent"))).await;
    assert!(matches!(error, Error::Config(_)), "{error:?}");
}

#[tokio::test]
async fn a_configuration_that_cannot_be_used_is_refused() {
    let name = fresh_key();
    for (change, text) in [
        ("vault_url", "http://vault.azure.net"),
        ("vault_url", "http://localhost:1"),
        ("vault_url", "https://vault.azure.net/keys"),
        ("vault_url", "https://user@vault.azure.net"),
        ("vault_url", ""),
        ("authority_url", "http://login.example.com"),
        ("authority_url", "http://localhost:1"),
        ("key_name", ""),
        ("key_name", "a/b"),
        ("key_name", "a?b"),
        ("key_name", ".."),
        ("key_name", &"a".repeat(128)),
    ] {
        let mut config = kek_config(&name);
        match change {
            "vault_url" => text.clone_into(&mut config.vault_url),
            "authority_url" => config.authority_url = Some(text.to_owned()),
            _ => text.clone_into(&mut config.key_name),
        }
        let error = refused(&config).await;
        assert!(
            matches!(error, Error::Config(_) | Error::Insecure(_)),
            "{change} {text}: {error:?}"
        );
    }
    let mut config = kek_config(&name);
    config.deadline_ms = 0;
    let error = refused(&config).await;
    assert!(matches!(error, Error::Config(_)), "{error:?}");
    let mut config = kek_config(&name);
    config.allow_loopback = false;
    let error = refused(&config).await;
    assert!(matches!(error, Error::Insecure(_)), "{error:?}");
    let mut config = secrets_config("Bad_Prefix");
    config.deadline_ms = 1;
    let error = AzureSecrets::open(&config, &environment())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Config(_)), "{error:?}");
}

/// No request goes out, so no token either.
#[tokio::test]
async fn a_certificate_of_another_ca_is_refused() {
    let other = TestCa::new();
    let name = fresh_key();
    let mut config = kek_config(&name);
    config.tls.ca_file = Some(other.ca_file());
    let error = refused(&config).await;
    assert!(error.to_string().contains("not trusted"), "{error:?}");
    // The system's CAs do not know it either.
    config.tls.ca_file = None;
    let error = refused(&config).await;
    assert!(error.to_string().contains("not trusted"), "{error:?}");
    assert_eq!(fake().calls(&name), 0);
    let mut config = secrets_config("halfkey");
    config.tls.ca_file = Some(other.ca_file());
    let error = AzureSecrets::open(&config, &environment())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("not trusted"), "{error:?}");
}

#[test]
fn a_configuration_is_written_as_the_guide_says() {
    let kek: AzureKekConfig = toml::from_str(
        r#"
        vault_url = "https://halfkey-prod.vault.azure.net"
        key_name = "halfkey-kek"
        credential = { kind = "managed_identity" }
        "#,
    )
    .unwrap();
    assert_eq!((kek.deadline_ms, kek.allow_loopback), (10_000, false));
    let secrets: AzureSecretsConfig = toml::from_str(
        r#"
        vault_url = "https://halfkey-prod.vault.azure.net"
        [credential]
        kind = "client_secret"
        tenant_id = "t"
        client_id = "c"
        secret = { file = "/run/secrets/azure" }
        "#,
    )
    .unwrap();
    assert_eq!((&*secrets.prefix, secrets.purge), ("halfkey", true));
    for credential in [
        r#"kind = "managed_identity", client_id = "c""#,
        r#"kind = "workload_identity""#,
        r#"kind = "workload_identity", token_file = "/t", tenant_id = "t", client_id = "c""#,
        r#"kind = "azure_cli""#,
    ] {
        let text = format!("vault_url = \"u\"\nkey_name = \"k\"\ncredential = {{ {credential} }}");
        toml::from_str::<AzureKekConfig>(&text).unwrap();
    }
    for wrong in [
        "key_name = \"k\"\ncredential = { kind = \"azure_cli\" }",
        "vault_url = \"u\"\nkey_name = \"k\"",
        "vault_url = \"u\"\nkey_name = \"k\"\ncredential = { kind = \"azure_cli\", x = \"s\" }",
        "vault_url = \"u\"\nkey_name = \"k\"\nx = 1\ncredential = { kind = \"azure_cli\" }",
    ] {
        assert!(toml::from_str::<AzureKekConfig>(wrong).is_err(), "{wrong}");
    }
}
