use core::time::Duration;

use halfkey_core::wire::ErrorCode;

use super::Reply;
use crate::error::NetworkKind;
use crate::{Error, Result};

/// Whether a call may be repeated without the caller's knowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// Never: a signing ceremony is repeated by the caller or not at all (custody rule 13).
    Never,
    /// A repeat has the same effect as one call: reads, calls with an idempotency key, and
    /// byte-identical keygen rounds (custody rule 18).
    Idempotent,
}

const FIRST_MS: u64 = 100;
const LONGEST_MS: u64 = 2_000;

/// How long to wait before repeating, or `None` to give `outcome` to the caller. `random` spreads
/// the repeats of many clients (full jitter).
pub(super) fn pause(
    outcome: &Result<Reply>,
    retry: Retry,
    repeats: u8,
    random: u64,
) -> Option<Duration> {
    let error = outcome.as_ref().err()?;
    if retry == Retry::Never || !is_transient(error) {
        return None;
    }
    let ceiling = FIRST_MS
        .saturating_mul(1 << repeats.min(10))
        .min(LONGEST_MS);
    let jitter = Duration::from_millis(random.checked_rem(ceiling.saturating_add(1))?);
    Some(match error.retry_after() {
        Some(asked) => asked.saturating_add(jitter),
        None => jitter,
    })
}

fn is_transient(error: &Error) -> bool {
    match error {
        Error::Network(inner) => matches!(
            inner.kind,
            NetworkKind::Connect | NetworkKind::Timeout | NetworkKind::Interrupted
        ),
        Error::Api(api) => {
            matches!(
                api.code,
                ErrorCode::TooManyRequests | ErrorCode::Unavailable
            )
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use halfkey_core::{Fault, RequestId};

    use super::*;
    use crate::error::ApiError;
    use crate::transport::network;

    fn broken() -> Result<Reply> {
        Err(network(
            NetworkKind::Interrupted,
            "reset",
            RequestId::from_bytes([0; 16]),
        ))
    }

    fn refused(code: ErrorCode, retry_after: Option<Duration>) -> Result<Reply> {
        Err(Error::Api(Box::new(ApiError {
            code,
            status: code.status(),
            fault: Fault::BackendTemporary,
            message: String::new(),
            request_id: String::new(),
            retry_after,
            payload: None,
        })))
    }

    #[test]
    fn a_signature_is_never_repeated() {
        assert_eq!(pause(&broken(), Retry::Never, 0, 1), None);
        assert!(pause(&broken(), Retry::Idempotent, 0, 1).is_some());
    }

    #[test]
    fn retry_after_is_the_least_wait_and_jitter_has_a_ceiling() {
        let asked = Some(Duration::from_secs(2));
        let waiting = refused(ErrorCode::TooManyRequests, asked);
        assert!(pause(&waiting, Retry::Idempotent, 0, u64::MAX) >= asked);
        for repeats in [0, 5, 200] {
            let longest = pause(&broken(), Retry::Idempotent, repeats, u64::MAX).unwrap();
            assert!(longest <= Duration::from_millis(LONGEST_MS));
        }
    }

    #[test]
    fn a_refusal_on_its_merits_is_final() {
        for code in [
            ErrorCode::NotFound,
            ErrorCode::WalletLocked,
            ErrorCode::Internal,
        ] {
            assert_eq!(pause(&refused(code, None), Retry::Idempotent, 0, 1), None);
        }
    }
}
