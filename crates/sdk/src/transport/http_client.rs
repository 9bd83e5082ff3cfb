use core::time::Duration;

use reqwest::{Certificate, Client, redirect, tls};
use url::Url;

use super::base_url;
use crate::opts::WalletClientOpts;
use crate::{Error, Result};

/// A round of ECDSA is 82 kB in one stream; HTTP/2's default window of 64 kB would stall it for a
/// round trip.
const WINDOW_BYTES: u32 = 1 << 20;

const USER_AGENT: &str = concat!("halfkey/", env!("CARGO_PKG_VERSION"));

/// TLS 1.3 or nothing, except to this machine; no redirects; warm connections.
pub(super) fn build(base: &Url, opts: &WalletClientOpts) -> Result<Client> {
    let loopback = base_url::is_loopback(base);
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .https_only(base.scheme() == "https")
        .redirect(redirect::Policy::none())
        .referer(false)
        .tls_version_min(tls::Version::TLS_1_3)
        .connect_timeout(opts.timeouts.connect)
        .read_timeout(opts.timeouts.read)
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(30))
        .pool_idle_timeout(Duration::from_secs(90))
        .http2_initial_stream_window_size(WINDOW_BYTES)
        .http2_initial_connection_window_size(WINDOW_BYTES.saturating_mul(4));
    if loopback {
        // A proxy has no business between two processes of one machine.
        builder = builder.no_proxy();
    }
    if let Some(path) = &opts.ca_file {
        let pem = std::fs::read(path).map_err(|error| {
            Error::InvalidArgument(format!("ca_file cannot be read: {}", error.kind()))
        })?;
        let roots = Certificate::from_pem_bundle(&pem)
            .map_err(|_| Error::InvalidArgument("ca_file holds no PEM certificates".to_owned()))?;
        if roots.is_empty() {
            return Err(Error::InvalidArgument(
                "ca_file holds no PEM certificates".to_owned(),
            ));
        }
        builder = builder.tls_certs_only(roots);
    }
    builder
        .build()
        .map_err(|_| Error::InvalidArgument("the HTTP client cannot be built as asked".to_owned()))
}
