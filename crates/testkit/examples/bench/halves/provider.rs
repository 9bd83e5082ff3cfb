//! The provider as a process of its own: the bench starts itself again.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use halfkey::{WalletClient, WalletClientOpts};
use halfkey_core::{SecretString, SystemClock};
use halfkey_server::tokens::NewToken;
use halfkey_server::{Config, InitOptions, InitOutcome, Limits, Server, Tls};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::Failure;

/// The provider's process: prints its address and serves until its standard input ends.
pub(crate) async fn serve(dir: PathBuf) -> Result<(), Failure> {
    let server = Server::start(Config {
        data_dir: dir,
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        tls: Tls::None,
        metrics_listen: None,
        passphrase: None,
        accept_restore: false,
        limits: Limits::default(),
        allow_blind: Vec::new(),
        allow_loopback_webhooks: Vec::new(),
        clock: Arc::new(SystemClock),
    })
    .await?;
    println!("{}", server.addr());
    tokio::task::spawn_blocking(|| {
        std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink())
    })
    .await??;
    server.shutdown().await;
    Ok(())
}

/// That process, from outside.
pub(super) struct Provider {
    child: Child,
    outcome: InitOutcome,
    pub(super) pid: u32,
    pub(super) addr: SocketAddr,
    _dir: TempDir,
}

impl Provider {
    pub(super) async fn start() -> Result<Self, Failure> {
        let dir = tempfile::tempdir()?;
        let options = InitOptions {
            storage: None,
            passphrase: None,
            environment: None,
            name: "bench".to_owned(),
            first_token: NewToken::default(),
            clock: Arc::new(SystemClock),
        };
        let outcome = halfkey_server::init(dir.path(), options).await?;
        let (child, addr) = spawn(dir.path()).await?;
        Ok(Self {
            pid: child.id().ok_or("provider ended")?,
            child,
            outcome,
            addr,
            _dir: dir,
        })
    }

    /// A client that reaches it at `addr`.
    pub(super) async fn connect(&self, addr: SocketAddr) -> Result<WalletClient, Failure> {
        let options = WalletClientOpts::new(self.outcome.environment.to_string())
            .base_api_url(format!("http://{addr}"))
            .provider_identity(&self.outcome.identity_public_key);
        let mut client = WalletClient::new(options)?;
        let token: &SecretString = &self.outcome.token.as_ref().ok_or("no first token")?.1;
        client.authenticate_api_token(token.expose()).await?;
        Ok(client)
    }

    pub(super) async fn stop(mut self) -> Result<(), Failure> {
        drop(self.child.stdin.take());
        self.child.wait().await?;
        Ok(())
    }
}

async fn spawn(dir: &Path) -> Result<(Child, SocketAddr), Failure> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("provider")
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = child.stdout.take().ok_or("no stdout")?;
    let line = BufReader::new(stdout)
        .lines()
        .next_line()
        .await?
        .ok_or("provider ended")?;
    Ok((child, line.parse()?))
}
