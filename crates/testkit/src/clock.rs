//! A clock that stands still until a test moves it.

use core::sync::atomic::{AtomicI64, Ordering};

use halfkey_core::{Clock, UnixMillis};

/// Shows the time it was set to.
#[derive(Debug)]
pub struct FakeClock(AtomicI64);

impl FakeClock {
    /// A clock that shows `now`.
    pub const fn at(now: UnixMillis) -> Self {
        Self(AtomicI64::new(now.0))
    }

    /// Sets the time, back or forth.
    pub fn set(&self, now: UnixMillis) {
        self.0.store(now.0, Ordering::SeqCst);
    }

    /// Moves the time, back when negative.
    pub fn advance_millis(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

/// 2026-01-01 00:00:00 UTC.
impl Default for FakeClock {
    fn default() -> Self {
        Self::at(UnixMillis(1_767_225_600_000))
    }
}

impl Clock for FakeClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_only_when_told() {
        let clock = FakeClock::default();
        assert_eq!(clock.now().to_string(), "2026-01-01T00:00:00Z");
        clock.advance_millis(1500);
        clock.advance_millis(-500);
        assert_eq!(clock.now().0, 1_767_225_601_000);
        clock.set(UnixMillis(7));
        assert_eq!(clock.now(), UnixMillis(7));
    }
}
