//! Waits for what the server logs.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// How long the server may take to log what is waited for, on a loaded machine.
const LIMIT: Duration = Duration::from_mins(2);

/// How often the server became active.
#[derive(Debug, Clone, Default)]
pub(super) struct Log(Arc<(Mutex<u32>, Condvar)>);

impl Log {
    /// Reads the server's lines until it ends.
    pub(super) fn follow(&self, lines: Receiver<String>) {
        let log = self.clone();
        thread::spawn(move || {
            let (count, changed) = &*log.0;
            for line in lines {
                if line.contains("post-unseal setup complete") {
                    *count.lock().unwrap() += 1;
                    changed.notify_all();
                }
            }
        });
    }

    /// How often it did so far.
    pub(super) fn count(&self) -> u32 {
        *self.0.0.lock().unwrap()
    }

    /// Waits until it did so more than `seen` times.
    pub(super) fn wait_beyond(&self, seen: u32) {
        let (count, changed) = &*self.0;
        let count = count.lock().unwrap();
        let (count, limit) = changed
            .wait_timeout_while(count, LIMIT, |count| *count <= seen)
            .unwrap();
        assert!(!limit.timed_out(), "{} after {seen}", *count);
    }
}
