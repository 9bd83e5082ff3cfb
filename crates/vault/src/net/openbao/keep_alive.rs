//! Keeps a token alive while its client lives.

use core::time::Duration;
use std::sync::Weak;

use tokio::time::{Instant, sleep};

use super::client::{Session, within};
use super::login::Lease;

/// The pause before another try near the end of a token's life.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);

/// The pause after its end: whoever replaces the credential is a human or an agent.
const PAUSE_AFTER_END: Duration = Duration::from_secs(10);

/// Renews at half of what is left, until the client is gone or has a token that never ends.
pub(super) async fn keep_alive(session: Weak<Session>, deadline: Duration) {
    loop {
        let lease = session.upgrade().and_then(|session| session.lease());
        let Some(lease) = lease else { return };
        sleep(pause(lease, Instant::now())).await;
        let Some(session) = session.upgrade() else {
            return;
        };
        if let Err(error) = within(deadline, session.renew()).await {
            tracing::warn!(%error, "the OpenBao token could not be renewed");
        }
    }
}

fn pause(lease: Lease, now: Instant) -> Duration {
    let left = lease.ends.saturating_duration_since(now);
    if left.is_zero() {
        return PAUSE_AFTER_END;
    }
    left.checked_div(2).unwrap_or_default().max(SHORTEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_at_half_of_what_is_left() {
        let now = Instant::now();
        let seconds = Duration::from_secs;
        let lease = |left: Duration| Lease {
            granted: seconds(3600),
            ends: now + left,
        };
        assert_eq!(pause(lease(seconds(3600)), now), seconds(1800));
        assert_eq!(pause(lease(seconds(10)), now), seconds(5));
        assert_eq!(pause(lease(Duration::from_millis(2)), now), SHORTEST_PAUSE);
        assert_eq!(pause(lease(Duration::ZERO), now), PAUSE_AFTER_END);
    }
}
