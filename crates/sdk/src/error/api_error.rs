use core::time::Duration;

use halfkey_core::Fault;
use halfkey_core::wire::ErrorCode;

/// An error the provider answered with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("provider: {message} ({}, request {request_id})", .code.as_str())]
#[non_exhaustive]
pub struct ApiError {
    /// The stable code.
    pub code: ErrorCode,
    /// The HTTP status.
    pub status: u16,
    /// Who has to act.
    pub fault: Fault,
    /// The provider's text, printable and cut to 300 characters.
    pub message: String,
    /// The request, as it stands in the provider's log.
    pub request_id: String,
    /// How long to wait before trying again.
    pub retry_after: Option<Duration>,
    /// More for programs, depending on the code.
    pub payload: Option<serde_json::Value>,
}

impl ApiError {
    /// What a provider that answers with `code` and nothing else says: for tests of code that
    /// handles errors.
    pub fn of(code: ErrorCode, fault: Fault) -> Self {
        Self {
            code,
            status: code.status(),
            fault,
            message: code.as_str().to_owned(),
            request_id: String::new(),
            retry_after: None,
            payload: None,
        }
    }
}
