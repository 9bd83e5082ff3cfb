//! The accept loop.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::connection;
use crate::app::App;

/// Accepts connections until `stop` changes, then waits for the open ones to end.
pub(crate) async fn run(
    app: Arc<App>,
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(app.limits.connections));
    let acceptor = tls.map(TlsAcceptor::from);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => break,
            Some(_) = connections.join_next() => continue,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                out_of_files(&error).await;
                continue;
            }
        };
        // A connection beyond the limit is closed at once: better than a queue nobody sees.
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            app.metrics
                .connections_refused
                .fetch_add(1, Ordering::Relaxed);
            continue;
        };
        let (app, router) = (Arc::clone(&app), router.clone());
        let (acceptor, stop) = (acceptor.clone(), stop.clone());
        connections.spawn(async move {
            app.metrics.connections_open.fetch_add(1, Ordering::Relaxed);
            connection::serve(&app.limits, stream, acceptor, router, stop).await;
            app.metrics.connections_open.fetch_sub(1, Ordering::Relaxed);
            drop(permit);
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// A peer that hung up again is nothing; running out of descriptors needs a pause.
async fn out_of_files(error: &std::io::Error) {
    if matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
    ) {
        return;
    }
    tracing::warn!(%error, "accept failed");
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
}
