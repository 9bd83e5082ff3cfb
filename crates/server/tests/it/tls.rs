//! TLS 1.3 only.

use halfkey_server::Tls;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::world::World;

async fn dev() -> World {
    let mut world = World::start().await;
    world.down().await;
    let mut config = world.config();
    config.tls = Tls::Dev;
    world.server = Some(halfkey_server::Server::start(config).await.unwrap());
    world
}

fn client(world: &World, versions: &[&'static rustls::SupportedProtocolVersion]) -> TlsConnector {
    let ca = world.server().ca_file().unwrap();
    let mut roots = RootCertStore::empty();
    for cert in rustls::pki_types::CertificateDer::pem_file_iter(ca).unwrap() {
        roots.add(cert.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn get(world: &World, connector: TlsConnector) -> std::io::Result<String> {
    let stream = TcpStream::connect(world.server().addr()).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, stream).await?;
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_3_is_served_and_1_2_is_not() {
    let world = dev().await;
    assert!(world.server().url().starts_with("https://"));
    let text = get(&world, client(&world, &[&rustls::version::TLS13]))
        .await
        .unwrap();
    assert!(
        text.starts_with("HTTP/1.1 200") && text.ends_with("ok"),
        "{text}"
    );
    let error = get(&world, client(&world, &[&rustls::version::TLS12]))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("ProtocolVersion"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_to_a_tls_port_gets_nothing() {
    let world = dev().await;
    let mut stream = TcpStream::connect(world.server().addr()).await.unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut bytes = Vec::new();
    // A TLS alert, or nothing before the close; never an HTTP reply.
    drop(stream.read_to_end(&mut bytes).await);
    assert!(!bytes.starts_with(b"HTTP"), "{bytes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn development_certificates_are_kept_and_renewed() {
    let mut world = dev().await;
    let ca = world.server().ca_file().unwrap();
    let first = std::fs::read(&ca).unwrap();
    let again = async |world: &mut World| {
        world.down().await;
        let mut config = world.config();
        config.tls = Tls::Dev;
        world.server = Some(halfkey_server::Server::start(config).await.unwrap());
        std::fs::read(&ca).unwrap()
    };
    assert_eq!(again(&mut world).await, first);
    world
        .clock
        .advance(std::time::Duration::from_hours(359 * 24));
    assert_ne!(again(&mut world).await, first);
    let mode = {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(ca.with_file_name("key.pem"))
            .unwrap()
            .permissions()
            .mode()
    };
    assert_eq!(mode & 0o777, 0o600);
}
