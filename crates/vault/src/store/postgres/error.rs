//! What PostgreSQL's errors mean here.

use super::PEER;
use crate::Error;

/// Maps a database error by its SQLSTATE. Only codes and our own words are kept: a server's message
/// can quote values.
pub(super) fn from_sqlx(error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::Database(inner) => from_state(inner.code().as_deref().unwrap_or_default()),
        sqlx::Error::PoolTimedOut => Error::Timeout(PEER.to_owned()),
        sqlx::Error::Tls(_) => Error::Insecure(format!(
            "{PEER} offers no TLS, or its certificate is not trusted"
        )),
        // What rustls says of a certificate it does not trust.
        sqlx::Error::Io(inner) if inner.kind() == std::io::ErrorKind::InvalidData => {
            Error::Insecure(format!("{PEER}: its certificate is not trusted"))
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Error::temporary(format!("{PEER}: the connection failed")),
        sqlx::Error::Configuration(_) => {
            Error::Config(format!("{PEER}: the connection options cannot be used"))
        }
        _ => Error::permanent(format!("{PEER}: its answer is not what was asked for")),
    }
}

/// See PostgreSQL's appendix A, "Error Codes".
fn from_state(state: &str) -> Error {
    let said = |what: &str| format!("{PEER}: {what} (SQLSTATE {state})");
    match state {
        "42501" => Error::Denied(said("the role may not")),
        "53100" => Error::Full(said("out of disk")),
        "53200" => Error::temporary(said("out of memory")),
        "57014" => Error::Timeout(PEER.to_owned()),
        "53300" => Error::Throttled(said("too many connections")),
        "40001" | "40P01" | "55P03" | "55006" => Error::temporary(said("try again")),
        "57P01" | "57P02" | "57P03" | "57P05" => Error::temporary(said("it is restarting")),
        "25006" => Error::temporary(said("it is a read-only standby")),
        "42P01" => Error::Config(said(
            "the tables are not there; open them with migrate = true",
        )),
        "3D000" => Error::Config(said("there is no such database")),
        _ if state.starts_with("28") => Error::Denied(said("it does not let this role in")),
        _ if state.starts_with("53") => Error::temporary(said("out of resources")),
        _ if state.starts_with("08") => Error::temporary(said("the connection failed")),
        _ if state.starts_with("58") => Error::temporary(said("its disk failed")),
        _ => Error::permanent(said("it refused the statement")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_told_apart() {
        assert!(matches!(from_state("42501"), Error::Denied(_)));
        assert!(matches!(from_state("28P01"), Error::Denied(_)));
        assert!(matches!(from_state("53100"), Error::Full(_)));
        assert!(matches!(from_state("57014"), Error::Timeout(_)));
        assert!(matches!(from_state("53300"), Error::Throttled(_)));
        assert!(matches!(from_state("42P01"), Error::Config(_)));
        for state in [
            "40001", "57P03", "08006", "25006", "53000", "53200", "53300",
        ] {
            assert!(from_state(state).is_transient(), "{state}");
        }
        for state in ["23505", "XX000", ""] {
            assert!(!from_state(state).is_transient(), "{state}");
        }
    }
}
