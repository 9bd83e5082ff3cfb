//! Back-ends that fail on purpose, by a plan: at the n-th call, at random from a seed, or after a
//! crash at every call. One [`FaultPlan`] over all back-ends of a vault counts their calls
//! together, so a test can fail each step of an operation in turn.

mod plan;
mod wrappers;

pub use self::plan::{Failure, FaultPlan, Latency};

use std::sync::Arc;

/// A back-end under a plan. Has the rights of what it wraps.
pub struct Faulty<T: ?Sized> {
    inner: Arc<T>,
    plan: Arc<FaultPlan>,
}

impl<T: ?Sized> core::fmt::Debug for Faulty<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Faulty")
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

impl<T: ?Sized> Faulty<T> {
    /// `inner` under `plan`.
    pub const fn new(inner: Arc<T>, plan: Arc<FaultPlan>) -> Self {
        Self { inner, plan }
    }
}
