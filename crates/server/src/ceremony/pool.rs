//! CPU-heavy steps run behind permits; keygen has its own, so that it never starves signing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::api_error::ApiError;
use crate::blocking::blocking;
use crate::config::Limits;

/// Which permits a step needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Keygen,
    Sign,
}

/// The permits.
#[derive(Debug)]
pub(crate) struct Pool {
    keygen: Semaphore,
    sign: Semaphore,
    wait: Duration,
}

/// Why a step has no result.
#[derive(Debug)]
pub(crate) enum StepFailure {
    /// No permit in time; the step did not run.
    Busy,
    /// The engine panicked.
    Panicked,
}

impl From<StepFailure> for ApiError {
    fn from(failure: StepFailure) -> Self {
        match failure {
            StepFailure::Busy => Self::unavailable("no CPU permit in time"),
            StepFailure::Panicked => Self::internal("a ceremony step panicked"),
        }
    }
}

impl Pool {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            keygen: Semaphore::new(limits.keygen_steps.max(1)),
            sign: Semaphore::new(limits.sign_steps.max(1)),
            wait: limits.step_wait,
        }
    }

    /// Runs `step` on this thread once a permit of its class is free.
    pub(crate) async fn run<T>(
        &self,
        class: Class,
        step: impl FnOnce() -> T,
    ) -> Result<T, StepFailure> {
        let permits = match class {
            Class::Keygen => &self.keygen,
            Class::Sign => &self.sign,
        };
        let permit = tokio::time::timeout(self.wait, permits.acquire()).await;
        let Ok(Ok(permit)) = permit else {
            return Err(StepFailure::Busy);
        };
        // What the step had is gone with it: nobody sees it half changed.
        let result = blocking(|| catch_unwind(AssertUnwindSafe(step)));
        drop(permit);
        result.map_err(|_| StepFailure::Panicked)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn keygens_that_take_every_permit_keep_no_signature_waiting() {
        let limits = Limits {
            step_wait: Duration::ZERO,
            ..Limits::default()
        };
        let pool = Arc::new(Pool::new(&limits));
        let mut held = Vec::new();
        for _ in 0..limits.keygen_steps {
            let (let_go, blocked) = mpsc::channel::<()>();
            let (started, starts) = tokio::sync::oneshot::channel();
            let busy = Arc::clone(&pool);
            let keygen = tokio::spawn(async move {
                let step = move || {
                    started.send(()).unwrap();
                    blocked.recv()
                };
                busy.run(Class::Keygen, step).await
            });
            starts.await.unwrap();
            held.push((let_go, keygen));
        }
        let more = pool.run(Class::Keygen, || ()).await;
        assert!(
            matches!(more, Err(StepFailure::Busy)),
            "the keygens have every permit"
        );
        for _ in 0..100 {
            pool.run(Class::Sign, || ()).await.unwrap();
        }
        for (let_go, keygen) in held {
            drop(let_go);
            assert!(keygen.await.unwrap().unwrap().is_err(), "held to the end");
        }
    }
}
