//! Named points at which a test can kill this process, before and after every durable step.
//!
//! Compiled in by the feature `crash-points` only. `HALFKEY_CRASH_AT=name:n` aborts the process at
//! the `n`-th time (from 1) it passes the point `name`.

/// Aborts here if `HALFKEY_CRASH_AT` says so.
#[cfg(feature = "crash-points")]
pub(crate) fn crash_point(name: &'static str) {
    use std::sync::atomic::{AtomicU32, Ordering};

    static HITS: AtomicU32 = AtomicU32::new(0);
    let Ok(setting) = std::env::var("HALFKEY_CRASH_AT") else { return };
    let Some((wanted, count)) = setting.split_once(':') else { return };
    let Ok(count) = count.parse::<u32>() else { return };
    if wanted == name && HITS.fetch_add(1, Ordering::SeqCst).saturating_add(1) == count {
        std::process::abort();
    }
}

/// Does nothing.
#[cfg(not(feature = "crash-points"))]
pub(crate) const fn crash_point(_name: &'static str) {}
