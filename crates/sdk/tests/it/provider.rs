//! A real provider in this process.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use halfkey::{WalletClient, WalletClientOpts};
use halfkey_core::wire::Scope;
use halfkey_core::{Clock, EnvironmentId, Generation, SecretString, SystemClock};
use halfkey_server::recovery::{self, Approval, Wanted};
use halfkey_server::tokens::NewToken;
use halfkey_server::{Config, InitOptions, Limits, RunningServer, Server, Tls};
use tempfile::TempDir;

pub(crate) struct Provider {
    dir: TempDir,
    server: Option<RunningServer>,
    config: Config,
    pub(crate) environment: EnvironmentId,
    pub(crate) identity: String,
    pub(crate) fingerprint: String,
    pub(crate) token: SecretString,
}

/// What a test may want to be different.
pub(crate) struct Setup {
    pub(crate) tls: Tls,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            tls: Tls::None,
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
        }
    }
}

impl Provider {
    pub(crate) async fn start() -> Self {
        Self::start_with(Setup::default()).await
    }

    pub(crate) async fn start_with(setup: Setup) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join("provider");
        let options = InitOptions {
            storage: None,
            passphrase: None,
            environment: None,
            name: "test".to_owned(),
            first_token: NewToken {
                name: "test".to_owned(),
                scopes: Scope::ALL.to_vec(),
                expires_at: None,
            },
            clock: Arc::clone(&setup.clock),
        };
        let outcome = halfkey_server::init(&data_dir, options).await.unwrap();
        let config = Config {
            data_dir,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tls: setup.tls,
            metrics_listen: None,
            passphrase: None,
            accept_restore: false,
            allow_blind: Vec::new(),
            allow_loopback_webhooks: Vec::new(),
            limits: setup.limits,
            clock: setup.clock,
        };
        let server = Server::start(config.clone()).await.unwrap();
        Self {
            dir,
            server: Some(server),
            config,
            environment: outcome.environment,
            identity: outcome.identity_public_key,
            fingerprint: outcome.identity_fingerprint,
            token: outcome.token.unwrap().1,
        }
    }

    pub(crate) fn running(&self) -> &RunningServer {
        self.server.as_ref().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        self.running().url()
    }

    pub(crate) fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    /// Stops serving; the port stays free for nobody.
    pub(crate) async fn stop(&mut self) {
        self.server.take().unwrap().shutdown().await;
    }

    /// Serves the same data again.
    pub(crate) async fn start_again(&mut self) {
        self.server = Some(Server::start(self.config.clone()).await.unwrap());
    }

    /// Stops serving and keeps a copy of the database, as a backup would.
    pub(crate) async fn back_up(&mut self) {
        self.stop().await;
        Self::copy_database(&self.database_dir(), &self.dir.path().join("copy"));
        self.start_again().await;
    }

    /// Puts the copy back and accepts that, as its operator would.
    pub(crate) async fn restore(&mut self) {
        self.stop().await;
        Self::copy_database(&self.dir.path().join("copy"), &self.database_dir());
        let config = Config {
            accept_restore: true,
            ..self.config.clone()
        };
        self.server = Some(Server::start(config).await.unwrap());
    }

    fn database_dir(&self) -> PathBuf {
        self.config.data_dir.join("provider")
    }

    fn copy_database(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for suffix in ["", "-wal", "-shm"] {
            let name = format!("provider.db{suffix}");
            let (from, to) = (from.join(&name), to.join(&name));
            if from.exists() {
                std::fs::copy(from, to).unwrap();
            } else if to.exists() {
                std::fs::remove_file(to).unwrap();
            }
        }
    }

    /// Its operator lets a wallet fall back.
    pub(crate) async fn approve(
        &self,
        address: &str,
        generation: u64,
    ) -> Result<Approval, halfkey_server::Error> {
        let wanted = Wanted {
            address: address.to_owned(),
            generation: Generation(generation),
            reason: "a test".to_owned(),
            lasts: Duration::from_hours(24),
        };
        let clock = Arc::clone(&self.config.clock);
        let environment = Some(&self.environment);
        recovery::approve(&self.config.data_dir, environment, wanted, clock).await
    }

    pub(crate) fn opts(&self) -> WalletClientOpts {
        self.opts_at(&self.url())
    }

    pub(crate) fn opts_at(&self, url: &str) -> WalletClientOpts {
        WalletClientOpts::new(self.environment.as_str())
            .base_api_url(url)
            .provider_identity(self.identity.as_str())
    }

    pub(crate) async fn client(&self) -> WalletClient {
        self.client_with(self.opts()).await
    }

    pub(crate) async fn client_with(&self, opts: WalletClientOpts) -> WalletClient {
        let mut client = WalletClient::new(opts).unwrap();
        client
            .authenticate_api_token(self.token.expose())
            .await
            .unwrap();
        client
    }

    /// A client whose token has these scopes only.
    pub(crate) async fn client_of(&self, scopes: &[Scope]) -> WalletClient {
        let new = NewToken {
            name: "small".to_owned(),
            scopes: scopes.to_vec(),
            expires_at: None,
        };
        let clock = Arc::clone(&self.config.clock);
        let data_dir = &self.config.data_dir;
        let made = halfkey_server::tokens::create(data_dir, Some(&self.environment), new, clock);
        let token = made.await.unwrap().token;
        let mut client = WalletClient::new(self.opts()).unwrap();
        client.authenticate_api_token(token.expose()).await.unwrap();
        client
    }
}
