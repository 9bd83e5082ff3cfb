//! Work that keeps a thread: a commit that waits for the disk, a step of the engine.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Runs it here and now, without keeping the other tasks of this thread waiting.
pub(crate) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    let flavor = Handle::try_current().map(|handle| handle.runtime_flavor());
    match flavor {
        // On a thread that is not one of the runtime's workers this is a plain call.
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}
