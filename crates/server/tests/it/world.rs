//! One provider in a directory of its own, and a client for its API.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use halfkey_core::wire::{API_PREFIX, CBOR, Scope};
use halfkey_core::{Clock, EnvironmentId, UnixMillis};
use halfkey_server::tokens::{self, NewToken};
use halfkey_server::{Config, Error, InitOptions, Limits, RunningServer, Server, Tls, init};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        self.0
            .fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }
}

/// What a test may change before the provider starts.
pub(crate) type Tweak = fn(&mut Config);

pub(crate) struct World {
    pub(crate) home: TempDir,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) server: Option<RunningServer>,
    pub(crate) environment: EnvironmentId,
    pub(crate) identity: String,
    pub(crate) token: String,
    pub(crate) jwt: String,
    pub(crate) http: reqwest::Client,
    tweak: Tweak,
}

/// A reply.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| {
            panic!(
                "{error}: {}: {}",
                self.status,
                String::from_utf8_lossy(&self.bytes)
            )
        })
    }

    /// The error code; panics on a success.
    pub(crate) fn code(&self) -> String {
        assert!(
            self.status >= 400,
            "{} {}",
            self.status,
            String::from_utf8_lossy(&self.bytes)
        );
        let body = self.json();
        assert!(
            body["error"].is_string() && body["requestId"].is_string(),
            "{body}"
        );
        body["code"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn ok<T: DeserializeOwned>(&self) -> T {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.bytes));
        if self.headers["content-type"] == CBOR {
            ciborium::from_reader(self.bytes.as_slice()).unwrap()
        } else {
            serde_json::from_slice(&self.bytes).unwrap()
        }
    }

    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        let text = String::from_utf8_lossy(&self.bytes);
        assert_eq!(
            (self.status, self.code().as_str()),
            (status, code),
            "{text}"
        );
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// Limits short enough for tests; `tweak` changes what a test is about.
    pub(crate) async fn with(tweak: Tweak) -> Self {
        let home = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(1_767_225_600_000)));
        let outcome = init(home.path(), init_options(&clock, None)).await.unwrap();
        assert!(outcome.created);
        let (_, token) = outcome.token.unwrap();
        let mut world = Self {
            home,
            clock,
            server: None,
            environment: outcome.environment,
            identity: outcome.identity_public_key,
            token: token.expose().to_owned(),
            jwt: String::new(),
            http: reqwest::Client::new(),
            tweak,
        };
        world.up().await;
        world
    }

    pub(crate) fn config(&self) -> Config {
        let mut config = Config {
            data_dir: self.home.path().to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: Tls::None,
            metrics_listen: None,
            passphrase: None,
            accept_restore: false,
            allow_blind: Vec::new(),
            allow_loopback_webhooks: vec![self.environment.clone()],
            limits: Limits {
                slot_wait: Duration::ZERO,
                ceremony_drain: Duration::ZERO,
                ..Limits::default()
            },
            clock: self.clock(),
        };
        (self.tweak)(&mut config);
        config
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        shared(&self.clock)
    }

    pub(crate) async fn up(&mut self) {
        self.server = Some(Server::start(self.config()).await.unwrap());
        self.jwt = self.authenticate(&self.token).await;
    }

    /// An orderly stop, then a start that differs in this.
    pub(crate) async fn restart_with(&mut self, change: impl FnOnce(&mut Config)) {
        self.down().await;
        let mut config = self.config();
        change(&mut config);
        self.server = Some(Server::start(config).await.unwrap());
        self.jwt = self.authenticate(&self.token).await;
    }

    pub(crate) async fn down(&mut self) {
        self.server.take().unwrap().shutdown().await;
    }

    /// The process dies: nothing is settled.
    pub(crate) fn crash(&mut self) {
        drop(self.server.take().unwrap());
    }

    pub(crate) async fn crash_and_up(&mut self) {
        self.crash();
        self.up().await;
    }

    pub(crate) async fn restart(&mut self) {
        self.down().await;
        self.up().await;
    }

    pub(crate) async fn refused_start(&self) -> Error {
        Server::start(self.config()).await.unwrap_err()
    }

    pub(crate) fn server(&self) -> &RunningServer {
        self.server.as_ref().unwrap()
    }

    pub(crate) fn provider_dir(&self) -> PathBuf {
        self.home.path().join("provider")
    }

    pub(crate) async fn new_token(
        &self,
        scopes: &[Scope],
        expires_at: Option<UnixMillis>,
    ) -> String {
        let new = NewToken {
            name: "test".to_owned(),
            scopes: scopes.to_vec(),
            expires_at,
        };
        let clock = self.clock();
        let created = tokens::create(self.home.path(), Some(&self.environment), new, clock)
            .await
            .unwrap();
        created.token.expose().to_owned()
    }

    /// A session made with `token`.
    pub(crate) async fn authenticate(&self, token: &str) -> String {
        let path = format!("/environments/{}/waas/authenticate", self.environment);
        let answer = self.send(Method::POST, &path, token, None::<&()>).await;
        let reply: Value = answer.ok();
        reply["encodedJwts"]["minifiedJwt"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{API_PREFIX}{path}", self.server().url())
    }

    /// `/sdk/{env}/waas` + path.
    pub(crate) fn sdk(&self, path: &str) -> String {
        format!("/sdk/{}/waas{path}", self.environment)
    }

    /// A JSON request with this credential.
    pub(crate) async fn send<T: Serialize>(
        &self,
        method: Method,
        path: &str,
        credential: &str,
        body: Option<&T>,
    ) -> Answer {
        let mut request = self.http.request(method, self.url(path));
        if !credential.is_empty() {
            request = request.header("authorization", format!("Bearer {credential}"));
        }
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(serde_json::to_vec(body).unwrap());
        }
        answer(request).await
    }

    /// A JSON request of the first token's session.
    pub(crate) async fn post<T: Serialize>(&self, path: &str, body: &T) -> Answer {
        self.send(Method::POST, path, &self.jwt, Some(body)).await
    }

    pub(crate) async fn post_with_key<T: Serialize>(
        &self,
        path: &str,
        key: &str,
        body: &T,
    ) -> Answer {
        let request = self
            .http
            .post(self.url(path))
            .header("authorization", format!("Bearer {}", self.jwt))
            .header("idempotency-key", key)
            .header("content-type", "application/json")
            .body(serde_json::to_vec(body).unwrap());
        answer(request).await
    }

    pub(crate) async fn post_cbor<T: Serialize>(&self, path: &str, body: &T) -> Answer {
        let mut bytes = Vec::new();
        ciborium::into_writer(body, &mut bytes).unwrap();
        let request = self
            .http
            .post(self.url(path))
            .header("authorization", format!("Bearer {}", self.jwt))
            .header("content-type", CBOR)
            .header("accept", CBOR)
            .body(bytes);
        answer(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &self.jwt, None::<&()>).await
    }
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer {
        status,
        headers,
        bytes: response.bytes().await.unwrap().to_vec(),
    }
}

pub(crate) fn init_options(clock: &Arc<TestClock>, environment: Option<&str>) -> InitOptions {
    InitOptions {
        storage: None,
        passphrase: None,
        environment: environment.map(|id| id.parse().unwrap()),
        name: "test".to_owned(),
        first_token: NewToken::default(),
        clock: shared(clock),
    }
}

fn shared(clock: &Arc<TestClock>) -> Arc<dyn Clock> {
    let clock: Arc<TestClock> = Arc::clone(clock);
    clock
}
