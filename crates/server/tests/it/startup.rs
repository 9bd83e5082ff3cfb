//! What keeps a provider from starting.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use halfkey_core::SecretString;
use halfkey_core::wire::CeremonyReply;
use halfkey_server::{Error, InitOptions, Server, Tls, init};

use crate::customer::{EVM, SVM, create, sign, sign_path, sign_request, step};
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
        storage: None,
        passphrase: Some(passphrase.clone()),
        ..init_options(&world.clock, None)
    };
    init(home.path(), options).await.unwrap();
    let start = async |passphrase: Option<&str>| {
        let mut config = world.config();
        config.data_dir = home.path().to_owned();
        // That of another home is not served here.
        config.allow_loopback_webhooks.clear();
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
async fn a_shutdown_lets_a_signature_end_and_begins_none() {
    let mut world =
        World::with(|config| config.limits.ceremony_drain = Duration::from_mins(10)).await;
    let wallet = create(&world, EVM).await;
    let path = sign_path(&world, &wallet);
    let (mut signing, request) = sign_request(&wallet.shares[0], b"under way");
    let opened: CeremonyReply = world.post(&path, &request).await.ok();
    let url = world.url("");
    let server = world.server.take().unwrap();
    // Polled once: from here on it has begun.
    let mut stopping = Box::pin(server.shutdown());
    tokio::select! {
        biased;
        () = &mut stopping => panic!("a signature is under way"),
        () = std::future::ready(()) => {}
    }
    let stopping = tokio::spawn(stopping);
    let post = async |path: &str, body: Vec<u8>| {
        let request = world
            .http
            .post(format!("{url}{path}"))
            .header("authorization", format!("Bearer {}", world.jwt))
            .header("content-type", "application/json")
            .body(body);
        crate::world::answer(request).await
    };
    let (_, request) = sign_request(&wallet.shares[0], b"too late");
    let refused = post(&path, serde_json::to_vec(&request).unwrap()).await;
    refused.refused(503, "unavailable");
    assert!(refused.headers.contains_key("retry-after"));
    assert!(!stopping.is_finished(), "a signature is under way");
    let round = signing.answer(&opened);
    let last = post(&step(&opened), serde_json::to_vec(&round).unwrap()).await;
    signing.answer(&last.ok());
    assert!(signing.signature.is_some());
    stopping.await.unwrap();
    let outcomes = crate::slots::outcomes(&world).await;
    assert!(outcomes.contains(&("signed".to_owned(), 2)), "{outcomes:?}");
    assert!(
        outcomes.iter().all(|(outcome, _)| outcome != "abandoned"),
        "{outcomes:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_waits_for_no_customer_for_ever() {
    let mut world = World::start().await;
    let wallet = create(&world, EVM).await;
    let (_, request) = sign_request(&wallet.shares[0], b"never comes back");
    let path = sign_path(&world, &wallet);
    world.post(&path, &request).await.ok::<CeremonyReply>();
    world.down().await;
    let outcomes = crate::slots::outcomes(&world).await;
    assert!(
        outcomes.contains(&("abandoned".to_owned(), 1)),
        "{outcomes:?}"
    );
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
