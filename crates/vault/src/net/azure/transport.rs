//! The library's requests over our own HTTP client.

use core::time::Duration;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Method, Request, Transport};
use reqwest::Client;
use url::Url;

use crate::Error;
use crate::net::{TlsConfig, endpoint, http_client};

/// The longest reply that is read. A page of secrets is a few kilobytes.
const MAX_REPLY_LEN: usize = 1 << 20;

/// Where one client may send requests, whatever a reply says: tokens go with them.
#[derive(Debug)]
pub(super) enum Reach {
    /// Scheme, host and port of this URL.
    Origin(Url),
    /// The metadata service of the machine: link-local or loopback, without TLS.
    Metadata,
}

impl Reach {
    fn covers(&self, url: &Url) -> bool {
        match self {
            Self::Origin(origin) => url.origin() == origin.origin(),
            Self::Metadata => endpoint::is_link_local(url) || endpoint::is_loopback(url),
        }
    }
}

/// A transport that reaches nothing else.
///
/// # Errors
/// [`Error::Config`].
pub(super) fn transport(
    reach: Reach,
    tls: &TlsConfig,
    deadline: Duration,
) -> Result<Transport, Error> {
    let metadata = Url::parse("http://169.254.169.254")
        .map_err(|_| Error::Config("the metadata service has no URL".to_owned()))?;
    let endpoint = match &reach {
        Reach::Origin(url) => url,
        Reach::Metadata => &metadata,
    };
    let peer = endpoint.host_str().unwrap_or_default().to_owned();
    let client = http_client::build(endpoint, tls, deadline)?;
    Ok(Transport::new(Arc::new(OwnClient {
        client,
        reach,
        peer,
    })))
}

#[derive(Debug)]
struct OwnClient {
    client: Client,
    reach: Reach,
    /// For errors.
    peer: String,
}

#[async_trait]
impl HttpClient for OwnClient {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.exchange(request)
            .await
            .map_err(|error| azure_core::Error::new(ErrorKind::Io, error))
    }
}

impl OwnClient {
    async fn exchange(&self, request: &Request) -> Result<AsyncRawResponse, Error> {
        if !self.reach.covers(request.url()) {
            return Err(Error::Insecure(format!(
                "a request meant for {} would go elsewhere",
                self.peer
            )));
        }
        let mut outgoing = self
            .client
            .request(method(request.method())?, request.url().clone());
        for (name, value) in request.headers().iter() {
            outgoing = outgoing.header(name.as_str(), value.as_str());
        }
        let Body::Bytes(body) = request.body() else {
            return Err(Error::permanent(format!(
                "{}: a request as a stream",
                self.peer
            )));
        };
        let fail = |failure: reqwest::Error| http_client::error(&self.peer, &failure);
        let mut reply = outgoing.body(body.clone()).send().await.map_err(fail)?;
        let headers = headers(&reply);
        let status = reply.status().as_u16();
        let mut bytes = Vec::new();
        while let Some(chunk) = reply.chunk().await.map_err(fail)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_REPLY_LEN {
                return Err(Error::temporary(format!(
                    "{}: its reply is too long",
                    self.peer
                )));
            }
        }
        Ok(AsyncRawResponse::from_bytes(status.into(), headers, bytes))
    }
}

/// The library's own type cannot be matched without a branch for the future.
fn method(method: Method) -> Result<reqwest::Method, Error> {
    method
        .as_str()
        .parse()
        .map_err(|_| Error::permanent("a request with an unknown method"))
}

/// Those that are text; the library needs no others.
fn headers(reply: &reqwest::Response) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in reply.headers() {
        if let Ok(value) = value.to_str() {
            headers.insert(name.as_str().to_owned(), value.to_owned());
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn reach_rejects_other_places() {
        let vault = Reach::Origin(url("https://v.vault.azure.net"));
        assert!(vault.covers(&url("https://v.vault.azure.net/secrets?$skiptoken=x")));
        for other in [
            "http://v.vault.azure.net/",
            "https://v.vault.azure.net:444/",
            "https://w.vault.azure.net/",
            "https://v.vault.azure.net@example.com/",
        ] {
            assert!(!vault.covers(&url(other)), "{other}");
        }
        assert!(Reach::Metadata.covers(&url("http://169.254.169.254/metadata")));
        assert!(Reach::Metadata.covers(&url("http://127.0.0.1:41000/msi")));
        assert!(!Reach::Metadata.covers(&url("http://10.0.0.1/metadata")));
        assert!(!Reach::Metadata.covers(&url("http://example.com/metadata")));
    }
}
