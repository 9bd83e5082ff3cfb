//! Waiting for what a server says, instead of for time to pass.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Longer than any failover takes on a loaded machine.
const LIMIT_S: &str = "120";

/// Returns when `count` lines of these logs, from their beginning, contain `marker`.
pub(super) fn wait_for(logs: &[PathBuf], marker: &str, count: usize) {
    let mut tail = Command::new("timeout")
        .args([LIMIT_S, "tail", "-q", "-n", "+1", "-F"])
        .args(logs)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let found = lines
        .map_while(Result::ok)
        .filter(|line| line.contains(marker))
        .take(count)
        .count();
    tail.kill().unwrap();
    tail.wait().unwrap();
    assert_eq!(found, count, "lines with {marker:?}");
}
