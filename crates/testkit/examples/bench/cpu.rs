//! CPU time: of this thread, of this process, of another process.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

fn clock(id: ClockId) -> Duration {
    let at = clock_gettime(id);
    Duration::new(
        at.tv_sec.unsigned_abs(),
        u32::try_from(at.tv_nsec).unwrap_or(0),
    )
}

/// CPU time of this thread.
pub(crate) fn thread() -> Duration {
    clock(ClockId::ThreadCPUTime)
}

/// CPU time of this process.
pub(crate) fn process() -> Duration {
    clock(ClockId::ProcessCPUTime)
}

/// CPU time of another process, to the nanosecond: the sum over its threads' schedstat.
pub(crate) fn of(pid: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let nanos = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// CPU time of this thread since `start`.
pub(crate) fn since(start: Duration) -> Duration {
    thread().saturating_sub(start)
}

/// CPU time per call of `work` on this thread.
pub(crate) fn per_call(times: u32, mut work: impl FnMut()) -> Duration {
    work();
    let start = thread();
    for _ in 0..times {
        work();
    }
    since(start) / times
}
