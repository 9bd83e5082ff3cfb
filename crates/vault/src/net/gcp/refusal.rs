//! What an answer of Google's that is not a success means.

use http::StatusCode;
use serde::Deserialize;

use crate::Error;

/// Why a call gave no result. Some answers mean different things in different calls: those the
/// caller tells apart, the rest is an error already.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// There is no such resource.
    NotFound,
    /// There is one already.
    AlreadyExists,
    /// Not in the state it is in: a key version or secret version that is disabled or destroyed.
    Precondition,
    /// An argument cannot be used as it is. A ciphertext that belongs elsewhere is one.
    Invalid,
    /// Everything else.
    Failed(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Google's error body.
#[derive(Deserialize)]
struct Body {
    error: Status,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    status: String,
    #[serde(default)]
    message: String,
}

impl Refusal {
    /// Reads an answer of `peer`. Nothing of `body` gets into an error.
    ///
    /// Only an answer in Google's own form can say that something is absent, disabled or damaged:
    /// a proxy's page with the same number must not.
    pub(super) fn from_reply(peer: &str, status: StatusCode, body: &[u8]) -> Self {
        let said = serde_json::from_slice::<Body>(body).map(|body| body.error);
        let (code, message) = match &said {
            Ok(said) => (said.status.as_str(), said.message.as_str()),
            Err(_) => ("", ""),
        };
        match (status.as_u16(), code) {
            (401 | 403, _) => Self::Failed(Error::Denied(peer.to_owned())),
            (429, _) => Self::Failed(Error::Throttled(peer.to_owned())),
            (404, "NOT_FOUND") => Self::NotFound,
            (409, "ALREADY_EXISTS") => Self::AlreadyExists,
            (400 | 412, "FAILED_PRECONDITION") => Self::Precondition,
            // "The checksum in field ciphertext_crc32c did not match the data in field ciphertext"
            (400, "INVALID_ARGUMENT") if message.contains("crc32c") => {
                Self::changed_on_the_way(peer)
            }
            (400, "INVALID_ARGUMENT") => Self::Invalid,
            (501, _) => Self::Failed(Error::permanent(format!("{peer}: not implemented there"))),
            (408 | 409 | 425 | 499 | 500.., _) => Self::Failed(Error::temporary(format!(
                "{peer}: answered with status {status}"
            ))),
            _ if said.is_err() => Self::Failed(Error::temporary(format!(
                "{peer}: status {status} from something that is not Google's API"
            ))),
            _ => Self::Failed(Error::permanent(format!(
                "{peer}: answered with status {status}"
            ))),
        }
    }

    /// A checksum that does not belong to its data: worth another try.
    pub(crate) fn changed_on_the_way(peer: &str) -> Self {
        Self::Failed(Error::temporary(format!(
            "{peer}: a checksum does not match; something was changed on the way"
        )))
    }

    /// The error where no answer has a meaning of its own; `what` was asked for.
    pub(crate) fn into_error(self, peer: &str, what: &str) -> Error {
        let why = match self {
            Self::Failed(error) => return error,
            Self::NotFound => "there is no such resource",
            Self::AlreadyExists => "it exists already",
            Self::Precondition => "not in its present state",
            Self::Invalid => "an argument is not accepted",
        };
        Error::permanent(format!("{peer}: {what}: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> Refusal {
        Refusal::from_reply("X", StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    fn google(status: u16, code: &str) -> Refusal {
        refusal(
            status,
            &format!("{{\"error\":{{\"code\":{status},\"status\":\"{code}\",\"message\":\"m\"}}}}"),
        )
    }

    #[test]
    fn each_answer_has_its_meaning() {
        assert!(matches!(google(404, "NOT_FOUND"), Refusal::NotFound));
        assert!(matches!(
            google(409, "ALREADY_EXISTS"),
            Refusal::AlreadyExists
        ));
        assert!(matches!(
            google(400, "FAILED_PRECONDITION"),
            Refusal::Precondition
        ));
        assert!(matches!(google(400, "INVALID_ARGUMENT"), Refusal::Invalid));
        for status in [401, 403] {
            let refused = google(status, "PERMISSION_DENIED");
            assert!(matches!(refused, Refusal::Failed(Error::Denied(_))));
        }
        let throttled = google(429, "RESOURCE_EXHAUSTED");
        assert!(matches!(throttled, Refusal::Failed(Error::Throttled(_))));
        for (status, code, temporary) in [
            (409, "ABORTED", true),
            (500, "INTERNAL", true),
            (503, "UNAVAILABLE", true),
            (504, "DEADLINE_EXCEEDED", true),
            (501, "UNIMPLEMENTED", false),
            (400, "OUT_OF_RANGE", false),
            (404, "", false),
        ] {
            let found = google(status, code);
            let Refusal::Failed(Error::Backend { temporary: is, .. }) = &found else {
                panic!("{status} {code}: {found:?}");
            };
            assert_eq!(*is, temporary, "{status} {code}");
        }
    }

    #[test]
    fn only_googles_own_answer_says_absent_or_damaged() {
        for status in [302, 400, 404, 409, 412] {
            for body in ["", "<html>", "{}", "[]", "\u{0}"] {
                let found = refusal(status, body);
                let is_temporary = matches!(
                    &found,
                    Refusal::Failed(Error::Backend {
                        temporary: true,
                        ..
                    })
                );
                assert!(is_temporary, "{status} {body:?}: {found:?}");
            }
        }
    }

    #[test]
    fn a_failed_checksum_is_no_damage() {
        let message = "The checksum in field ciphertext_crc32c did not match the data.";
        let body =
            format!("{{\"error\":{{\"status\":\"INVALID_ARGUMENT\",\"message\":\"{message}\"}}}}");
        let found = refusal(400, &body);
        assert!(
            matches!(&found, Refusal::Failed(error) if error.is_transient()),
            "{found:?}"
        );
    }
}
