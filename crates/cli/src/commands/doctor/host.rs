//! The machine: swap, core dumps, the token's file. Requirements 1 and 4.

use std::os::unix::fs::PermissionsExt as _;

use super::check::Check;
use crate::context::DataDir;

const SWAP: &str = "memory is not written to disk";
const DUMPS: &str = "a crash writes no memory to disk";
const TOKEN: &str = "the API token is its owner's alone";

pub(super) fn run(data: &DataDir) -> Vec<Check> {
    let swaps = std::fs::read_to_string("/proc/swaps").ok();
    let limits = std::fs::read_to_string("/proc/self/limits").ok();
    let token = std::fs::metadata(data.token_file()).ok();
    vec![
        swap(swaps.as_deref()),
        dumps(limits.as_deref()),
        token_mode(token.map(|token| token.permissions().mode())),
    ]
}

fn swap(swaps: Option<&str>) -> Check {
    let remedy = "swapoff -a, or encrypt the swap";
    match swaps.map(|text| text.lines().skip(1).count()) {
        Some(0) => Check::pass(1, SWAP, "this machine has no swap"),
        Some(count) => Check::cannot_tell(
            1,
            SWAP,
            format!("{count} swap areas are on; whether they are encrypted cannot be seen"),
            remedy,
        ),
        None => Check::cannot_tell(1, SWAP, "/proc/swaps cannot be read", remedy),
    }
}

fn dumps(limits: Option<&str>) -> Check {
    let line = limits.and_then(|text| {
        let mut lines = text.lines();
        lines.find(|line| line.starts_with("Max core file size"))
    });
    let remedy = "ulimit -c 0, or LimitCORE=0 in the service";
    match line.map(|line| line.split_whitespace().nth(4)) {
        Some(Some("0")) => Check::pass(1, DUMPS, "core dumps are off in this process"),
        Some(Some(limit)) => Check::fail(1, DUMPS, format!("core dumps up to {limit}"), remedy),
        _ => Check::cannot_tell(1, DUMPS, "the limits cannot be read", remedy),
    }
}

fn token_mode(mode: Option<u32>) -> Check {
    match mode.map(|mode| mode & 0o777) {
        Some(mode @ (0o600 | 0o400)) => {
            Check::pass(4, TOKEN, format!("its file has the mode {mode:o}"))
        }
        Some(mode) => Check::fail(
            4,
            TOKEN,
            format!("its file has the mode {mode:o}"),
            "chmod 600 the token file",
        ),
        None => Check::cannot_tell(4, TOKEN, "there is no token file here", "halfkey init"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    #[test]
    fn each_check_can_fail_or_be_unclear() {
        let head = "Filename Type Size Used Priority\n";
        assert_eq!(swap(Some(head)).status, Status::Pass);
        let on = format!("{head}/dev/sda2 partition 1 0 -2\n");
        assert_eq!(swap(Some(&on)).status, Status::CannotTell);
        assert_eq!(swap(None).status, Status::CannotTell);
        let off = "Limit\nMax core file size        0                    0     bytes\n";
        assert_eq!(dumps(Some(off)).status, Status::Pass);
        let on = "Max core file size        unlimited            unlimited     bytes\n";
        assert_eq!(dumps(Some(on)).status, Status::Fail);
        assert_eq!(dumps(Some("")).status, Status::CannotTell);
        assert_eq!(token_mode(Some(0o100_600)).status, Status::Pass);
        assert_eq!(token_mode(Some(0o100_640)).status, Status::Fail);
        assert_eq!(token_mode(None).status, Status::CannotTell);
    }
}
