//! How often, how long, and with which pauses.

use core::future::Future;
use core::time::Duration;
use std::sync::Arc;

use tokio::time::{sleep, timeout};

use crate::Error;
use crate::entropy::random_bytes;

/// Draws a number below its argument; the pauses' randomness.
pub type Jitter = Arc<dyn Fn(u64) -> u64 + Send + Sync>;

/// How calls are bounded and repeated.
#[derive(Clone)]
pub struct RetryPolicy {
    /// For one call with all its tries and pauses.
    pub deadline: Duration,
    /// How often a call is tried at most; 1 never repeats.
    pub tries: u32,
    /// The longest first pause; each next one is twice as long, at most [`Self::longest_pause`].
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// Full jitter: a pause is drawn from nothing to its longest.
    pub jitter: Jitter,
}

impl core::fmt::Debug for RetryPolicy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RetryPolicy")
            .field("deadline", &self.deadline)
            .field("tries", &self.tries)
            .finish_non_exhaustive()
    }
}

/// 10 s in all, 4 tries, pauses up to 50, 100 and 200 ms.
impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            tries: 4,
            first_pause: Duration::from_millis(50),
            longest_pause: Duration::from_secs(1),
            jitter: Arc::new(random_below),
        }
    }
}

fn random_below(bound: u64) -> u64 {
    // A generator that fails makes the pause the longest one.
    let drawn = random_bytes::<8>().map_or(u64::MAX, |bytes| u64::from_be_bytes(*bytes));
    drawn.checked_rem(bound).unwrap_or(0)
}

impl RetryPolicy {
    /// Runs `call` until it succeeds, fails in a way `again` does not repeat, or time or tries are
    /// used up.
    pub(super) async fn run<T, Fut>(
        &self,
        peer: &str,
        again: fn(&Error) -> bool,
        call: impl Fn() -> Fut + Send + Sync,
    ) -> Result<T, Error>
    where
        T: Send,
        Fut: Future<Output = Result<T, Error>> + Send,
    {
        let tries = async {
            let mut longest = self.first_pause;
            for _ in 1..self.tries {
                match call().await {
                    Err(error) if again(&error) => {
                        tracing::debug!(peer, %error, "trying again");
                    }
                    done => return done,
                }
                sleep(self.pause(longest)).await;
                longest = longest.saturating_mul(2).min(self.longest_pause);
            }
            call().await
        };
        timeout(self.deadline, tries)
            .await
            .unwrap_or_else(|_| Err(Error::Timeout(peer.to_owned())))
    }

    fn pause(&self, longest: Duration) -> Duration {
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros((self.jitter)(micros.saturating_add(1)))
    }
}
