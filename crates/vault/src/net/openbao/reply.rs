//! What the server answered, and what a refusal means.

use serde::Deserialize;
use zeroize::Zeroizing;

use super::PEER;
use crate::Error;

/// A reply, read to its end; wiped when dropped.
pub(crate) struct Reply {
    status: u16,
    body: Zeroizing<Vec<u8>>,
}

/// The member that most replies put everything into.
#[derive(Deserialize)]
struct WithData<T> {
    data: T,
}

#[derive(Deserialize)]
struct WithErrors {
    errors: Vec<String>,
}

/// A reply that is not what the route answers.
pub(crate) fn unexpected(what: &str) -> Error {
    Error::permanent(format!("{PEER}: an unexpected reply about {what}"))
}

impl Reply {
    pub(super) const fn new(status: u16, body: Zeroizing<Vec<u8>>) -> Self {
        Self { status, body }
    }

    pub(crate) const fn status(&self) -> u16 {
        self.status
    }

    pub(crate) const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// The whole body. `what` was asked for.
    pub(crate) fn json<'a, T: Deserialize<'a>>(&'a self, what: &str) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|_| unexpected(what))
    }

    /// The member `data` of the body.
    pub(crate) fn data<'a, T: Deserialize<'a>>(&'a self, what: &str) -> Result<T, Error> {
        self.json(what).map(|WithData { data }| data)
    }

    /// The server's own "there is nothing": an empty list of errors. A missing mount or namespace,
    /// or a proxy's page, has another body and is no absence.
    pub(crate) fn is_absent(&self) -> bool {
        self.status == 404 && self.errors().is_some_and(|errors| errors.is_empty())
    }

    /// Whether one of the server's errors contains `text`; only ever compared, never shown.
    pub(crate) fn says(&self, text: &str) -> bool {
        let errors = self.errors().unwrap_or_default();
        errors.iter().any(|error| error.contains(text))
    }

    fn errors(&self) -> Option<Vec<String>> {
        let parsed = serde_json::from_slice::<WithErrors>(&self.body).ok()?;
        Some(parsed.errors)
    }

    /// What a reply that is no success means; `what` was asked for.
    pub(crate) fn refused(&self, what: &str) -> Error {
        match self.status {
            401 | 403 => Error::Denied(format!("{PEER}: {what}")),
            429 => Error::Throttled(PEER.to_owned()),
            300..=399 => Error::temporary(format!("{PEER}: this node is not the active one")),
            // Missing replication state; a disaster-recovery or performance standby.
            412 | 472 | 473 => Error::temporary(format!("{PEER}: a standby that cannot answer")),
            503 if self.says("sealed") => Error::temporary(format!("{PEER}: the server is sealed")),
            500 if self.says("no space left") => Error::Full(PEER.to_owned()),
            500 if self.says("value being too large") => Error::permanent(format!(
                "{PEER}: {what}: larger than the server's raft max_entry_size"
            )),
            400 if self.says("Upgrading from non-versioned") => {
                Error::temporary(format!("{PEER}: the mount is not ready yet"))
            }
            500..=599 => Error::temporary(format!("{PEER}: {what}: status {}", self.status)),
            404 if self.says("no handler for route") => {
                Error::permanent(format!("{PEER}: {what}: nothing is mounted there"))
            }
            status => Error::permanent(format!("{PEER}: {what}: status {status}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use halfkey_core::Fault;

    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply::new(status, Zeroizing::new(body.as_bytes().to_vec()))
    }

    #[test]
    fn only_the_servers_own_empty_answer_is_absence() {
        assert!(reply(404, r#"{"errors":[]}"#).is_absent());
        for (status, body) in [
            (404, r#"{"errors":["no handler for route \"x\""]}"#),
            (404, "<html>not found</html>"),
            (404, ""),
            (404, "{}"),
            (200, r#"{"errors":[]}"#),
            (403, r#"{"errors":[]}"#),
        ] {
            assert!(!reply(status, body).is_absent(), "{status} {body}");
        }
    }

    #[test]
    fn each_refusal_says_who_has_to_act() {
        let sealed = r#"{"errors":["Vault is sealed"]}"#;
        for (status, body, temporary) in [
            (503, sealed, true),
            (503, "", true),
            (500, "", true),
            (502, "", true),
            (504, "", true),
            (472, "", true),
            (473, "", true),
            (412, "", true),
            (429, "", true),
            (307, "", true),
            (400, "", false),
            (404, "", false),
            (405, "", false),
            (
                500,
                r#"{"errors":["put failed due to value being too large"]}"#,
                false,
            ),
        ] {
            let error = reply(status, body).refused("x");
            let expected = if temporary {
                Fault::BackendTemporary
            } else {
                Fault::BackendPermanent
            };
            assert_eq!(error.fault(), expected, "{status} {body}");
        }
        assert!(matches!(reply(403, "").refused("x"), Error::Denied(_)));
        assert!(matches!(reply(401, "").refused("x"), Error::Denied(_)));
        assert!(matches!(reply(429, "").refused("x"), Error::Throttled(_)));
        let full = r#"{"errors":["write /x: no space left on device"]}"#;
        assert!(matches!(reply(500, full).refused("x"), Error::Full(_)));
    }

    #[test]
    fn a_refusal_does_not_quote_the_reply() {
        let body = r#"{"errors":["canary-7291"]}"#;
        for status in [301, 400, 403, 404, 412, 429, 500, 503] {
            let error = reply(status, body).refused("x");
            assert!(!format!("{error} {error:?}").contains("canary"), "{status}");
        }
    }
}
