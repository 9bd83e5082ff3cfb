//! Places where a test can kill the process, to see what survives. Compiled out unless the feature
//! `crash-points` is on, which no release build turns on.
//!
//! `HALFKEY_CRASH_AT=name:n` kills the process (SIGKILL, no destructor runs) at the n-th passing of
//! `name`, counted from 1. `HALFKEY_CRASH_TRACE=file` appends each `name:n` as it is passed, so
//! that a test can find every place before it tries each, and `died at name:n` where it ends.

/// Passes the place called `name`.
#[cfg(not(feature = "crash-points"))]
#[inline]
pub const fn crash_point(_name: &'static str) {}

/// Passes the place called `name`.
#[cfg(feature = "crash-points")]
pub fn crash_point(name: &'static str) {
    use std::collections::BTreeMap;
    use std::sync::{Mutex, PoisonError};

    static PASSED: Mutex<BTreeMap<&'static str, u32>> = Mutex::new(BTreeMap::new());

    let count = {
        let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
        let count = passed.entry(name).or_insert(0);
        *count = count.saturating_add(1);
        *count
    };
    let place = format!("{name}:{count}");
    trace(&place);
    if std::env::var("HALFKEY_CRASH_AT").is_ok_and(|at| at == place) {
        trace(&format!("died at {place}"));
        let me = rustix::process::getpid();
        if rustix::process::kill_process(me, rustix::process::Signal::KILL).is_err() {
            std::process::abort();
        }
    }
}

/// Appends a line to the trace, where one is wanted.
#[cfg(feature = "crash-points")]
fn trace(line: &str) {
    use std::io::Write as _;

    if let Some(file) = std::env::var_os("HALFKEY_CRASH_TRACE")
        && let Ok(mut file) = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(file)
    {
        drop(writeln!(file, "{line}"));
    }
}
