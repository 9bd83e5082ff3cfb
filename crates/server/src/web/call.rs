//! One request on its way to its handler.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::response::Response;
use halfkey_core::RequestId;
use halfkey_core::wire::{IDEMPOTENCY_KEY, Scope};
use http::StatusCode;
use http::header::AUTHORIZATION;
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::decode;
use super::encoding::Encoding;
use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::delegate::has_wallet_key;
use crate::auth::{Caller, Credential};

/// One request: its head, and a body that is read only after the caller is known.
#[derive(Debug)]
pub(crate) struct Call {
    app: Arc<App>,
    parts: Parts,
    body: Body,
}

impl FromRequest<Arc<App>> for Call {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        Ok(Self {
            app: Arc::clone(app),
            parts,
            body,
        })
    }
}

impl Call {
    /// The id under which this request stands in the log.
    pub(crate) fn request_id(&self) -> Result<RequestId, ApiError> {
        let id = self.parts.extensions.get::<RequestId>().copied();
        id.ok_or_else(|| ApiError::internal("a request without an id"))
    }

    /// The caller, by a session token.
    pub(crate) fn session(
        &self,
        env: &str,
        scope: Scope,
    ) -> impl Future<Output = Result<Caller, ApiError>> + Send {
        self.authorize(env, Credential::Session, Some(scope))
    }

    /// The caller, by whatever the route takes.
    pub(crate) fn authorize(
        &self,
        env: &str,
        credential: Credential,
        scope: Option<Scope>,
    ) -> impl Future<Output = Result<Caller, ApiError>> + Send {
        // Not an `async fn`: that would borrow the body too, which cannot be shared.
        let (app, headers, request) = (&self.app, &self.parts.headers, self.request_id());
        async move {
            app.authorize(headers, request?, env, credential, scope)
                .await
        }
    }

    /// A delegate, by the wallet's API key alone.
    pub(crate) fn delegate(
        &self,
        env: &str,
    ) -> impl Future<Output = Result<Caller, ApiError>> + Send {
        let (app, headers, request) = (&self.app, &self.parts.headers, self.request_id());
        async move { app.authorize_delegate(headers, request?, env).await }
    }

    /// Whether the request shows a wallet's API key.
    pub(crate) fn is_delegated(&self) -> bool {
        has_wallet_key(&self.parts.headers)
    }

    /// Whether the request shows a token.
    pub(crate) fn has_token(&self) -> bool {
        self.parts.headers.contains_key(AUTHORIZATION)
    }

    /// The caller's idempotency key, if there is one.
    pub(crate) fn idempotency_key(&self) -> Result<Option<String>, ApiError> {
        let mut values = self.parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        let text = value.to_str().ok().filter(|_| values.next().is_none());
        match text {
            Some(text) if (1..=200).contains(&text.len()) => Ok(Some(text.to_owned())),
            _ => Err(ApiError::invalid(
                "the idempotency key is 1 to 200 printable characters",
            )),
        }
    }

    /// Reads and parses the body.
    pub(crate) async fn decode<T: DeserializeOwned>(self) -> Result<Decoded<T>, ApiError> {
        let limits = &self.app.limits;
        let reply = self.reply();
        let bytes = decode::read(self.body, limits).await?;
        let body = decode::parse(&self.parts.headers, &bytes, limits.body_depth)?;
        let digest = digest(self.parts.uri.path(), &bytes);
        Ok(Decoded {
            body,
            digest,
            reply,
        })
    }

    /// Reads the body of a route that asks for none: what a caller sends all the same only tells
    /// its requests apart.
    pub(crate) async fn unparsed(self) -> Result<Decoded<()>, ApiError> {
        let reply = self.reply();
        let bytes = decode::read(self.body, &self.app.limits).await?;
        Ok(Decoded {
            body: (),
            digest: digest(self.parts.uri.path(), &bytes),
            reply,
        })
    }

    /// How to reply, for a request without a body.
    pub(crate) fn reply(&self) -> Reply {
        Reply(Encoding::of_reply(&self.parts.headers))
    }
}

fn digest(path: &str, body: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new_with_prefix(path);
    hasher.update([0]);
    hasher.update(body);
    hasher.finalize().into()
}

/// A request with its body.
#[derive(Debug)]
pub(crate) struct Decoded<T> {
    pub(crate) body: T,
    /// SHA-256 of path and body: equal for byte-identical requests only.
    pub(crate) digest: [u8; 32],
    pub(crate) reply: Reply,
}

/// How the caller wants the reply.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reply(Encoding);

impl Reply {
    /// A 200 with this body.
    pub(crate) fn ok<T: Serialize>(self, body: &T) -> Result<Response, ApiError> {
        self.0.reply(StatusCode::OK, body)
    }

    /// The same with another status.
    pub(crate) fn with_status<T: Serialize>(
        self,
        status: StatusCode,
        body: &T,
    ) -> Result<Response, ApiError> {
        self.0.reply(status, body)
    }
}
