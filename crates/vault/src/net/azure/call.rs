//! One call: its deadline, and what its failure means.

use core::error::Error as StdError;
use core::time::Duration;

use azure_core::error::ErrorKind;
use serde::Deserialize;

use crate::Error;

/// How calls to one vault are made.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    peer: String,
    deadline: Duration,
}

/// A call that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The HTTP status, if the vault answered.
    pub(crate) status: Option<u16>,
    /// The vault's error codes, the general one first.
    codes: Vec<String>,
    /// What it is unless the caller knows better.
    pub(crate) error: Error,
}

impl Failure {
    /// Whether the vault named this error code.
    pub(crate) fn has_code(&self, code: &str) -> bool {
        self.codes.iter().any(|found| found == code)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl Calls {
    pub(super) const fn new(peer: String, deadline: Duration) -> Self {
        Self { peer, deadline }
    }

    /// What errors name.
    pub(crate) fn peer(&self) -> &str {
        &self.peer
    }

    /// Makes the call, getting a token included, within the deadline.
    pub(crate) async fn run<T>(
        &self,
        call: impl Future<Output = azure_core::Result<T>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(self.deadline, call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.failure(&error)),
            Err(_) => Err(Failure {
                status: None,
                codes: Vec::new(),
                error: Error::Timeout(self.peer.clone()),
            }),
        }
    }

    /// The whole of `work`, of several calls, within the deadline.
    pub(crate) async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::time::timeout(self.deadline, work)
            .await
            .unwrap_or_else(|_| Err(Error::Timeout(self.peer.clone())))
    }

    /// A reply that is well formed and still not what was asked for.
    pub(crate) fn unexpected(&self, what: &str) -> Error {
        Error::permanent(format!("{}: {what}", self.peer))
    }

    fn failure(&self, error: &azure_core::Error) -> Failure {
        if let Some(error) = own_error(error) {
            return Failure {
                status: None,
                codes: Vec::new(),
                error,
            };
        }
        if matches!(error.kind(), ErrorKind::Credential) {
            return Failure {
                status: None,
                codes: Vec::new(),
                error: self.no_token(error),
            };
        }
        let ErrorKind::HttpResponse {
            status,
            raw_response,
            ..
        } = error.kind()
        else {
            return Failure {
                status: None,
                codes: Vec::new(),
                error: self.no_answer(error.kind()),
            };
        };
        let body = raw_response
            .as_ref()
            .map_or(&[][..], |reply| reply.body().as_ref());
        let (status, codes) = (u16::from(*status), codes(body));
        Failure {
            status: Some(status),
            error: self.of_status(status, &codes),
            codes,
        }
    }

    fn of_status(&self, status: u16, codes: &[String]) -> Error {
        let peer = self.peer.clone();
        match status {
            // `KeyDisabled`, `SecretDisabled`.
            403 if codes.iter().any(|code| code.ends_with("Disabled")) => Error::KeyDisabled(peer),
            401 | 403 => Error::Denied(peer),
            404 => Error::NotFound(peer),
            408 => Error::Timeout(peer),
            409 => Error::Conflict(peer),
            429 => Error::Throttled(peer),
            500.. => Error::temporary(format!("{peer}: it answered {status}")),
            _ => Error::permanent(format!("{peer}: it answered {status}")),
        }
    }

    /// No token: the authority's answer, if it gave one, decides whether trying again may help.
    fn no_token(&self, error: &azure_core::Error) -> Error {
        let who = format!("{}: signing in", self.peer);
        let status = causes(error)
            .filter_map(|cause| cause.downcast_ref::<azure_core::Error>())
            .find_map(azure_core::Error::http_status)
            .map(u16::from);
        match status {
            Some(429) => Error::Throttled(who),
            Some(500..) => Error::temporary(format!("{who}: the authority failed")),
            Some(_) => Error::Denied(who),
            None => Error::permanent(format!("{who}: the credential gave no token")),
        }
    }

    fn no_answer(&self, kind: &ErrorKind) -> Error {
        let peer = &self.peer;
        match kind {
            // Not from Key Vault, but from something before it.
            ErrorKind::DataConversion => {
                Error::temporary(format!("{peer}: its reply is not what was asked for"))
            }
            ErrorKind::Connection | ErrorKind::Io => {
                Error::temporary(format!("{peer}: the request failed"))
            }
            _ => Error::permanent(format!(
                "{peer}: the exchange was refused; it may ask for tokens of another domain"
            )),
        }
    }
}

/// The error and what caused it.
fn causes<'a>(error: &'a azure_core::Error) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    core::iter::successors(error.source(), |cause: &&'a (dyn StdError + 'static)| {
        (*cause).source()
    })
}

/// What our own transport found.
fn own_error(error: &azure_core::Error) -> Option<Error> {
    let own = causes(error).find_map(|cause| cause.downcast_ref::<Error>())?;
    Some(match own {
        Error::Timeout(peer) => Error::Timeout(peer.clone()),
        Error::Insecure(why) => Error::Insecure(why.clone()),
        Error::Backend { message, temporary } => Error::Backend {
            message: message.clone(),
            temporary: *temporary,
        },
        other => Error::permanent(other.to_string()),
    })
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Deserialize)]
struct ErrorDetail {
    code: Option<String>,
    innererror: Option<Box<Self>>,
}

/// `{"error":{"code":"…","innererror":{"code":"…"}}}`, from the outside in. What cannot be read has
/// none.
fn codes(body: &[u8]) -> Vec<String> {
    let Ok(ErrorBody { error }) = serde_json::from_slice(body) else {
        return Vec::new();
    };
    let all = core::iter::successors(Some(&error), |detail| detail.innererror.as_deref());
    all.filter_map(|detail| detail.code.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_from_the_outside_in() {
        let body = br#"{"error":{"code":"Forbidden","message":"x",
            "innererror":{"code":"KeyDisabled"}}}"#;
        assert_eq!(codes(body), ["Forbidden", "KeyDisabled"]);
        for other in [&b""[..], b"<html>", b"{}", b"[]", br#"{"error":{}}"#] {
            assert!(codes(other).is_empty());
        }
    }

    #[test]
    fn a_status_is_the_error_it_means() {
        let calls = Calls::new("vault".to_owned(), Duration::from_secs(1));
        let of = |status, code: &str| calls.of_status(status, &[code.to_owned()]);
        assert!(matches!(of(401, "Unauthorized"), Error::Denied(_)));
        assert!(matches!(of(403, "ForbiddenByRbac"), Error::Denied(_)));
        assert!(matches!(of(403, "KeyDisabled"), Error::KeyDisabled(_)));
        assert!(matches!(of(403, "SecretDisabled"), Error::KeyDisabled(_)));
        assert!(matches!(of(404, ""), Error::NotFound(_)));
        assert!(matches!(of(408, ""), Error::Timeout(_)));
        assert!(matches!(of(409, ""), Error::Conflict(_)));
        assert!(matches!(of(429, ""), Error::Throttled(_)));
        for (status, again) in [(400, false), (307, false), (500, true), (503, true)] {
            let error = of(status, "KeyDisabled");
            assert!(
                matches!(error, Error::Backend { temporary, .. } if temporary == again),
                "{status}"
            );
        }
    }
}
