//! Request bodies: bounded in size, time and depth, never decompressed.

use axum::body::Body;
use bytes::Bytes;
use halfkey_core::wire::ErrorCode;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::encoding::Encoding;
use crate::api_error::ApiError;
use crate::config::Limits;

/// Reads a whole body within the limits.
pub(super) async fn read(body: Body, limits: &Limits) -> Result<Bytes, ApiError> {
    let collected = Limited::new(body, limits.body_bytes).collect();
    match tokio::time::timeout(limits.body_read, collected).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let message = format!("the body is larger than {} bytes", limits.body_bytes);
            Err(ApiError::new(ErrorCode::BodyTooLarge, message))
        }
        Ok(Err(error)) => Err(ApiError::invalid("the body ended early").because(error)),
        Err(_) => {
            let error = ApiError::invalid("the body took too long");
            Err(error.with_status(StatusCode::REQUEST_TIMEOUT))
        }
    }
}

/// Parses a body.
pub(super) fn parse<T: DeserializeOwned>(
    headers: &HeaderMap,
    bytes: &[u8],
    max_depth: usize,
) -> Result<T, ApiError> {
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(ApiError::invalid("compressed bodies are not taken"));
    }
    match Encoding::of_body(headers) {
        Some(Encoding::Json) => {
            if json_depth(bytes) > max_depth {
                return Err(ApiError::invalid("the body is nested too deeply"));
            }
            // The parser's message can quote what it read; where it stopped says enough.
            serde_json::from_slice(bytes).map_err(|error| unreadable(&error.to_string()))
        }
        Some(Encoding::Cbor) => {
            let mut rest = bytes;
            let value = ciborium::de::from_reader_with_recursion_limit(&mut rest, max_depth)
                .map_err(|error| cbor_error(&error))?;
            if rest.is_empty() {
                Ok(value)
            } else {
                Err(ApiError::invalid("bytes follow the CBOR value"))
            }
        }
        None => Err(ApiError::invalid(
            "the body is neither application/json nor application/cbor",
        )),
    }
}

fn cbor_error(error: &ciborium::de::Error<std::io::Error>) -> ApiError {
    match error {
        ciborium::de::Error::RecursionLimitExceeded => {
            ApiError::invalid("the body is nested too deeply")
        }
        ciborium::de::Error::Semantic(_, what) => unreadable(what),
        ciborium::de::Error::Io(_) => ApiError::invalid("the CBOR value is cut short"),
        ciborium::de::Error::Syntax(_) => ApiError::invalid("the body is not CBOR"),
    }
}

/// serde's messages name fields and expected types; of the data they can quote a few characters, so
/// only what names a field is passed on.
fn unreadable(what: &str) -> ApiError {
    let named = ["missing field", "duplicate field", "invalid length"];
    let shown = what
        .lines()
        .next()
        .filter(|line| line.len() <= 200 && named.iter().any(|prefix| line.starts_with(prefix)));
    match shown {
        Some(line) => ApiError::invalid(format!("the body cannot be read: {line}")),
        None => ApiError::invalid("the body cannot be read"),
    }
}

/// How deeply arrays and objects are nested, without parsing.
fn json_depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in bytes {
        match (in_string, *byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'[' | b'{') => {
                depth = depth.saturating_add(1);
                deepest = deepest.max(depth);
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_depth_ignores_brackets_in_strings() {
        assert_eq!(json_depth(br#"{"a":[1,{"b":2}],"c":"[[[[\"{{{"}"#), 3);
        assert_eq!(json_depth(br#""\\"[["#), 2);
        assert_eq!(json_depth("[".repeat(100_000).as_bytes()), 100_000);
        assert_eq!(json_depth(b""), 0);
    }
}
