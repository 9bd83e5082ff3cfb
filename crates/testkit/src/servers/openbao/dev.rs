//! The development server: no TLS, everything in memory.

use tempfile::TempDir;

use super::{BaoAdmin, STARTED, bao};
use crate::servers::{ServerProcess, free_port};

const ROOT_TOKEN: &str = "root";

/// `bao server -dev`.
#[derive(Debug)]
pub struct OpenBaoDev {
    process: ServerProcess,
    port: u16,
    _home: TempDir,
}

impl OpenBaoDev {
    /// Starts it.
    pub fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = bao(home.path());
        command.args(["server", "-dev", "-dev-no-store-token"]);
        command.arg(format!("-dev-root-token-id={ROOT_TOKEN}"));
        command.arg(format!("-dev-listen-address=127.0.0.1:{port}"));
        let process = ServerProcess::start(&command, STARTED);
        Self {
            process,
            port,
            _home: home,
        }
    }

    /// Where it serves.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The root token.
    pub const fn root_token(&self) -> &'static str {
        ROOT_TOKEN
    }

    /// Its administrator.
    pub fn admin(&self) -> BaoAdmin {
        BaoAdmin::new(&self.url(), ROOT_TOKEN, None)
    }

    /// The process, for signals.
    pub const fn process(&self) -> &ServerProcess {
        &self.process
    }
}
