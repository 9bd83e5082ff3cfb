//! CPU time: of this thread, of this process, of another process.

use std::path::{Path, PathBuf};
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

/// Threads whose CPU time is read to the nanosecond from their schedstat.
#[derive(Clone)]
pub(crate) enum Tasks {
    /// All of a process.
    Of(u32),
    /// One of this process.
    One(PathBuf),
}

impl Tasks {
    /// Every thread of a process.
    pub(crate) const fn of_process(pid: u32) -> Self {
        Self::Of(pid)
    }

    /// The thread that calls.
    pub(crate) fn this_thread() -> std::io::Result<Self> {
        // `{pid}/task/{tid}`
        let this = std::fs::read_link("/proc/thread-self")?;
        Ok(Self::One(Path::new("/proc").join(this)))
    }

    /// What they used so far.
    pub(crate) fn used(&self) -> Duration {
        let nanos = match self {
            Self::Of(pid) => {
                let tasks = std::fs::read_dir(format!("/proc/{pid}/task"));
                let tasks = tasks.into_iter().flatten().flatten();
                tasks.map(|task| nanos_of(&task.path())).sum()
            }
            Self::One(task) => nanos_of(task),
        };
        Duration::from_nanos(nanos)
    }
}

/// The first figure of a task's schedstat: nanoseconds on a CPU.
fn nanos_of(task: &Path) -> u64 {
    let text = std::fs::read_to_string(task.join("schedstat")).unwrap_or_default();
    let first = text.split_whitespace().next();
    first.and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
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

/// The one in the middle; zero of none.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
