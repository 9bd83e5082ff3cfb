//! What a failed call of the SDK is.

use core::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::Error;
use crate::net::http_client;

/// What `failure` of a call to `peer` is. Nothing of the reply's text is quoted.
pub(crate) fn error<E>(peer: &str, failure: &SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    match failure {
        SdkError::ServiceError(context) => {
            answered(peer, context.err().code(), context.raw().status().as_u16())
        }
        SdkError::ResponseError(context) => {
            by_status(peer.to_owned(), context.raw().status().as_u16())
        }
        SdkError::TimeoutError(_) => Error::Timeout(peer.to_owned()),
        other => not_sent(peer, other),
    }
}

/// The service said no, with a code of its own.
fn answered(peer: &str, code: Option<&str>, status: u16) -> Error {
    let peer = peer.to_owned();
    match code.unwrap_or_default() {
        "AccessDeniedException"
        | "AccessDenied"
        | "NotAuthorizedException"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "OptInRequired"
        | "RequestExpired"
        | "RequestTimeTooSkewed"
        | "InvalidGrantTokenException" => Error::Denied(peer),
        "DisabledException" | "KMSInvalidStateException" => Error::KeyDisabled(peer),
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "SlowDown" => Error::Throttled(peer),
        "InvalidCiphertextException" | "IncorrectKeyException" => {
            Error::corrupt(peer, "the KEK does not unwrap it in this context")
        }
        "NotFoundException" | "ResourceNotFoundException" => Error::NotFound(peer),
        "LimitExceededException" => Error::Full(peer),
        "DependencyTimeoutException"
        | "KMSInternalException"
        | "KeyUnavailableException"
        | "InternalServiceError"
        | "InternalServerError"
        | "InternalFailure"
        | "ServiceUnavailable"
        | "ServiceUnavailableException" => {
            Error::temporary(format!("{peer}: it failed inside (HTTP {status})"))
        }
        _ => by_status(peer, status),
    }
}

/// An answer that is none of the service's: perhaps an error page of something in between.
fn by_status(peer: String, status: u16) -> Error {
    match status {
        200..300 => Error::temporary(format!("{peer}: its reply is not what was asked for")),
        401 | 403 => Error::Denied(peer),
        429 => Error::Throttled(peer),
        408 | 504 => Error::Timeout(peer),
        500.. => Error::temporary(format!("{peer}: it failed (HTTP {status})")),
        _ => Error::permanent(format!("{peer}: it refused the call (HTTP {status})")),
    }
}

fn source<'a>(error: &&'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    (**error).source()
}

/// It never got an answer: no credentials, no connection, or half a reply.
fn not_sent(peer: &str, failure: &(dyn StdError + 'static)) -> Error {
    let causes = || core::iter::successors(Some(failure), source);
    // Policy comes first: the credentials may be what it kept from being fetched.
    for cause in causes() {
        if let Some(Error::Insecure(what)) = cause.downcast_ref::<Error>() {
            return Error::Insecure(what.clone());
        }
    }
    for cause in causes() {
        if let Some(failure) = cause.downcast_ref::<CredentialsError>() {
            return no_credentials(peer, failure);
        }
        if let Some(failure) = cause.downcast_ref::<reqwest::Error>() {
            return http_client::error(peer, failure);
        }
    }
    Error::temporary(format!("{peer}: the request failed"))
}

fn no_credentials(peer: &str, failure: &CredentialsError) -> Error {
    match failure {
        CredentialsError::CredentialsNotLoaded(_) => Error::Config(format!(
            "{peer}: no AWS credentials in the environment, a profile, or this machine's role"
        )),
        CredentialsError::InvalidConfiguration(_) => Error::Config(format!(
            "{peer}: the AWS profile or environment is not as it must be"
        )),
        CredentialsError::ProviderTimedOut(_) => Error::Timeout(format!("{peer}: credentials")),
        _ => Error::temporary(format!("{peer}: the credentials could not be loaded")),
    }
}

#[cfg(test)]
mod tests {
    use halfkey_core::Fault;

    use super::*;

    #[test]
    fn every_answer_says_who_has_to_act() {
        let fault = |code, status| answered("k", code, status).fault();
        let (temporary, permanent) = (Fault::BackendTemporary, Fault::BackendPermanent);
        assert_eq!(fault(Some("KMSInternalException"), 500), temporary);
        assert_eq!(fault(Some("KeyUnavailableException"), 500), temporary);
        assert_eq!(fault(Some("DependencyTimeoutException"), 503), temporary);
        assert_eq!(fault(Some("ThrottlingException"), 400), temporary);
        assert_eq!(fault(None, 502), temporary);
        assert_eq!(fault(Some("KMSInvalidStateException"), 400), permanent);
        assert_eq!(fault(Some("ValidationException"), 400), permanent);
        assert_eq!(fault(None, 302), permanent);
        assert_eq!(fault(Some("ExpiredTokenException"), 400), Fault::Caller);
        assert_eq!(fault(None, 403), Fault::Caller);
    }

    #[test]
    fn an_answer_from_in_between_is_no_damage() {
        for status in [200, 302, 400, 403, 404, 429, 500, 502, 504] {
            let error = by_status("k".to_owned(), status);
            assert!(!matches!(error, Error::Corrupt { .. }), "{status}");
        }
        assert!(by_status("k".to_owned(), 200).is_transient());
    }

    /// The names of people and places in a reply stay there.
    #[test]
    fn an_unknown_code_is_not_quoted() {
        let error = answered("k", Some("canary"), 400);
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}
