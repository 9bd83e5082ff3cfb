//! What a request is answered with when it fails: a code and text outside, the cause in the log.

use crate::db::sql;
use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use halfkey_core::wire::ErrorCode;
use halfkey_core::{Fault, ParseError};
use http::StatusCode;

/// Why a request failed.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub(crate) code: ErrorCode,
    /// For the caller: no secrets, no internals.
    pub(crate) message: Cow<'static, str>,
    pub(crate) payload: Option<serde_json::Value>,
    pub(crate) retry_after_secs: Option<u32>,
    /// For the log: what the back-end said.
    pub(crate) cause: Option<String>,
    /// Where the status is not the code's own (404, 405, 408 of the transport).
    pub(crate) status: Option<StatusCode>,
}

impl ApiError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        let retry_after_secs = match code {
            ErrorCode::TooManyRequests | ErrorCode::Unavailable => Some(1),
            _ => None,
        };
        let message = message.into();
        Self {
            code,
            message,
            payload: None,
            retry_after_secs,
            cause: None,
            status: None,
        }
    }

    #[must_use]
    pub(crate) fn because(mut self, cause: impl core::fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    #[must_use]
    pub(crate) fn with_payload(mut self, payload: serde_json::Value) -> Self {
        self.payload = Some(payload);
        self
    }

    #[must_use]
    pub(crate) const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidRequest, message)
    }

    pub(crate) fn not_found(what: &'static str) -> Self {
        Self::new(ErrorCode::NotFound, format!("no such {what}"))
    }

    pub(crate) fn unauthenticated() -> Self {
        Self::new(ErrorCode::Unauthenticated, "no valid token")
    }

    pub(crate) fn internal(cause: impl core::fmt::Display) -> Self {
        Self::new(ErrorCode::Internal, "internal error").because(cause)
    }

    pub(crate) fn unavailable(cause: impl core::fmt::Display) -> Self {
        Self::new(ErrorCode::Unavailable, "temporarily unavailable").because(cause)
    }

    pub(crate) fn http_status(&self) -> StatusCode {
        self.status
            .or_else(|| StatusCode::from_u16(self.code.status()).ok())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(crate) const fn fault(&self) -> Fault {
        match self.code {
            ErrorCode::PeerMisbehaved => Fault::Peer,
            ErrorCode::TooManyRequests | ErrorCode::Unavailable => Fault::BackendTemporary,
            ErrorCode::WalletLocked
            | ErrorCode::NeedsCompleteRefresh
            | ErrorCode::AttemptAborted => Fault::BackendPermanent,
            ErrorCode::Internal | ErrorCode::Unrecognised => Fault::Bug,
            _ => Fault::Caller,
        }
    }
}

/// The body is rendered by the outermost layer, which knows the request's id and encoding.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.http_status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<sql::Error> for ApiError {
    fn from(error: sql::Error) -> Self {
        match error {
            sql::Error::Cell(_) | sql::Error::NoRow => Self::internal(error),
            _ => Self::unavailable(error),
        }
    }
}

impl From<ParseError> for ApiError {
    fn from(error: ParseError) -> Self {
        Self::invalid(error.to_string())
    }
}

/// A failure of the provider's own vault tier is never the caller's.
impl From<halfkey_vault::Error> for ApiError {
    fn from(error: halfkey_vault::Error) -> Self {
        if error.fault().is_retryable() {
            Self::unavailable(error)
        } else {
            Self::internal(error)
        }
    }
}
