//! One exchange with a Google API, bounded in time and size.

use core::time::Duration;

use bytes::Bytes;
use google_cloud_auth::credentials::{CacheableResource, Credentials};
use google_cloud_auth::errors::CredentialsError;
use http::{Extensions, HeaderMap};
use reqwest::{Client, Method, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;
use zeroize::Zeroizing;

use super::{GcpCredentials, Refusal};
use crate::Error;
use crate::net::{TlsConfig, endpoint, http_client};

/// The longest reply that is read, in bytes. The longest secret is 88 KB in base64, a page of 500
/// secrets about half a megabyte; people can write more beside theirs.
const MAX_REPLY: usize = 4 << 20;

/// Room for a request with a data key, so that building it leaves no copy behind.
const REQUEST_CAPACITY: usize = 1024;

/// Where an API is and how it is reached.
pub(crate) struct Place<'a> {
    /// Its name in errors.
    pub(crate) peer: &'static str,
    /// Google's endpoint.
    pub(crate) default_endpoint: &'static str,
    /// Another one.
    pub(crate) endpoint: Option<&'a str>,
    pub(crate) tls: &'a TlsConfig,
    pub(crate) credentials: &'a GcpCredentials,
    pub(crate) deadline_ms: u64,
}

/// A client of one API.
pub(crate) struct RestClient {
    http: Client,
    base: Url,
    peer: &'static str,
    credentials: Credentials,
    deadline: Duration,
}

impl RestClient {
    /// Prepares; makes no call.
    pub(crate) fn new(place: &Place<'_>) -> Result<Self, Error> {
        let base = endpoint::parse_http(place.endpoint.unwrap_or(place.default_endpoint))?;
        if place.deadline_ms == 0 {
            return Err(Error::Config("deadline_ms must be at least 1".to_owned()));
        }
        let deadline = Duration::from_millis(place.deadline_ms);
        Ok(Self {
            http: http_client::build(&base, place.tls, deadline)?,
            credentials: place.credentials.build(&base)?,
            base,
            peer: place.peer,
            deadline,
        })
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Refusal> {
        self.call(Method::GET, path, query, None).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        body: &(impl Serialize + Sync),
    ) -> Result<T, Refusal> {
        self.call(Method::POST, path, query, Some(json(body)?))
            .await
    }

    pub(crate) async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        body: &(impl Serialize + Sync),
    ) -> Result<T, Refusal> {
        self.call(Method::PATCH, path, query, Some(json(body)?))
            .await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<(), Refusal> {
        let reply = self.call(Method::DELETE, path, &[], None).await;
        reply.map(|_: serde::de::IgnoredAny| ())
    }

    /// One request and its reply, the token for it included, within the deadline. Not repeated.
    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Result<T, Refusal> {
        let exchange = self.exchange(method, path, query, body);
        match tokio::time::timeout(self.deadline, exchange).await {
            Ok(reply) => reply,
            Err(_) => Err(Error::Timeout(self.peer.to_owned()).into()),
        }
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Result<T, Refusal> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/v1/{path}", url.path().trim_end_matches('/')));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.http.request(method, url).headers(self.token().await?);
        if let Some(body) = body {
            request = request
                .header(http::header::CONTENT_TYPE, "application/json")
                .body(body);
        }
        let failed = |failure: reqwest::Error| http_client::error(self.peer, &failure);
        let reply = request.send().await.map_err(failed)?;
        let status = reply.status();
        let body = self.read(reply).await?;
        if !status.is_success() {
            return Err(Refusal::from_reply(self.peer, status, &body));
        }
        let understood = serde_json::from_slice(&body);
        understood.map_err(|_| self.misunderstood().into())
    }

    /// The headers that say who calls; the library keeps a token until it is about to expire.
    async fn token(&self) -> Result<HeaderMap, Error> {
        let no_token = |error: CredentialsError| {
            // Its text can hold what a token server answered.
            if error.is_transient() {
                Error::temporary(format!("{}: no token from Google at the moment", self.peer))
            } else {
                Error::Denied(format!("{}: Google gives no token", self.peer))
            }
        };
        let headers = self.credentials.headers(Extensions::new()).await;
        match headers.map_err(no_token)? {
            CacheableResource::New { data, .. } => Ok(data),
            CacheableResource::NotModified => Err(self.misunderstood()),
        }
    }

    async fn read(&self, mut reply: Response) -> Result<Zeroizing<Vec<u8>>, Error> {
        let announced = reply.content_length().unwrap_or_default();
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        if announced > MAX_REPLY {
            return Err(self.misunderstood());
        }
        let mut body = Zeroizing::new(Vec::with_capacity(announced.max(REQUEST_CAPACITY)));
        let failed = |failure: reqwest::Error| http_client::error(self.peer, &failure);
        while let Some(piece) = reply.chunk().await.map_err(failed)? {
            if body.len().saturating_add(piece.len()) > MAX_REPLY {
                return Err(self.misunderstood());
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// A success that does not say what was asked for: nothing is known about the resource.
    pub(crate) fn misunderstood(&self) -> Error {
        Error::temporary(format!(
            "{}: its reply is not what was asked for",
            self.peer
        ))
    }
}

/// The body of a request; wiped when the client has sent it.
fn json(body: &impl Serialize) -> Result<Bytes, Error> {
    let mut text = Zeroizing::new(Vec::with_capacity(REQUEST_CAPACITY));
    serde_json::to_writer(&mut *text, body)
        .map_err(|_| Error::permanent("a request cannot be written as JSON"))?;
    Ok(Bytes::from_owner(text))
}
