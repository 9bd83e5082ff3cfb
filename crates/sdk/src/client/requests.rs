//! Typed calls with the session token.

use bytes::Bytes;
use halfkey_core::SecretString;
use halfkey_core::wire::ErrorCode;
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::transport::{Call, Reply, Retry, api_path};
use crate::{Error, Result, WalletClient};

/// What a call shows to the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential {
    /// The short-lived session token: create, sign, read.
    Session,
    /// The API token itself, which everything else needs (custody rule 28).
    ApiToken,
}

/// A call's verb, body and repeatability.
struct Plan<'a> {
    method: Method,
    path: &'a str,
    idempotency_key: Option<&'a str>,
    body: Option<Bytes>,
    retry: Retry,
}

impl WalletClient {
    /// `/api/v0/environments/{env}/{rest}`.
    pub(crate) fn environment_route(&self, rest: &str) -> String {
        api_path(&format!("environments/{}/{rest}", self.inner.environment))
    }

    /// `/api/v0/sdk/{env}/waas/{segments…}`; a segment holds letters, digits, `-` and `_` only.
    pub(crate) fn route(&self, segments: &[&str]) -> Result<String> {
        let clean = |segment: &&str| {
            !segment.is_empty()
                && segment.len() <= 128
                && segment
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if !segments.iter().all(clean) {
            return Err(Error::InvalidArgument("not an address or id".to_owned()));
        }
        Ok(api_path(&format!(
            "sdk/{}/waas/{}",
            self.inner.environment,
            segments.join("/")
        )))
    }

    pub(super) async fn get_anonymous<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let call = Call {
            method: Method::GET,
            path,
            bearer: None,
            wallet_key: None,
            idempotency_key: None,
            body: None,
            retry: Retry::Idempotent,
        };
        self.transport().send(&call).await?.decode()
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let plan = Plan {
            method: Method::GET,
            path,
            idempotency_key: None,
            body: None,
            retry: Retry::Idempotent,
        };
        self.call(&plan).await?.decode()
    }

    pub(crate) async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        idempotency_key: Option<&str>,
        retry: Retry,
    ) -> Result<T> {
        let by = Credential::Session;
        self.post_by(by, path, body, idempotency_key, retry).await
    }

    pub(crate) async fn post_by<B: Serialize, T: DeserializeOwned>(
        &self,
        by: Credential,
        path: &str,
        body: &B,
        idempotency_key: Option<&str>,
        retry: Retry,
    ) -> Result<T> {
        let body = Some(self.transport().encode(body)?);
        let plan = Plan {
            method: Method::POST,
            path,
            idempotency_key,
            body,
            retry,
        };
        match by {
            Credential::Session => self.call(&plan).await?.decode(),
            Credential::ApiToken => self.call_by_token(plan).await?.decode(),
        }
    }

    pub(crate) async fn get_by_token<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let plan = Plan {
            method: Method::GET,
            path,
            idempotency_key: None,
            body: None,
            retry: Retry::Idempotent,
        };
        self.call_by_token(plan).await?.decode()
    }

    /// Deletes, for which nothing comes back.
    pub(crate) async fn delete(&self, path: &str) -> Result<()> {
        let plan = Plan {
            method: Method::DELETE,
            path,
            idempotency_key: None,
            body: None,
            retry: Retry::Idempotent,
        };
        self.call_by_token(plan).await.map(drop)
    }

    async fn call_by_token(&self, plan: Plan<'_>) -> Result<Reply> {
        let token = self.api_token().await?;
        let call = Call {
            method: plan.method,
            path: plan.path,
            bearer: Some(&token),
            wallet_key: None,
            idempotency_key: plan.idempotency_key,
            body: plan.body,
            retry: plan.retry,
        };
        self.transport().send(&call).await
    }

    /// Sends with a delegate's wallet API key alone.
    async fn call_as_delegate(&self, plan: &Plan<'_>, key: &SecretString) -> Result<Reply> {
        let call = Call {
            method: plan.method.clone(),
            path: plan.path,
            bearer: None,
            wallet_key: Some(key),
            idempotency_key: plan.idempotency_key,
            body: plan.body.clone(),
            retry: plan.retry,
        };
        self.transport().send(&call).await
    }

    /// Sends with the session token. Where the provider says that this very token has expired, it
    /// refused before it read the body, so one repeat with a new token is safe for every call.
    async fn call(&self, plan: &Plan<'_>) -> Result<Reply> {
        if let Some(key) = &self.inner.wallet_key {
            return self.call_as_delegate(plan, key).await;
        }
        let token = self.session_token(None).await?;
        let call = |bearer| Call {
            method: plan.method.clone(),
            path: plan.path,
            bearer: Some(bearer),
            wallet_key: None,
            idempotency_key: plan.idempotency_key,
            body: plan.body.clone(),
            retry: plan.retry,
        };
        match self.transport().send(&call(&token)).await {
            Err(Error::Authentication(refused)) => {
                // If there is no new token, that something answered is what counts.
                let Ok(renewed) = self.session_token(Some(&token)).await else {
                    return Err(Error::Authentication(refused));
                };
                self.transport().send(&call(&renewed)).await
            }
            other => other,
        }
    }
}

/// A 404 of a wallet route.
pub(crate) fn no_wallet(error: Error) -> Error {
    if error.api_code() == Some(ErrorCode::NotFound) {
        Error::WalletNotFound
    } else {
        error
    }
}
