//! When which call fails, and how.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Nothing happens; an error that trying again may mend.
    Temporary,
    /// Nothing happens; an error for good.
    Permanent,
    /// Nothing happens; the store is full.
    Full,
    /// Nothing happens, and every later call fails: the process died before the call.
    CrashBefore,
    /// It happens, the caller hears an error, and every later call fails: the process died before
    /// the reply.
    CrashAfter,
    /// A write puts down only the beginning of its bytes and reports success. Other calls: as
    /// [`Self::Permanent`].
    Torn,
    /// A write or removal reports success and does nothing. Other calls: as [`Self::Permanent`].
    Lost,
}

/// Called before each call and awaited: latency, or a place to hold a call up.
pub type Latency = Arc<dyn Fn(u64) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// A plan of failures, the same for the same seed.
pub struct FaultPlan {
    seed: u64,
    state: Mutex<State>,
    latency: Option<Latency>,
}

#[derive(Debug)]
struct State {
    calls: u64,
    random: u64,
    crashed: bool,
    at: Vec<(u64, Failure)>,
    percent: Option<(u8, Failure)>,
}

impl core::fmt::Debug for FaultPlan {
    /// Prints the seed, to run it again.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("FaultPlan")
            .field("seed", &self.seed)
            .field("calls", &self.calls())
            .finish_non_exhaustive()
    }
}

impl FaultPlan {
    /// A plan in which nothing fails yet.
    pub const fn new(seed: u64) -> Self {
        let state = State {
            calls: 0,
            random: seed,
            crashed: false,
            at: Vec::new(),
            percent: None,
        };
        Self {
            seed,
            state: Mutex::new(state),
            latency: None,
        }
    }

    /// The call with this number, counted from 1 over every back-end under the plan, fails.
    #[must_use]
    pub fn failing_at(self, call: u64, failure: Failure) -> Self {
        self.state().at.push((call, failure));
        self
    }

    /// So many calls of a hundred fail, by the seed.
    #[must_use]
    pub fn failing_percent(self, percent: u8, failure: Failure) -> Self {
        self.state().percent = Some((percent, failure));
        self
    }

    /// Awaits `latency` with the call's number before each call.
    #[must_use]
    pub fn with_latency(mut self, latency: Latency) -> Self {
        self.latency = Some(latency);
        self
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// From now on nothing fails: the process was started again.
    pub fn restart(&self) {
        let mut state = self.state();
        state.crashed = false;
        state.at.clear();
        state.percent = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call; how it fails, if it does.
    pub(super) async fn next(&self) -> Option<Failure> {
        let (call, failure) = self.draw();
        if let Some(latency) = &self.latency {
            latency(call).await;
        }
        failure
    }

    fn draw(&self) -> (u64, Option<Failure>) {
        let mut state = self.state();
        state.calls = state.calls.saturating_add(1);
        let call = state.calls;
        if state.crashed {
            return (call, Some(Failure::CrashBefore));
        }
        let drawn = state.percent.map(|(percent, failure)| {
            state.random = state.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
            (mix(state.random) % 100 < u64::from(percent), failure)
        });
        let planned = state
            .at
            .iter()
            .find(|(at, _)| *at == call)
            .map(|(_, failure)| *failure);
        let failure = planned.or_else(|| drawn.filter(|(hit, _)| *hit).map(|(_, hit)| hit));
        if matches!(failure, Some(Failure::CrashBefore | Failure::CrashAfter)) {
            state.crashed = true;
        }
        (call, failure)
    }
}

/// `SplitMix64`: a schedule, not a secret.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(plan: &FaultPlan) -> Vec<bool> {
        (0..200).map(|_| plan.draw().1.is_some()).collect()
    }

    #[test]
    fn a_seed_gives_one_schedule() {
        let plan = |seed| FaultPlan::new(seed).failing_percent(30, Failure::Temporary);
        assert_eq!(schedule(&plan(7)), schedule(&plan(7)));
        assert_ne!(schedule(&plan(7)), schedule(&plan(8)));
        let hits = schedule(&plan(7)).into_iter().filter(|hit| *hit).count();
        assert!((30..90).contains(&hits), "{hits} of 200");
    }

    #[test]
    fn after_a_crash_every_call_fails_until_the_restart() {
        let plan = FaultPlan::new(0).failing_at(2, Failure::CrashAfter);
        let drawn: Vec<_> = (0..4).map(|_| plan.draw().1).collect();
        let dead = Some(Failure::CrashBefore);
        assert_eq!(drawn, [None, Some(Failure::CrashAfter), dead, dead]);
        plan.restart();
        assert_eq!(plan.draw(), (5, None));
    }
}
