//! HTTP to the provider: one warm client, deadlines, no redirects, repeats only where harmless.

use core::time::Duration;

use bytes::Bytes;
use halfkey_core::random::{RngCore as _, os_rng};
use halfkey_core::wire::{self, IDEMPOTENCY_KEY, REQUEST_ID, WALLET_API_KEY};
use halfkey_core::{RequestId, SecretString};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;
use zeroize::Zeroizing;

use crate::error::{NetworkError, NetworkKind};
use crate::opts::{BodyFormat, Timeouts, WalletClientOpts};
use crate::{Error, Result};

mod base_url;
mod body;
mod http_client;
mod reply;
mod retry;

pub(crate) use reply::Reply;
pub(crate) use retry::Retry;

/// The warm connections to one provider.
pub(crate) struct Transport {
    http: reqwest::Client,
    base: Url,
    format: BodyFormat,
    timeouts: Timeouts,
    max_retries: u8,
}

/// One request, ready to be sent more than once.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    /// From the origin's root, query included.
    pub(crate) path: &'a str,
    pub(crate) bearer: Option<&'a SecretString>,
    /// A delegate's credential.
    pub(crate) wallet_key: Option<&'a SecretString>,
    pub(crate) idempotency_key: Option<&'a str>,
    pub(crate) body: Option<Bytes>,
    pub(crate) retry: Retry,
}

impl Transport {
    pub(crate) fn new(opts: &WalletClientOpts) -> Result<Self> {
        let base = base_url::parse(opts.base_api_url.as_deref())?;
        let http = http_client::build(&base, opts)?;
        Ok(Self {
            http,
            base,
            format: opts.body_format,
            timeouts: opts.timeouts,
            max_retries: opts.max_retries,
        })
    }

    /// The deadline of a whole call, for what waits beside the network.
    pub(crate) const fn total_timeout(&self) -> Duration {
        self.timeouts.total
    }

    /// Encodes a body in the configured format. The buffer is wiped when it was sent.
    pub(crate) fn encode<T: serde::Serialize>(&self, value: &T) -> Result<Bytes> {
        Ok(Bytes::from_owner(Zeroizing::new(body::encode(
            self.format,
            value,
        )?)))
    }

    /// Sends `call`, repeating it where `call.retry` allows, until the total deadline.
    pub(crate) async fn send(&self, call: &Call<'_>) -> Result<Reply> {
        let request_id = RequestId::generate(&mut os_rng());
        let now = Instant::now();
        let deadline = now.checked_add(self.timeouts.total).unwrap_or(now);
        let mut repeats = 0_u8;
        loop {
            let outcome = match timeout_at(deadline, self.once(call, request_id)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(network(
                    NetworkKind::Timeout,
                    "total deadline passed",
                    request_id,
                )),
            };
            if repeats >= self.max_retries {
                return outcome;
            }
            let Some(pause) = retry::pause(&outcome, call.retry, repeats, os_rng().next_u64())
            else {
                return outcome;
            };
            let wake = Instant::now().checked_add(pause);
            if wake.is_none_or(|wake| wake >= deadline) {
                return outcome;
            }
            tracing::debug!(%request_id, repeats, pause_ms = pause.as_millis(), "repeating call");
            sleep(pause).await;
            repeats = repeats.saturating_add(1);
        }
    }

    async fn once(&self, call: &Call<'_>, request_id: RequestId) -> Result<Reply> {
        let url = base_url::join(&self.base, call.path)?;
        let mut request = self
            .http
            .request(call.method.clone(), url)
            .headers(self.headers(call, request_id)?);
        if let Some(body) = &call.body {
            request = request.body(body.clone());
        }
        let response = request
            .send()
            .await
            .map_err(|error| classify(error, request_id))?;
        reply::read(response, request_id).await
    }

    fn headers(&self, call: &Call<'_>, request_id: RequestId) -> Result<HeaderMap> {
        let media = HeaderValue::from_static(body::media_type(self.format));
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, text_header(&request_id.to_string())?);
        if call.body.is_some() {
            headers.insert(CONTENT_TYPE, media.clone());
        }
        headers.insert(ACCEPT, media);
        if let Some(key) = call.idempotency_key {
            headers.insert(IDEMPOTENCY_KEY, text_header(key)?);
        }
        if let Some(bearer) = call.bearer {
            let text = Zeroizing::new(format!("Bearer {}", bearer.expose()));
            let mut value = text_header(&text)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        if let Some(key) = call.wallet_key {
            let mut value = text_header(key.expose())?;
            value.set_sensitive(true);
            headers.insert(WALLET_API_KEY, value);
        }
        Ok(headers)
    }
}

fn text_header(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(|_| {
        Error::InvalidArgument("a token or idempotency key is not printable text".to_owned())
    })
}

pub(crate) fn network(kind: NetworkKind, message: &str, request_id: RequestId) -> Error {
    Error::Network(Box::new(NetworkError {
        kind,
        message: message.to_owned(),
        request_id: request_id.to_string(),
    }))
}

/// Says what the network stack said, without the URL.
fn classify(error: reqwest::Error, request_id: RequestId) -> Error {
    let kind = if error.is_connect() {
        NetworkKind::Connect
    } else if error.is_timeout() {
        NetworkKind::Timeout
    } else {
        NetworkKind::Interrupted
    };
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    network(kind, &text, request_id)
}

/// Path of a route below the API prefix.
pub(crate) fn api_path(rest: &str) -> String {
    format!("{}/{rest}", wire::API_PREFIX)
}
