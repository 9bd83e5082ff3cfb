//! One request, one reply.

use bytes::Bytes;
use halfkey_core::SecretString;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Serialize;
use url::Url;
use zeroize::Zeroizing;

use super::{OpenBaoConfig, PEER, Reply, checked_path};
use crate::Error;
use crate::net::{endpoint, http_client};

/// The longest reply that is read. A server without paged lists sends every name at once, about 140
/// bytes each.
const MAX_REPLY_LEN: usize = 64 * 1024 * 1024;

/// A request: the path after `/v1/`.
pub(crate) struct Request {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Bytes>,
    in_namespace: bool,
}

impl Request {
    /// Reads `path`.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            query: Vec::new(),
            body: None,
            in_namespace: true,
        }
    }

    /// Writes `body` (see [`json_body`]) to `path`.
    pub(crate) fn post(path: impl Into<String>, body: Bytes) -> Self {
        Self {
            method: Method::POST,
            body: Some(body),
            ..Self::get(path)
        }
    }

    /// With a query parameter.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// For what belongs to the server, not to a namespace.
    pub(super) fn outside_namespaces(mut self) -> Self {
        self.in_namespace = false;
        self
    }
}

/// `value` as JSON, wiped after it was sent. `len` is how long it may get: a buffer that grows
/// leaves copies behind.
pub(crate) fn json_body<T: Serialize + ?Sized>(value: &T, len: usize) -> Result<Bytes, Error> {
    let mut json = Zeroizing::new(Vec::with_capacity(len));
    serde_json::to_writer(&mut *json, value)
        .map_err(|_| Error::permanent("a request cannot be expressed as JSON"))?;
    Ok(Bytes::from_owner(json))
}

/// The way to one server.
pub(super) struct Transport {
    http: reqwest::Client,
    base: Url,
    namespace: Option<HeaderValue>,
}

impl Transport {
    pub(super) fn new(config: &OpenBaoConfig) -> Result<Self, Error> {
        let base = endpoint::parse_http(&config.address)?;
        let http = http_client::build(&base, &config.tls, config.deadline())?;
        let namespace = config.namespace.as_deref().map(|namespace| {
            let path = checked_path("the namespace", namespace)?;
            HeaderValue::try_from(path)
                .map_err(|_| Error::Config("the namespace is no header".to_owned()))
        });
        Ok(Self {
            http,
            base,
            namespace: namespace.transpose()?,
        })
    }

    /// Sends `request`, with `token` in its header, and reads the whole reply.
    pub(super) async fn send(
        &self,
        request: &Request,
        token: Option<&SecretString>,
    ) -> Result<Reply, Error> {
        let mut headers = HeaderMap::new();
        // Agents between us and the server pass on only what carries it.
        headers.insert("x-vault-request", HeaderValue::from_static("true"));
        if let Some(namespace) = self.namespace.as_ref().filter(|_| request.in_namespace) {
            headers.insert("x-vault-namespace", namespace.clone());
        }
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token.expose())
                .map_err(|_| Error::Config("the token is no header".to_owned()))?;
            value.set_sensitive(true);
            headers.insert("x-vault-token", value);
        }
        let url = self.url(request)?;
        let mut call = self.http.request(request.method.clone(), url);
        if let Some(body) = &request.body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            call = call.body(body.clone());
        }
        let sent = call.headers(headers).send().await;
        read(sent.map_err(|failure| http_client::error(PEER, &failure))?).await
    }

    fn url(&self, request: &Request) -> Result<Url, Error> {
        let mut url = self.base.clone();
        {
            let mut segments = url
                .path_segments_mut()
                .map_err(|()| Error::Config("an address has no path".to_owned()))?;
            segments.pop_if_empty().push("v1");
            segments.extend(request.path.split('/'));
        }
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        Ok(url)
    }
}

async fn read(mut response: reqwest::Response) -> Result<Reply, Error> {
    let status = response.status().as_u16();
    let announced = response.content_length().unwrap_or(0);
    let capacity = usize::try_from(announced).unwrap_or(usize::MAX);
    let mut body = Zeroizing::new(Vec::with_capacity(capacity.min(MAX_REPLY_LEN)));
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|failure| http_client::error(PEER, &failure))?
    {
        if body.len().saturating_add(chunk.len()) > MAX_REPLY_LEN {
            return Err(Error::permanent(format!("{PEER}: a reply is too long")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply::new(status, body))
}
