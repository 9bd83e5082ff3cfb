use core::future::Future;

use tracing::Instrument as _;

use crate::{Error, Result};

/// Runs `work` to its end even when the caller's future is dropped (a time-out around the call):
/// between the proof that the provider cheated and the lock that follows from it nothing may end
/// (custody rule 13).
pub(crate) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let task = tokio::spawn(work.in_current_span());
    task.await
        .map_err(|_| Error::Bug("a ceremony did not return"))?
}
