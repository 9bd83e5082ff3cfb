//! JSON or CBOR, chosen by `Content-Type` and `Accept`.

use axum::body::Body;
use axum::response::Response;
use halfkey_core::wire::CBOR;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;

use crate::api_error::ApiError;

/// The encoding of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Json,
    Cbor,
}

const JSON: &str = "application/json";

impl Encoding {
    /// Of a request's body: JSON unless it says otherwise; `None` for what is neither.
    pub(crate) fn of_body(headers: &HeaderMap) -> Option<Self> {
        let Some(value) = headers.get(CONTENT_TYPE) else {
            return Some(Self::Json);
        };
        let media_type = value.to_str().ok()?.split(';').next()?.trim();
        if media_type.eq_ignore_ascii_case(JSON) {
            Some(Self::Json)
        } else if media_type.eq_ignore_ascii_case(CBOR) {
            Some(Self::Cbor)
        } else {
            None
        }
    }

    /// Of a reply: CBOR when it is asked for by name, JSON otherwise.
    pub(crate) fn of_reply(headers: &HeaderMap) -> Self {
        let wants_cbor = headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|part| part.split(';').next())
            .any(|media_type| media_type.trim().eq_ignore_ascii_case(CBOR));
        if wants_cbor { Self::Cbor } else { Self::Json }
    }

    /// A reply with this body.
    pub(crate) fn reply<T: Serialize>(
        self,
        status: StatusCode,
        body: &T,
    ) -> Result<Response, ApiError> {
        let (bytes, media_type) = match self {
            Self::Json => (serde_json::to_vec(body).map_err(ApiError::internal)?, JSON),
            Self::Cbor => {
                let mut bytes = Vec::new();
                ciborium::into_writer(body, &mut bytes).map_err(ApiError::internal)?;
                (bytes, CBOR)
            }
        };
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() = status;
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        Ok(response)
    }
}
