//! The outermost layer: request ids, the limit on requests at a time, error bodies, the log line.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use halfkey_core::random::os_rng;
use halfkey_core::wire::{ErrorBody, ErrorCode, REQUEST_ID};
use halfkey_core::{Fault, RequestId};
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::encoding::Encoding;
use crate::api_error::ApiError;
use crate::app::{App, REQUEST};

/// Wraps every request.
pub(crate) async fn finish(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = request_id(request.headers());
    let encoding = Encoding::of_reply(request.headers());
    request.extensions_mut().insert(id);
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().clone();
    let permit = Arc::clone(&app.requests).try_acquire_owned();
    let response = match permit {
        Ok(permit) => REQUEST.scope(Arc::new(permit), next.run(request)).await,
        Err(_) => refused(ApiError::unavailable("too many requests at a time")),
    };
    let mut response = with_error_body(response, id, encoding);
    let status = response.status();
    app.metrics.request(&route, status);
    tracing::info!(request_id = %id, %method, route, status = status.as_u16(), "request");
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn refused(error: ApiError) -> Response {
    axum::response::IntoResponse::into_response(error)
}

/// The caller's id if it is one, else a fresh one.
fn request_id(headers: &HeaderMap) -> RequestId {
    headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| RequestId::generate(&mut os_rng()))
}

/// Gives every failure the one error body, also those of the router.
fn with_error_body(response: Response, id: RequestId, encoding: Encoding) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let error = match response.extensions().get::<ApiError>() {
        Some(error) => error.clone(),
        None => of_router(status),
    };
    log(&error, id);
    let body = ErrorBody {
        error: error.message.to_string(),
        code: error.code,
        fault: error.fault(),
        request_id: id.to_string(),
        payload: error.payload,
    };
    let mut rendered = encoding.reply(status, &body).unwrap_or_else(|_| {
        let mut empty = Response::default();
        *empty.status_mut() = status;
        empty
    });
    // `Allow` of a 405 and the like.
    for (name, value) in response.headers() {
        if !rendered.headers().contains_key(name) && *name != http::header::CONTENT_LENGTH {
            rendered.headers_mut().insert(name.clone(), value.clone());
        }
    }
    if let Some(secs) = error.retry_after_secs {
        rendered
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(secs));
    }
    rendered
}

/// What the router refused by itself.
fn of_router(status: StatusCode) -> ApiError {
    let (code, message) = match status {
        StatusCode::NOT_FOUND => (ErrorCode::NotFound, "no such route"),
        StatusCode::METHOD_NOT_ALLOWED => (
            ErrorCode::InvalidRequest,
            "the route does not take this method",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => (ErrorCode::BodyTooLarge, "the body is too large"),
        status if status.is_client_error() => {
            (ErrorCode::InvalidRequest, "the request cannot be read")
        }
        _ => (ErrorCode::Internal, "internal error"),
    };
    ApiError::new(code, message).with_status(status)
}

fn log(error: &ApiError, id: RequestId) {
    let (code, cause) = (
        error.code.as_str(),
        error.cause.as_deref().unwrap_or_default(),
    );
    match error.fault() {
        Fault::Bug => {
            tracing::error!(request_id = %id, code, message = %error.message, cause, "bug");
        }
        Fault::Caller => {
            tracing::debug!(request_id = %id, code, message = %error.message, cause, "refused");
        }
        _ => tracing::warn!(request_id = %id, code, message = %error.message, cause, "failed"),
    }
}
