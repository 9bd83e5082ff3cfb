//! Deadlines and retries around any back-end.
//!
//! Every call has one deadline for all its tries. What only asks (reads, lists, wraps, unwraps) is
//! tried again with jittered pauses while the back-end fails transiently. A *write* is not: after a
//! failure whose outcome is unknown, a second try could overwrite what came in between, so only a
//! call that was surely not carried out ([`Error::Throttled`](crate::Error)) is repeated.

mod policy;
mod wrappers;

pub use self::policy::{Jitter, RetryPolicy};

use std::sync::Arc;

/// A back-end under a retry policy. Has the rights of what it wraps.
pub struct Steady<T: ?Sized> {
    inner: Arc<T>,
    policy: RetryPolicy,
    /// What is said when the deadline passes.
    peer: String,
}

impl<T: ?Sized> core::fmt::Debug for Steady<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Steady")
            .field("peer", &self.peer)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl<T: ?Sized> Steady<T> {
    /// `inner`, named `peer` in errors, under `policy`.
    pub fn new(inner: Arc<T>, peer: impl Into<String>, policy: RetryPolicy) -> Self {
        Self {
            inner,
            policy,
            peer: peer.into(),
        }
    }
}
