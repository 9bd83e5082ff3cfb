//! moto, an emulator of AWS: faithful in KMS contexts and conditional puts.

use std::process::Command;

use super::{ServerProcess, TestCa, free_port};
use crate::tools;

/// A moto server with nothing in it, on loopback.
#[derive(Debug)]
pub struct Moto {
    port: u16,
    scheme: &'static str,
    _server: ServerProcess,
}

impl Moto {
    /// Starts one over plain HTTP.
    pub fn start() -> Self {
        Self::with("http", &[])
    }

    /// Starts one that speaks TLS under a certificate of `ca`.
    pub fn start_tls(ca: &TestCa) -> Self {
        let path = |path: std::path::PathBuf| path.display().to_string();
        let (certificate, key) = (path(ca.certificate_file()), path(ca.key_file()));
        Self::with("https", &["-c", &certificate, "-k", &key])
    }

    fn with(scheme: &'static str, arguments: &[&str]) -> Self {
        let port = free_port();
        let mut command = Command::new(tools::must_find("venvs/moto/bin/moto_server"));
        command
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .args(arguments)
            // It would ask the machine's metadata service who it is.
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("PYTHONUNBUFFERED", "1");
        Self {
            port,
            scheme,
            _server: ServerProcess::start(&command, "Running on"),
        }
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The endpoint of every service in it.
    pub fn endpoint(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }
}
