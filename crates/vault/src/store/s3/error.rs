//! What the replies of S3 mean here.

use std::error::Error as StdError;

use object_store::client::{HttpError, HttpErrorKind};

use crate::Error;

/// A reply that is no success, without its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// The credentials are unknown, expired, or not enough.
    #[error("denied")]
    Denied,
    /// Too many calls.
    #[error("throttled")]
    Throttled,
    /// No room.
    #[error("full")]
    Full,
    /// No such bucket.
    #[error("no such bucket")]
    NoBucket,
    /// The server does not do what was asked for, or the bucket is elsewhere.
    #[error("not as configured")]
    Config(u16),
    /// It failed, and may not fail again.
    #[error("failed")]
    Temporary(u16),
    /// It failed for good.
    #[error("refused")]
    Permanent(u16),
}

impl Refused {
    /// By S3's code where there is one, else by the status.
    pub(super) fn new(status: u16, code: Option<&str>) -> Self {
        match (code, status) {
            (Some("NoSuchBucket"), _) => Self::NoBucket,
            (Some("SlowDown" | "RequestLimitExceeded" | "Throttling"), _) | (_, 429 | 503) => {
                Self::Throttled
            }
            (Some("QuotaExceeded"), _) | (_, 507) => Self::Full,
            (Some("ExpiredToken" | "InvalidToken"), _) | (_, 401 | 403) => Self::Denied,
            (Some("AuthorizationHeaderMalformed"), _) | (_, 300..=399 | 501) => {
                Self::Config(status)
            }
            (Some("RequestTimeout"), _) | (_, 408 | 500..=599) => Self::Temporary(status),
            _ => Self::Permanent(status),
        }
    }

    /// The code in a reply's XML.
    pub(super) fn code_in(text: &str) -> Option<&str> {
        let (_, rest) = text.split_once("<Code>")?;
        let (code, _) = rest.split_once("</Code>")?;
        Some(code)
    }

    fn at(self, uri: &str) -> Error {
        match self {
            Self::Denied => Error::Denied(uri.to_owned()),
            Self::Throttled => Error::Throttled(uri.to_owned()),
            Self::Full => Error::Full(uri.to_owned()),
            Self::NoBucket => Error::NotFound(format!("{uri}: no such bucket")),
            Self::Config(status) => Error::Config(format!(
                "{uri}: the bucket is in another region, or the server lacks what is needed \
                 (status {status})"
            )),
            Self::Temporary(status) => Error::temporary(format!("{uri}: status {status}")),
            Self::Permanent(status) => Error::permanent(format!("{uri}: status {status}")),
        }
    }
}

/// Maps an error of the client. Its own text can quote URLs and replies; none of it is kept.
pub(super) fn from_client(uri: &str, error: &object_store::Error) -> Error {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(now) = cause {
        if let Some(refused) = now.downcast_ref::<Refused>() {
            return refused.at(uri);
        }
        if let Some(http) = now.downcast_ref::<HttpError>()
            && http.source().is_none_or(|inner| !inner.is::<Refused>())
        {
            return from_http(uri, http.kind());
        }
        cause = now.source();
    }
    Error::temporary(format!("{uri}: its reply is not what was asked for"))
}

fn from_http(uri: &str, kind: HttpErrorKind) -> Error {
    let what = match kind {
        HttpErrorKind::Timeout => return Error::Timeout(uri.to_owned()),
        HttpErrorKind::Connect => {
            "cannot be reached, or its certificate is not trusted, or it offers no TLS 1.3"
        }
        HttpErrorKind::Decode => "its reply was cut or is not what was asked for",
        _ => "the request failed",
    };
    Error::temporary(format!("{uri}: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_told_apart() {
        for (status, code, expected) in [
            (403, Some("AccessDenied"), Refused::Denied),
            (403, Some("InvalidAccessKeyId"), Refused::Denied),
            (401, None, Refused::Denied),
            (400, Some("ExpiredToken"), Refused::Denied),
            (404, Some("NoSuchBucket"), Refused::NoBucket),
            (404, None, Refused::Permanent(404)),
            (503, Some("SlowDown"), Refused::Throttled),
            (503, None, Refused::Throttled),
            (429, None, Refused::Throttled),
            (507, None, Refused::Full),
            (403, Some("QuotaExceeded"), Refused::Full),
            (301, Some("PermanentRedirect"), Refused::Config(301)),
            (501, Some("NotImplemented"), Refused::Config(501)),
            (500, Some("InternalError"), Refused::Temporary(500)),
            (400, Some("RequestTimeout"), Refused::Temporary(400)),
            (400, Some("InvalidRequest"), Refused::Permanent(400)),
        ] {
            assert_eq!(Refused::new(status, code), expected, "{status} {code:?}");
        }
        let xml = "<?xml?><Error><Code>SlowDown</Code><Message>m</Message></Error>";
        assert_eq!(Refused::code_in(xml), Some("SlowDown"));
        assert_eq!(Refused::code_in("<html>gone</html>"), None);
    }
}
