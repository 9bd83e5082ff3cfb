//! ministack, an emulator of AWS: faithful in key states and stage moves.

use std::process::Command;

use super::{ServerProcess, free_port};
use crate::tools;

/// A ministack server with nothing in it, on loopback.
#[derive(Debug)]
pub struct Ministack {
    port: u16,
    server: ServerProcess,
}

impl Ministack {
    /// Starts one with KMS, Secrets Manager and STS. Without the other services, and with its MQTT
    /// and SFTP listeners off, it opens one port, on loopback.
    pub fn start() -> Self {
        let port = free_port();
        let mut command = Command::new(tools::must_find("venvs/ministack/bin/ministack"));
        command
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("SERVICES", "kms,secretsmanager,sts")
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            .env("PYTHONUNBUFFERED", "1");
        Self {
            port,
            server: ServerProcess::start(&command, "Running on"),
        }
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The endpoint of every service in it.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The process that holds the port.
    pub const fn pid(&self) -> u32 {
        self.server.pid()
    }
}
