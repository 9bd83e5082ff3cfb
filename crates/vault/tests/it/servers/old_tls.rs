//! A peer that offers TLS 1.2 and nothing newer, for every back-end that speaks HTTP.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use halfkey_testkit::servers::TestCa;
use halfkey_vault::Error;
use halfkey_vault::kms::aws::{AwsKek, AwsKekConfig};
use halfkey_vault::kms::azure::{AzureKek, AzureKekConfig};
use halfkey_vault::kms::gcp::{GcpKek, GcpKekConfig};
use halfkey_vault::kms::transit::{TransitConfig, TransitKek};
use halfkey_vault::net::aws::AwsCredentials;
use halfkey_vault::net::azure::AzureCredential;
use halfkey_vault::net::gcp::GcpCredentials;
use halfkey_vault::net::openbao::{OpenBaoAuth, OpenBaoConfig};
use halfkey_vault::net::{MinTls, SecretSource, TlsConfig};
use halfkey_vault::store::s3::{S3Config, S3Credentials, S3Records};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::environment;

/// Answers 404 to whoever completes a handshake, and counts them.
struct Old {
    url: String,
    handshakes: Arc<AtomicUsize>,
}

async fn start(ca: &TestCa) -> Old {
    let chain = CertificateDer::pem_file_iter(ca.certificate_file()).unwrap();
    let key = PrivateKeyDer::from_pem_file(ca.key_file()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.map(Result::unwrap).collect(), key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let handshakes = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&handshakes);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(socket).await else {
                continue;
            };
            counter.fetch_add(1, Ordering::SeqCst);
            let reply = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            drop(stream.write_all(reply).await);
            drop(stream.shutdown().await);
        }
    });
    Old { url, handshakes }
}

/// Something of a secret's form, in a private file.
fn secret(dir: &Path) -> SecretSource {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dir.join("secret");
    std::fs::write(&path, "AKIAIOSFODNN7EXAMPLE").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    SecretSource::File(path)
}

const BACKENDS: [&str; 5] = ["transit", "s3", "aws", "gcp", "azure"];

/// Opens one of them there; it is no server of its kind, so none opens.
async fn open(backend: &str, url: &str, tls: TlsConfig, dir: &Path) -> Error {
    let (url, deadline_ms) = (url.to_owned(), 30_000);
    let environment = environment();
    match backend {
        "transit" => {
            let server = OpenBaoConfig {
                address: url,
                namespace: None,
                auth: OpenBaoAuth::Token(secret(dir)),
                tls,
                deadline_ms,
                allow_in_memory_server: true,
            };
            let config = TransitConfig {
                server,
                mount: "transit".to_owned(),
                key: None,
            };
            TransitKek::open(&config, &environment).await.map(drop)
        }
        "s3" => {
            let config = S3Config {
                bucket: "bucket".to_owned(),
                region: "us-east-1".to_owned(),
                prefix: "case".to_owned(),
                endpoint: Some(url),
                credentials: Some(S3Credentials {
                    access_key_id: secret(dir),
                    secret_access_key: secret(dir),
                    session_token: None,
                }),
                tls,
                deadline_ms,
            };
            S3Records::open(&config, &environment).await.map(drop)
        }
        "aws" => {
            let config = AwsKekConfig {
                key_id: "alias/x".to_owned(),
                region: "eu-central-1".to_owned(),
                endpoint: Some(url),
                credentials: Some(AwsCredentials::Keys {
                    access_key_id: secret(dir),
                    secret_access_key: secret(dir),
                    session_token: None,
                }),
                tls,
                deadline_ms,
            };
            AwsKek::open(&config, &environment).await.map(drop)
        }
        "gcp" => {
            let config = GcpKekConfig {
                key: "projects/p/locations/l/keyRings/r/cryptoKeys/k".to_owned(),
                endpoint: Some(url),
                tls,
                credentials: GcpCredentials::Anonymous,
                deadline_ms,
            };
            GcpKek::open(&config, &environment).await.map(drop)
        }
        "azure" => {
            let config = AzureKekConfig {
                vault_url: url.clone(),
                key_name: "key".to_owned(),
                credential: AzureCredential::ClientSecret {
                    tenant_id: "tenant".to_owned(),
                    client_id: "application".to_owned(),
                    secret: secret(dir),
                },
                authority_url: Some(url),
                tls,
                deadline_ms,
                allow_loopback: true,
            };
            AzureKek::open(&config, &environment).await.map(drop)
        }
        other => panic!("{other} is not in the table"),
    }
    .unwrap_err()
}

/// Nothing is sent to such a peer unless the configuration allows it; then it is spoken to, which
/// also shows that it was the version that kept them apart before.
#[tokio::test]
async fn tls_1_2_is_spoken_by_configuration_only() {
    let (ca, dir) = (TestCa::new(), tempfile::tempdir().unwrap());
    for backend in BACKENDS {
        let old = start(&ca).await;
        let tls = |min_tls| TlsConfig {
            ca_file: Some(ca.ca_file()),
            min_tls,
        };
        let error = open(backend, &old.url, tls(MinTls::V1_3), dir.path()).await;
        let spoken = old.handshakes.load(Ordering::SeqCst);
        assert_eq!(spoken, 0, "{backend}: {error}");
        let error = open(backend, &old.url, tls(MinTls::V1_2), dir.path()).await;
        let spoken = old.handshakes.load(Ordering::SeqCst);
        assert!(spoken > 0, "{backend}: {error}");
    }
}
