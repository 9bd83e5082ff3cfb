//! CPU-heavy steps run on blocking threads behind permits; keygen has its own, fewer than there are
//! cores, so that many creates never starve a signature.

use std::sync::{Arc, LazyLock};
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

use crate::{Error, Result};

/// Which permits a step needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Hundreds of milliseconds a step.
    Keygen,
    /// Milliseconds a step; proofs too.
    Sign,
    /// A password made into a key: up to seconds, and up to 256 MiB of memory each.
    Stretch,
}

/// The permits.
#[derive(Debug)]
pub(crate) struct Pool {
    keygen: Arc<Semaphore>,
    sign: Arc<Semaphore>,
    stretch: Arc<Semaphore>,
}

/// Passwords made into keys at once, however many cores there are: each takes memory.
const MOST_STRETCHED: usize = 2;

/// Process-wide, as the cores are.
static POOL: LazyLock<Pool> = LazyLock::new(|| {
    let cores = available_parallelism().map_or(1, usize::from);
    Pool::new(cores.saturating_sub(1).max(1), cores)
});

/// Runs `step` on the process's pool; see [`Pool::run`].
pub(crate) async fn run<T: Send + 'static>(
    class: Class,
    step: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    POOL.run(class, step).await
}

impl Pool {
    /// So many steps of each class at once.
    pub(crate) fn new(keygen: usize, sign: usize) -> Self {
        Self {
            keygen: Arc::new(Semaphore::new(keygen)),
            sign: Arc::new(Semaphore::new(sign)),
            stretch: Arc::new(Semaphore::new(keygen.min(MOST_STRETCHED))),
        }
    }

    /// Runs `step` once a permit of its class is free; first come, first served.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        class: Class,
        step: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let permits = match class {
            Class::Keygen => &self.keygen,
            Class::Sign => &self.sign,
            Class::Stretch => &self.stretch,
        };
        let permit = Arc::clone(permits).acquire_owned().await;
        let permit = permit.map_err(|_| Error::Bug("the pool of steps was closed"))?;
        let task = tokio::task::spawn_blocking(move || {
            let result = step();
            drop(permit);
            result
        });
        task.await
            .map_err(|_| Error::Bug("a ceremony step did not return"))?
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::sync::mpsc;

    use super::*;

    /// By what ends before what, not by time: two keygen steps hold every keygen permit until the
    /// test lets go of them.
    #[tokio::test]
    async fn a_signature_overtakes_keygens_that_wait_for_their_permits() {
        let pool = Arc::new(Pool::new(2, 1));
        let (done, mut order) = tokio::sync::mpsc::unbounded_channel();
        let mut keygens = Vec::new();
        let mut gates = Vec::new();
        for number in 0..3 {
            let (open, gate) = mpsc::channel::<()>();
            let (begun, begins) = tokio::sync::oneshot::channel();
            let (pool, done) = (Arc::clone(&pool), done.clone());
            keygens.push(tokio::spawn(async move {
                let step = move || {
                    // Nobody waits for the third to begin.
                    let _waited_for = begun.send(());
                    gate.recv().unwrap();
                    done.send(number).unwrap();
                    Ok(())
                };
                pool.run(Class::Keygen, step).await
            }));
            gates.push(open);
            match number {
                0 | 1 => begins.await.unwrap(),
                _ => tokio::task::yield_now().await,
            }
        }
        assert_eq!(pool.keygen.available_permits(), 0);
        let signed = done.clone();
        let sign = pool.run(Class::Sign, move || {
            signed.send(9).unwrap();
            Ok(())
        });
        // Bounded only so that a pool that gets this wrong fails instead of hanging.
        let signed = tokio::time::timeout(Duration::from_mins(1), sign).await;
        signed.expect("a signature waits for keygens").unwrap();
        // The third goes only after one of the first two.
        gates[2].send(()).unwrap();
        gates[1].send(()).unwrap();
        assert_eq!(order.recv().await.unwrap(), 9);
        assert_eq!(order.recv().await.unwrap(), 1);
        assert_eq!(order.recv().await.unwrap(), 2);
        gates[0].send(()).unwrap();
        for keygen in keygens {
            keygen.await.unwrap().unwrap();
        }
        assert_eq!(order.recv().await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_step_that_panics_gives_its_permit_back() {
        let pool = Pool::new(1, 1);
        let broken = pool.run(Class::Keygen, || -> Result<()> { panic!("engine") });
        assert!(matches!(broken.await, Err(Error::Bug(_))));
        pool.run(Class::Keygen, || Ok(())).await.unwrap();
    }
}
