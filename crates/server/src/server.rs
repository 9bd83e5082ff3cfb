//! Starting and stopping a provider.

mod metrics_listener;
mod start;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use halfkey_core::EnvironmentId;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::App;
use crate::ceremony::running::dispose_all;
use crate::ceremony::{lock, reaper, suspicion};
use crate::db::slots::SlotOutcome;
use crate::init::fingerprint;
use crate::{Config, Error, webhooks};

/// A provider that can be started.
#[derive(Debug, Clone, Copy)]
pub struct Server;

impl Server {
    /// Starts serving; the sockets listen when this returns.
    ///
    /// # Errors
    /// [`Error::NotInitialised`], [`Error::AlreadyServing`], [`Error::Restored`],
    /// [`Error::PlainHttpNotLoopback`], [`Error::Tls`], [`Error::Vault`] for a keyring that does
    /// not open, [`Error::Io`] for an address that is taken.
    pub async fn start(config: Config) -> Result<RunningServer, Error> {
        // Opening a KMS makes a future too large for the stack of whoever waits for it.
        Box::pin(start::start(config)).await
    }
}

/// A provider that is serving. Dropping it without [`RunningServer::shutdown`] stops nothing that
/// runs, but no new request is taken.
#[derive(Debug)]
pub struct RunningServer {
    app: Arc<App>,
    addr: SocketAddr,
    metrics_addr: Option<SocketAddr>,
    ca_file: Option<PathBuf>,
    tls: bool,
    environment: EnvironmentId,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    /// Held for as long as this process serves the directory.
    lock: std::fs::File,
}

impl RunningServer {
    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where metrics are served, if anywhere.
    pub const fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_addr
    }

    /// The CA file clients trust, with development TLS.
    pub fn ca_file(&self) -> Option<PathBuf> {
        self.ca_file.clone()
    }

    /// The URL clients use, without a path.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.addr)
    }

    /// The oldest environment served.
    pub const fn environment(&self) -> &EnvironmentId {
        &self.environment
    }

    /// The identity key of the oldest environment, 64 hex digits.
    pub fn identity_public_key(&self) -> String {
        self.app
            .environments
            .get(&self.environment)
            .map(|environment| hex::encode(environment.identity.verifying_key().to_bytes()))
            .unwrap_or_default()
    }

    /// The same as a fingerprint: `sha256:` and the SHA-256 of the 32 key bytes in hex (custody
    /// rule 17).
    pub fn identity_fingerprint(&self) -> String {
        self.app
            .environments
            .get(&self.environment)
            .map(|environment| fingerprint(&environment.identity.verifying_key().to_bytes()))
            .unwrap_or_default()
    }

    /// Ends ceremonies past their deadline now instead of at the next tick.
    pub async fn reap(&self) {
        reaper::reap(&self.app).await;
    }

    /// Tells webhooks what is due now instead of at the next tick.
    pub async fn send_webhooks(&self) {
        webhooks::send_due(&self.app).await;
    }

    /// Begins no new ceremony, answers the rounds of live ones until each has ended (for at most
    /// the configured time), finishes running requests, closes the database.
    pub async fn shutdown(self) {
        let Self {
            app,
            stop,
            tasks,
            lock,
            ..
        } = self;
        app.draining.store(true, Ordering::Release);
        let live = tokio::time::timeout(app.limits.ceremony_drain, app.table.until_empty());
        if live.await.is_err() {
            tracing::warn!("ceremonies were still live after the drain time");
        }
        stop.send_replace(true);
        let ended = tokio::time::timeout(app.limits.drain, async {
            for task in tasks {
                if let Err(error) = task.await {
                    tracing::error!(%error, "a server task failed");
                }
            }
            app.tasks_ended().await;
        });
        if ended.await.is_err() {
            tracing::warn!("requests were still running after the drain time");
        }
        // Open ceremonies end as abandoned: only a crash loses them (custody rule 14).
        let open = app.table.take_all();
        dispose_all(&app, open, SlotOutcome::Abandoned).await;
        if tokio::time::timeout(app.limits.drain, app.tasks_ended())
            .await
            .is_err()
        {
            tracing::warn!("ceremonies were still running after the drain time");
        }
        lock::write_pending(&app).await;
        suspicion::write_pending(&app).await;
        app.advance_anchor().await;
        app.db.close().await;
        drop(lock);
    }

    /// Waits until the accept loop ends, which it does only on shutdown.
    pub async fn wait(&mut self) {
        let mut stop = self.stop.subscribe();
        while !*stop.borrow_and_update() {
            if stop.changed().await.is_err() {
                return;
            }
        }
    }
}
