//! TLS, redirects, token renewal, encodings, the provider's identity.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ThresholdSignatureScheme::TwoOfTwo;
use halfkey::{
    BodyFormat, Error, NetworkKind, SvmWalletClient, ThresholdSignatureScheme, WalletClient,
};
use halfkey_core::{Clock, SystemClock, UnixMillis};
use halfkey_server::{Limits, Tls};
use tokio::net::TcpListener;

use crate::http::{read_request, respond};
use crate::provider::{Provider, Setup};
use crate::vaults::Storage;

#[tokio::test(flavor = "multi_thread")]
async fn tls_trusts_exactly_the_ca_file() {
    let provider = Provider::start_with(Setup {
        tls: Tls::Dev,
        ..Setup::default()
    })
    .await;
    let ca_file = provider.running().ca_file().unwrap();
    assert!(provider.url().starts_with("https://"));
    let client = provider
        .client_with(provider.opts().ca_file(&ca_file))
        .await;
    let svm = SvmWalletClient::new(&client);
    let (properties, shares) = svm
        .create_wallet_account(TwoOfTwo, None, false)
        .await
        .unwrap();
    svm.sign_message(&properties, &shares, "over TLS")
        .await
        .unwrap();

    let mut stranger = WalletClient::new(provider.opts().max_retries(0)).unwrap();
    let error = stranger
        .authenticate_api_token(provider.token.expose())
        .await
        .unwrap_err();
    let Error::Network(network) = error else {
        panic!("{error:?}")
    };
    assert_eq!(network.kind, NetworkKind::Connect);
    assert!(!network.message.contains(provider.token.expose()));
    let missing = provider
        .opts()
        .ca_file(provider.data_dir().join("none.pem"));
    assert!(matches!(
        WalletClient::new(missing),
        Err(Error::InvalidArgument(_))
    ));
}

#[tokio::test]
async fn a_redirect_is_refused_and_the_token_goes_nowhere() {
    let provider = Provider::start().await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = elsewhere.local_addr().unwrap();
    let redirecting = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", redirecting.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = redirecting.accept().await {
            if read_request(&mut stream).await.is_some() {
                let head = format!("307 Temporary Redirect\r\nlocation: http://{target}/");
                respond(&mut stream, &head, b"").await;
            }
        }
    });
    let mut client = WalletClient::new(provider.opts_at(&url)).unwrap();
    let error = client
        .authenticate_api_token(provider.token.expose())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "redirect_refused", "{error:?}");
    let visited = tokio::time::timeout(Duration::ZERO, elsewhere.accept()).await;
    assert!(visited.is_err(), "the redirect was followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn json_bodies_work_as_well_as_cbor() {
    let provider = Provider::start().await;
    let client = provider
        .client_with(provider.opts().body_format(BodyFormat::Json))
        .await;
    let store = Storage::new().store(&client);
    let address = store.create_evm(TwoOfTwo).await.unwrap().account_address;
    store.sign_evm_message(&address, "json").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_identity_is_checked_and_pinned_on_first_use() {
    let provider = Provider::start().await;
    let with_print = provider
        .opts()
        .provider_identity(provider.fingerprint.as_str());
    let storage = Storage::new();
    let store = storage.store(&provider.client_with(with_print).await);
    let svm = halfkey::Variant::default();
    store.create_svm(TwoOfTwo, svm).await.unwrap();

    // Pinned: no configuration needed any more, and another one is refused.
    let mut bare = provider.opts();
    bare.provider_identity = None;
    let pinned = provider.client_with(bare.clone()).await;
    storage
        .store(&pinned)
        .create_svm(TwoOfTwo, svm)
        .await
        .unwrap();
    let other = Provider::start().await.identity;
    let swapped = provider
        .client_with(provider.opts().provider_identity(other.as_str()))
        .await;
    let error = storage
        .store(&swapped)
        .create_svm(TwoOfTwo, svm)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::ProviderIdentityMismatch),
        "{error:?}"
    );

    // Bare and unconfigured: nothing is trusted.
    let unknown = provider.client_with(bare).await;
    let bare = SvmWalletClient::new(&unknown);
    let error = bare
        .create_wallet_account(TwoOfTwo, None, false)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::ProviderIdentityRequired),
        "{error:?}"
    );
    // Configured with another key: keygen refuses the provider.
    let bare = SvmWalletClient::new(&swapped);
    assert!(
        bare.create_wallet_account(TwoOfTwo, None, false)
            .await
            .is_err()
    );
}

#[derive(Debug)]
struct Shifted(AtomicI64);

impl Clock for Shifted {
    fn now(&self) -> UnixMillis {
        SystemClock
            .now()
            .saturating_add_millis(self.0.load(Ordering::SeqCst))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_token_is_renewed_by_itself() {
    let clock = Arc::new(Shifted(AtomicI64::new(0)));
    let limits = Limits {
        session_ttl: Duration::from_mins(5),
        ..Limits::default()
    };
    let shared: Arc<dyn Clock> = Arc::<Shifted>::clone(&clock);
    let setup = Setup {
        limits,
        clock: Arc::clone(&shared),
        ..Setup::default()
    };
    let provider = Provider::start_with(setup).await;
    // One client sees the same clock and renews in time; the other is told that it is too late.
    let aware = provider.client_with(provider.opts().clock(shared)).await;
    let unaware = provider.client().await;
    let svm = SvmWalletClient::new(&aware);
    let (properties, shares) = svm
        .create_wallet_account(TwoOfTwo, None, false)
        .await
        .unwrap();
    for _ in 0..3 {
        clock.0.fetch_add(3_600_000, Ordering::SeqCst);
        svm.sign_message(&properties, &shares, "later")
            .await
            .unwrap();
        let late = SvmWalletClient::new(&unaware);
        late.sign_message(&properties, &shares, "later")
            .await
            .unwrap();
    }
}
