//! The one HTTP client of every back-end that speaks HTTP.

use core::time::Duration;

use reqwest::{Certificate, Client, redirect, tls};
use url::Url;

use super::endpoint;
use super::{MinTls, TlsConfig};
use crate::Error;

/// How long a connection may take to come up.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

const USER_AGENT: &str = concat!("halfkey/", env!("CARGO_PKG_VERSION"));

/// A client for `endpoint`: TLS 1.3 unless the configuration allows 1.2, certificates checked, no
/// redirects, warm connections, no proxy to this machine and its metadata service (link-local).
/// `deadline` is for a whole call.
///
/// # Errors
/// [`Error::Config`].
pub fn build(endpoint: &Url, config: &TlsConfig, deadline: Duration) -> Result<Client, Error> {
    let oldest = match config.min_tls {
        MinTls::V1_3 => tls::Version::TLS_1_3,
        MinTls::V1_2 => tls::Version::TLS_1_2,
    };
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .https_only(endpoint.scheme() == "https")
        .redirect(redirect::Policy::none())
        .referer(false)
        .tls_version_min(oldest)
        .connect_timeout(CONNECT_LIMIT)
        .timeout(deadline)
        .tcp_nodelay(true)
        .pool_idle_timeout(Duration::from_mins(1));
    if endpoint::is_loopback(endpoint) || endpoint::is_link_local(endpoint) {
        builder = builder.no_proxy();
    }
    if let Some(path) = &config.ca_file {
        let pem = std::fs::read(path).map_err(|error| {
            Error::Config(format!("ca_file {}: {}", path.display(), error.kind()))
        })?;
        let no_certificates = || {
            Error::Config(format!(
                "ca_file {} holds no PEM certificates",
                path.display()
            ))
        };
        let roots = Certificate::from_pem_bundle(&pem).map_err(|_| no_certificates())?;
        if roots.is_empty() {
            return Err(no_certificates());
        }
        builder = builder.tls_certs_only(roots);
    }
    builder
        .build()
        .map_err(|_| Error::Config("the HTTP client cannot be built as asked".to_owned()))
}

/// What a failed exchange with `peer` (a name, no URL) is.
pub fn error(peer: &str, failure: &reqwest::Error) -> Error {
    if failure.is_timeout() {
        return Error::Timeout(peer.to_owned());
    }
    // reqwest's own text can quote the URL; the cause below it cannot be told apart safely.
    let what = if failure.is_connect() {
        "cannot be reached, or its certificate is not trusted, or it offers no TLS 1.3"
    } else if failure.is_decode() || failure.is_body() {
        "its reply was cut or is not what was asked for"
    } else {
        "the request failed"
    };
    Error::temporary(format!("{peer}: {what}"))
}
