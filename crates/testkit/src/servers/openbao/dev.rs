//! The development server: no TLS, everything in memory.

use std::path::Path;
use std::process::Command;

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

    /// Its port on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The root token.
    pub const fn root_token(&self) -> &'static str {
        ROOT_TOKEN
    }

    /// Its administrator.
    pub fn admin(&self) -> BaoAdmin {
        BaoAdmin::new(&self.url(), ROOT_TOKEN, None)
    }

    /// Runs a shell script with `bao` at hand, as the administrator, in `folder`.
    pub fn must_run(&self, script: &str, folder: &Path) {
        let program = bao(folder).get_program().to_owned();
        let mut paths = vec![Path::new(&program).parent().unwrap().to_owned()];
        paths.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        let output = Command::new("/bin/sh")
            .args(["-euc", script])
            .current_dir(folder)
            .env("HOME", folder)
            .env("PATH", std::env::join_paths(paths).unwrap())
            .env("BAO_ADDR", self.url())
            .env("BAO_TOKEN", ROOT_TOKEN)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }

    /// The process, for signals.
    pub const fn process(&self) -> &ServerProcess {
        &self.process
    }
}
