//! What Redis' errors mean here. A reply's text is never quoted: it can hold keys and arguments.

use ::redis::{ErrorKind, RedisError, ServerErrorKind};

use super::address::Address;
use crate::Error;

/// The beginnings with which Redis 7.0 tells that an ACL stopped a command within a script; it has
/// the code `ERR`.
const SCRIPT_DENIED: [&str; 2] = [
    "The user executing the script can't",
    "ACL failure in script",
];

/// Maps a failed exchange with the server at `address`.
pub(super) fn from_redis(address: &Address, error: &RedisError) -> Error {
    let code = match error.kind() {
        ErrorKind::Io if error.is_timeout() => return Error::Timeout(address.to_string()),
        ErrorKind::Io => return Error::temporary(format!("{address}: connection lost")),
        ErrorKind::AuthenticationFailed => return Error::Denied(address.to_string()),
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => {
            return Error::permanent(format!("{address}: a reply is not what was asked for"));
        }
        _ => error.code().unwrap_or_default(),
    };
    match code {
        "NOPERM" | "NOAUTH" | "WRONGPASS" => Error::Denied(address.to_string()),
        "ERR" if is_denied_script(error) => Error::Denied(address.to_string()),
        "OOM" => Error::Full(format!("{address}: over maxmemory")),
        "MISCONF" => Error::Full(format!("{address}: cannot write to its disk")),
        "LOADING" | "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN" | "READONLY" | "MOVED" | "ASK"
        | "NOREPLICAS" | "BUSY" | "UNBLOCKED" => Error::temporary(format!("{address}: {code}")),
        "ERR" if is_crowded(error) => Error::temporary(format!("{address}: no connection free")),
        // Every code is a word of the protocol.
        code => Error::permanent(format!(
            "{address}: {}",
            if code.is_empty() { "ERR" } else { code }
        )),
    }
}

/// Whether the server at the other end is not, or may no longer be, the one to ask.
pub(super) fn ends_the_link(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Io
            | ErrorKind::Parse
            | ErrorKind::Server(
                ServerErrorKind::Moved
                    | ServerErrorKind::Ask
                    | ServerErrorKind::ReadOnly
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::ClusterDown
            )
    ) || matches!(error.code(), Some("UNBLOCKED" | "NOAUTH"))
}

fn is_denied_script(error: &RedisError) -> bool {
    let detail = error.detail().unwrap_or_default();
    SCRIPT_DENIED.iter().any(|start| detail.starts_with(start))
}

fn is_crowded(error: &RedisError) -> bool {
    let detail = error.detail().unwrap_or_default();
    detail.starts_with("max number of clients")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(reply: &str) -> Error {
        let reply = format!("-{reply}\r\n");
        let error = ::redis::parse_redis_value(reply.as_bytes())
            .and_then(::redis::Value::extract_error)
            .unwrap_err();
        from_redis(&Address::parse("localhost:1").unwrap(), &error)
    }

    #[test]
    fn replies_are_told_apart_and_not_quoted() {
        for reply in [
            "NOAUTH Authentication required. canary",
            "WRONGPASS invalid username-password pair canary",
            "NOPERM this user has no permissions canary",
            "ERR The user executing the script can't run this command canary",
        ] {
            assert!(matches!(map(reply), Error::Denied(_)), "{reply}");
            assert!(!map(reply).to_string().contains("canary"));
        }
        for reply in ["OOM command not allowed canary", "MISCONF Redis is canary"] {
            assert!(matches!(map(reply), Error::Full(_)), "{reply}");
            assert!(!map(reply).to_string().contains("canary"));
        }
        for reply in [
            "LOADING canary",
            "TRYAGAIN canary",
            "CLUSTERDOWN canary",
            "READONLY canary",
            "MOVED 1 canary:1",
            "ERR max number of clients reached",
        ] {
            assert!(map(reply).is_transient(), "{reply}");
            assert!(!map(reply).to_string().contains("canary"));
        }
        for reply in ["ERR unknown command 'canary'", "WRONGTYPE canary"] {
            let error = map(reply);
            let permanent = Error::permanent("");
            assert_eq!(error.fault(), permanent.fault(), "{reply}");
            assert!(!error.to_string().contains("canary"));
        }
    }
}
