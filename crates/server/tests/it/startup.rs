//! What keeps a provider from starting.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;

use halfkey_core::SecretString;
use halfkey_server::{Error, InitOptions, Server, Tls, init};

use crate::customer::{SVM, create, sign};
use crate::world::{World, init_options};

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_is_for_loopback_only() {
    let world = World::start().await;
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let mut config = world.config();
        config.listen = address.parse().unwrap();
        let error = Server::start(config).await.unwrap_err();
        assert!(matches!(error, Error::PlainHttpNotLoopback(_)), "{error}");
    }
    let mut config = world.config();
    config.metrics_listen = Some(SocketAddr::from(([0, 0, 0, 0], 0)));
    let error = Server::start(config).await.unwrap_err();
    assert!(matches!(error, Error::MetricsNotLoopback(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_serves_a_directory() {
    let mut world = World::start().await;
    assert!(matches!(
        world.refused_start().await,
        Error::AlreadyServing(_)
    ));
    world.restart().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_without_a_provider_is_named() {
    let world = World::start().await;
    let empty = tempfile::tempdir().unwrap();
    let mut config = world.config();
    config.data_dir = empty.path().to_owned();
    let error = Server::start(config).await.unwrap_err();
    assert!(
        matches!(&error, Error::NotInitialised(dir) if dir == empty.path()),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyring_open_to_others_is_refused() {
    let mut world = World::start().await;
    world.down().await;
    let environment = world
        .provider_dir()
        .join("environments")
        .join(world.environment.as_str());
    let keyring = environment.join("keyring");
    let mode = |mode| {
        std::fs::set_permissions(&keyring, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(0o644);
    assert!(matches!(world.refused_start().await, Error::Vault(_)));
    mode(0o600);
    world.up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_files_of_another_environment_or_changed_ones_are_refused() {
    let mut world = World::start().await;
    world.down().await;
    let environment = world
        .provider_dir()
        .join("environments")
        .join(world.environment.as_str());
    for file in ["identity.sealed", "session-key.sealed"] {
        let path = environment.join(file);
        let good = std::fs::read(&path).unwrap();
        for at in [0, good.len() / 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, bad).unwrap();
            let error = world.refused_start().await;
            assert!(
                matches!(error, Error::Vault(_) | Error::SealedFile { .. }),
                "{error}"
            );
        }
        std::fs::write(&path, &good[..good.len() - 1]).unwrap();
        let error = world.refused_start().await;
        assert!(
            matches!(error, Error::Vault(_) | Error::SealedFile { .. }),
            "{error}"
        );
        std::fs::write(&path, good).unwrap();
    }
    // The one is not taken for the other.
    let identity = environment.join("identity.sealed");
    let good = std::fs::read(&identity).unwrap();
    std::fs::copy(environment.join("session-key.sealed"), &identity).unwrap();
    assert!(matches!(world.refused_start().await, Error::Vault(_)));
    std::fs::write(&identity, good).unwrap();
    world.up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_is_needed_where_one_was_set() {
    let world = World::start().await;
    let home = tempfile::tempdir().unwrap();
    let passphrase = SecretString::from("correct horse");
    let options = InitOptions {
        passphrase: Some(passphrase.clone()),
        ..init_options(&world.clock, None)
    };
    init(home.path(), options).await.unwrap();
    let start = async |passphrase: Option<&str>| {
        let mut config = world.config();
        config.data_dir = home.path().to_owned();
        config.passphrase = passphrase.map(SecretString::from);
        Server::start(config).await
    };
    assert!(matches!(start(None).await.unwrap_err(), Error::Vault(_)));
    assert!(matches!(
        start(Some("wrong")).await.unwrap_err(),
        Error::Vault(_)
    ));
    start(Some("correct horse")).await.unwrap().shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unusable_certificates_are_named() {
    let world = World::start().await;
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let mut config = world.config();
    config.data_dir = dir.path().join("none");
    config.tls = Tls::Files {
        cert: cert.clone(),
        key: key.clone(),
    };
    let mut second = World::start().await;
    second.down().await;
    let start = async || {
        let mut config = second.config();
        config.tls = Tls::Files {
            cert: cert.clone(),
            key: key.clone(),
        };
        Server::start(config).await.unwrap_err()
    };
    assert!(matches!(start().await, Error::Tls(_)));
    std::fs::write(&cert, "").unwrap();
    std::fs::write(&key, "not PEM").unwrap();
    assert!(matches!(start().await, Error::Tls(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_lets_requests_end_and_a_new_start_goes_on() {
    let mut world = World::start().await;
    let wallet = create(&world, SVM).await;
    for _ in 0..3 {
        world.restart().await;
        sign(&world, &wallet, &wallet.shares[0], b"x").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_reads_the_database() {
    let world = World::start().await;
    let mode = |name: &str| {
        let path = world.provider_dir().join(name);
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode(""), 0o700);
    for name in ["provider.db", "provider.db-wal", "boot-counter.json"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
}
