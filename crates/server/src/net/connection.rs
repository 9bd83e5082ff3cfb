//! One connection, from its first byte to its end.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::idle::IdleStream;
use crate::config::Limits;

/// HTTP/2 receive windows: an 82 kB signing message does not wait for a window update.
const WINDOW: u32 = 1 << 20;
const MAX_STREAMS: u32 = 128;
/// Resets a peer may provoke before the connection is closed (rapid reset, CVE-2023-44487 and
/// CVE-2025-8671).
const MAX_RESETS: usize = 64;
/// For the end of a connection that was told to end.
const GRACE: Duration = Duration::from_secs(30);

/// Serves one connection. Whatever goes wrong with it concerns its peer alone.
pub(crate) async fn serve(
    limits: &Limits,
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    stop: watch::Receiver<bool>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let stream = IdleStream::new(stream, limits.first_byte, limits.idle);
    match acceptor {
        None => serve_http(limits, stream, router, stop).await,
        Some(acceptor) => {
            let handshake = tokio::time::timeout(limits.first_byte, acceptor.accept(stream));
            match handshake.await {
                Ok(Ok(stream)) => {
                    // The first request has its own time after the handshake.
                    let stream = IdleStream::new(stream, limits.first_byte, limits.idle);
                    serve_http(limits, stream, router, stop).await;
                }
                Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
                Err(_) => tracing::debug!("TLS handshake took too long"),
            }
        }
    }
}

async fn serve_http<S>(limits: &Limits, stream: S, router: Router, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let builder = builder(limits);
    let service = TowerToHyperService::new(router);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = tokio::time::sleep(limits.connection_age) => None,
        _ = stop.changed() => None,
    };
    let ended = if ended.is_some() {
        ended
    } else {
        connection.as_mut().graceful_shutdown();
        tokio::time::timeout(GRACE, connection).await.ok()
    };
    if let Some(Err(error)) = ended {
        tracing::debug!(error, "connection ended");
    }
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // hyper's own floor for this buffer is 8 kB.
    let header_bytes = limits.header_bytes.max(8192);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read)
        .max_buf_size(header_bytes)
        .max_headers(64);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_RESETS)
        .max_header_list_size(u32::try_from(header_bytes).unwrap_or(u32::MAX));
    builder
}
