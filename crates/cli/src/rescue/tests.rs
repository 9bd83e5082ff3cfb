//! What an error carried is there again for the next command.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use halfkey::{CreateOptions, StoreOptions, SvmWalletClient, WalletClientOpts};
use halfkey_core::SystemClock;
use halfkey_core::wire::Scope;
use halfkey_server::tokens::NewToken;
use halfkey_server::{Config, InitOptions, Limits, RunningServer, Server, Tls};
use halfkey_vault::Embedded;

use super::*;

fn carried(attempt: AttemptId) -> halfkey::Error {
    let share = ServerKeyShare::new("id", "canary-secret-share");
    halfkey::Error::NotActivated(Box::new(Unactivated {
        shares: vec![share],
        properties: WalletProperties::new("SVM", "w", "address"),
        attempt_id: attempt,
        source: halfkey::Error::BadSignature,
    }))
}

#[tokio::test]
async fn what_an_error_carries_is_sealed_into_a_private_file_and_read_again() {
    let outer = tempfile::tempdir().unwrap();
    let data = DataDir::at(outer.path());
    let environment: EnvironmentId = "env-test".parse().unwrap();
    let dir = data.private_dir("vault").unwrap();
    let clock = Arc::new(SystemClock);
    let opened = Embedded::create_or_open(&dir, &environment, None, clock, "test").await;
    let opened = opened.unwrap();
    let attempt = AttemptId::from_bytes([5; 16]);
    let failure = keep(&data, &opened.vault, &environment, carried(attempt)).await;
    assert!(failure.hint.unwrap().contains("resume"));
    let files = files(&data.private_dir("rescued").unwrap()).unwrap();
    let [file] = files.as_slice() else {
        panic!("{files:?}")
    };
    let mode = std::fs::metadata(file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let bytes = std::fs::read(file).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("canary"));
    let shares = read(file, &opened.vault, &environment)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(shares[0].secret_share, "canary-secret-share");
    // Under another attempt's name it is another attempt's file, and does not open.
    let other = file.with_file_name(format!("{}.sealed", AttemptId::from_bytes([6; 16])));
    std::fs::rename(file, &other).unwrap();
    assert!(read(&other, &opened.vault, &environment).await.is_err());
    opened.close().await;
}

/// A provider in this process, and what a customer needs to speak to it.
async fn provider(dir: &Path) -> (RunningServer, halfkey::WalletClient) {
    let clock = Arc::new(SystemClock);
    let options = InitOptions {
        storage: None,
        passphrase: None,
        environment: None,
        name: "test".to_owned(),
        first_token: NewToken {
            name: "test".to_owned(),
            scopes: Scope::DEFAULT.to_vec(),
            expires_at: None,
        },
        clock: Arc::<SystemClock>::clone(&clock),
    };
    let made = halfkey_server::init(dir, options).await.unwrap();
    let server = Server::start(Config {
        data_dir: dir.to_owned(),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        tls: Tls::None,
        metrics_listen: None,
        passphrase: None,
        accept_restore: false,
        limits: Limits::default(),
        allow_blind: Vec::new(),
        allow_loopback_webhooks: Vec::new(),
        clock,
    })
    .await
    .unwrap();
    let opts = WalletClientOpts::new(made.environment.as_str())
        .base_api_url(server.url())
        .provider_identity(made.identity_public_key);
    let mut client = halfkey::WalletClient::new(opts).unwrap();
    let token = made.token.unwrap().1;
    client.authenticate_api_token(token.expose()).await.unwrap();
    (server, client)
}

/// No file can be written below a name that is a file.
#[tokio::test(flavor = "multi_thread")]
async fn shares_that_cannot_be_written_down_are_given_to_the_store_again() {
    let outer = tempfile::tempdir().unwrap();
    let (server, client) = provider(&outer.path().join("provider")).await;
    let data = DataDir::at(outer.path());
    let environment: EnvironmentId = client.environment_id().parse().unwrap();
    let dir = data.private_dir("vault").unwrap();
    let clock = Arc::new(SystemClock);
    let opened = Embedded::create_or_open(&dir, &environment, None, clock, "test").await;
    let opened = opened.unwrap();
    let properties = Arc::new(halfkey_vault::store::memory::MemoryProperties::default());
    let store = WalletStore::new(
        Arc::new(client.clone()),
        opened.vault.clone(),
        properties,
        StoreOptions::default(),
    );
    std::fs::write(data.customer().join("rescued"), b"").unwrap();

    let made = SvmWalletClient::new(&client);
    let scheme = ThresholdSignatureScheme::TwoOfTwo;
    let wanted = CreateOptions::default();
    let pending = made.create_wallet_account_pending(scheme, &wanted).await;
    let pending = pending.unwrap();
    let inner = Unactivated {
        shares: pending.shares().to_vec(),
        properties: WalletProperties::new("SVM", pending.wallet_id().to_string(), ""),
        attempt_id: pending.attempt_id(),
        source: halfkey::Error::BadSignature,
    };
    let wallet = keep_or_adopt(&data, &store, &opened.vault, &environment, Box::new(inner)).await;
    let address = wallet.unwrap().account_address;
    store.sign_svm_message(&address, "x").await.unwrap();

    // What cannot be adopted either is said to be lost, and not shown.
    let halfkey::Error::NotActivated(inner) = carried(AttemptId::from_bytes([5; 16])) else {
        panic!("carries shares")
    };
    let failure = keep_or_adopt(&data, &store, &opened.vault, &environment, inner).await;
    let failure = failure.unwrap_err();
    assert_eq!(
        (failure.kind, &*failure.code),
        (ExitKind::Storage, "shares_lost")
    );
    assert!(!failure.message.contains("canary"));
    drop(store);
    opened.close().await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_lock_deep_in_an_error_is_written_down_or_shown() {
    let outer = tempfile::tempdir().unwrap();
    let data = DataDir::at(outer.path());
    let environment: EnvironmentId = "env-test".parse().unwrap();
    let dir = data.private_dir("vault").unwrap();
    let clock = Arc::new(SystemClock);
    let opened = Embedded::create_or_open(&dir, &environment, None, clock, "test").await;
    let opened = opened.unwrap();
    let lock = LockToken {
        environment: environment.clone(),
        wallet: WalletId::from_bytes([1; 16]),
        generation: Generation(0),
        attempt: AttemptId::from_bytes([2; 16]),
        ceremony: halfkey_core::CeremonyId::from_bytes([3; 16]),
        check: "x".to_owned(),
        at: halfkey_core::UnixMillis(1),
    };
    let error = || halfkey::Error::LeftPending {
        attempt: lock.attempt,
        source: Box::new(halfkey::Error::LockNotStored {
            lock: Box::new(lock.clone()),
            source: Box::new(halfkey::Error::BadSignature),
        }),
    };
    let failure = keep(&data, &opened.vault, &environment, error()).await;
    assert_eq!(failure.kind, ExitKind::Custody);
    let file = data.private_dir("locks").unwrap();
    let file = file.join(format!("{}.json", lock.ceremony));
    let kept: LockToken = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(kept, lock);

    std::fs::remove_dir_all(data.customer().join("locks")).unwrap();
    std::fs::write(data.customer().join("locks"), b"").unwrap();
    let failure = keep(&data, &opened.vault, &environment, error()).await;
    assert_eq!(failure.code, "lock_not_stored");
    let hint = failure.hint.unwrap();
    let json = hint.split_once(": ").unwrap().1;
    assert_eq!(serde_json::from_str::<LockToken>(json).unwrap(), lock);
    opened.close().await;
}
