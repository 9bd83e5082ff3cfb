use core::time::Duration;

use halfkey_core::wire::{ErrorBody, ErrorCode};
use halfkey_core::{Fault, RequestId};
use http::StatusCode;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::{body, classify, network};
use crate::error::{ApiError, NetworkKind};
use crate::{Error, Result};

/// Larger than any reply (a 2-of-3 keygen round is under 1 MB), small enough to hold.
const MAX_REPLY_BYTES: usize = 4 << 20;

/// A successful answer.
pub(crate) struct Reply {
    media_type: String,
    body: Zeroizing<Vec<u8>>,
}

impl Reply {
    pub(crate) fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        body::decode(&self.media_type, &self.body).ok_or(Error::Protocol(
            "the body is not what the route answers with",
        ))
    }
}

/// Reads an answer: success, the provider's own error, or something that is neither.
pub(super) async fn read(mut response: reqwest::Response, request_id: RequestId) -> Result<Reply> {
    let status = response.status();
    if status.is_redirection() {
        return Err(network(
            NetworkKind::Redirect,
            "redirects are not followed",
            request_id,
        ));
    }
    let media_type = header_text(&response, CONTENT_TYPE).unwrap_or_default();
    let retry_after = header_text(&response, RETRY_AFTER)
        .and_then(|text| text.trim().parse().ok())
        .map(Duration::from_secs);
    let mut bytes = Zeroizing::new(Vec::new());
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| classify(error, request_id))?
    {
        if bytes.len().saturating_add(chunk.len()) > MAX_REPLY_BYTES {
            return Err(network(
                NetworkKind::TooLarge,
                "more than 4 MiB",
                request_id,
            ));
        }
        bytes.extend_from_slice(&chunk);
    }
    if status.is_success() {
        return Ok(Reply {
            media_type,
            body: bytes,
        });
    }
    Err(api_error(
        status,
        &media_type,
        &bytes,
        retry_after,
        request_id,
    ))
}

fn header_text(response: &reqwest::Response, name: http::HeaderName) -> Option<String> {
    response
        .headers()
        .get(name)?
        .to_str()
        .ok()
        .map(str::to_owned)
}

fn api_error(
    status: StatusCode,
    media_type: &str,
    bytes: &[u8],
    retry_after: Option<Duration>,
    request_id: RequestId,
) -> Error {
    let error = match body::decode::<ErrorBody>(media_type, bytes) {
        Some(body) => ApiError {
            code: body.code,
            status: status.as_u16(),
            fault: body.fault,
            message: printable(&body.error),
            request_id: request_id.to_string(),
            retry_after,
            payload: body.payload,
        },
        // Something between the two halves answered (a balancer, a proxy).
        None => ApiError {
            code: code_of(status),
            status: status.as_u16(),
            fault: if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
                Fault::BackendTemporary
            } else {
                Fault::BackendPermanent
            },
            message: format!("status {} without an explanation", status.as_u16()),
            request_id: request_id.to_string(),
            retry_after,
            payload: None,
        },
    };
    match error.code {
        ErrorCode::Unauthenticated | ErrorCode::TokenExpired => {
            Error::Authentication(Box::new(error))
        }
        _ => Error::Api(Box::new(error)),
    }
}

const fn code_of(status: StatusCode) -> ErrorCode {
    match status {
        StatusCode::UNAUTHORIZED => ErrorCode::Unauthenticated,
        StatusCode::TOO_MANY_REQUESTS => ErrorCode::TooManyRequests,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            ErrorCode::Unavailable
        }
        _ => ErrorCode::Unrecognised,
    }
}

/// The provider's text, cut and without control characters: it ends up in logs and terminals.
fn printable(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(300)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_text_cannot_carry_controls_or_length() {
        let text = printable(&format!("\u{1b}[31mred\n{}", "x".repeat(1000)));
        assert!(text.starts_with("[31mred") && text.len() == 300, "{text}");
    }

    #[test]
    fn a_balancers_own_page_is_not_mistaken_for_the_provider() {
        let id = RequestId::from_bytes([1; 16]);
        let page = b"<html>502</html>";
        let error = api_error(StatusCode::BAD_GATEWAY, "text/html", page, None, id);
        assert_eq!(error.api_code(), Some(ErrorCode::Unavailable));
        assert!(error.is_retryable());
        assert!(!error.to_string().contains("html"));
    }
}
