//! Redis, the real server: single, TLS, Cluster, Sentinel.

mod cluster;
mod log;
mod sentinel;

pub use self::cluster::RedisCluster;
pub use self::sentinel::RedisSentinel;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{ServerProcess, TestCa, free_port};

/// The password of every server started here.
pub const PASSWORD: &str = "testkit-redis-password";

/// The log is synced before each reply.
pub const SYNCED: &[&str] = &["appendonly yes", "appendfsync always", "save \"\""];

/// One server on loopback, with its folder.
#[derive(Debug)]
pub struct Redis {
    process: ServerProcess,
    port: u16,
    ca: Option<TestCa>,
    dir: TempDir,
}

impl Redis {
    /// Whether the server is installed.
    pub fn is_there() -> bool {
        let mut command = Command::new("redis-server");
        command.arg("--version").stdout(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// A server that syncs its log before each reply, without TLS.
    pub fn start() -> Self {
        Self::start_with(SYNCED)
    }

    /// A server with these lines of configuration, without TLS.
    pub fn start_with(lines: &[&str]) -> Self {
        Self::at(free_port(), lines)
    }

    /// A synced server that speaks TLS only, of this version (`TLSv1.3` or `TLSv1.2`).
    pub fn start_tls(version: &str) -> Self {
        let ca = TestCa::new();
        let port = free_port();
        let tls = format!(
            "port 0\ntls-port {port}\ntls-auth-clients no\ntls-protocols \"{version}\"\n\
             tls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}",
            ca.certificate_file().display(),
            ca.key_file().display(),
            ca.ca_file().display()
        );
        let mut server = Self::listening(port, &tls, SYNCED);
        server.ca = Some(ca);
        server
    }

    fn at(port: u16, lines: &[&str]) -> Self {
        Self::listening(port, &format!("port {port}"), lines)
    }

    fn listening(port: u16, listener: &str, lines: &[&str]) -> Self {
        let dir = folder();
        let config = format!(
            "bind 127.0.0.1\ndaemonize no\ndir {}\nrequirepass {PASSWORD}\n\
             masterauth {PASSWORD}\n{listener}\n{}\n",
            dir.path().display(),
            lines.join("\n")
        );
        Self {
            process: spawn(dir.path(), &config),
            port,
            ca: None,
            dir,
        }
    }

    /// Kills it (`SIGKILL`) and starts it again with the same port and folder.
    pub fn kill_and_restart(&mut self) {
        self.process.kill();
        let config = std::fs::read_to_string(self.dir.path().join("redis.conf")).unwrap();
        self.process = spawn(self.dir.path(), &config);
    }

    /// The process.
    pub const fn process(&self) -> &ServerProcess {
        &self.process
    }

    /// Kills it (`SIGKILL`) for good.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The CA of a server that speaks TLS.
    pub fn ca_file(&self) -> PathBuf {
        self.ca.as_ref().unwrap().ca_file()
    }

    /// Its folder: configuration, log, and `appendonlydir`.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where it logs to.
    pub fn log_file(&self) -> PathBuf {
        self.dir.path().join("redis.log")
    }

    fn cli_command(&self) -> Command {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port.to_string(), "-a", PASSWORD]);
        command.arg("--no-auth-warning");
        if let Some(ca) = &self.ca {
            command.arg("--tls").arg("--cacert").arg(ca.ca_file());
        }
        command
    }

    /// Runs these commands on one connection as the `default` user; their replies.
    pub fn must_cli_lines(&self, lines: &[&str]) -> String {
        let mut command = self.cli_command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut cli = command.spawn().unwrap();
        let mut stdin = cli.stdin.take().unwrap();
        stdin.write_all(lines.join("\n").as_bytes()).unwrap();
        drop(stdin);
        let output = cli.wait_with_output().unwrap();
        assert!(output.status.success(), "redis-cli: {lines:?}");
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim_end().to_owned()
    }

    /// Runs one command as the `default` user; what `redis-cli` prints, as it is.
    pub fn cli(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.cli_command().args(arguments).output().unwrap();
        assert!(output.status.success(), "redis-cli {arguments:?}");
        output.stdout
    }

    /// The same as text, without the line's end; fails when it is an error.
    pub fn must_cli(&self, arguments: &[&str]) -> String {
        let text = String::from_utf8_lossy(&self.cli(arguments)).into_owned();
        let is_error = text.starts_with("ERR") || text.starts_with("NOPERM");
        assert!(!is_error, "redis-cli {arguments:?}: {text}");
        text.trim_end().to_owned()
    }

    /// The files of its append-only log, one after the other.
    pub fn append_only_files(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(self.dir.path().join("appendonlydir")).unwrap() {
            all.extend(std::fs::read(entry.unwrap().path()).unwrap());
        }
        all
    }
}

/// In memory where there is such a place: what is tested is a killed process, not a lost disk.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// Writes `redis.conf` and starts the server. Its output goes to `redis.log` as well, so that a
/// test can wait for a line of it.
fn spawn(dir: &Path, config: &str) -> ServerProcess {
    start(
        dir,
        config,
        &["redis-server"],
        "Ready to accept connections",
    )
}

fn start(dir: &Path, config: &str, program: &[&str], marker: &'static str) -> ServerProcess {
    let file = dir.join("redis.conf");
    std::fs::write(&file, config).unwrap();
    // `exec`, so that the process that is signalled is the server.
    let mut command = Command::new("bash");
    command.args(["-c", r#"exec "$@" > >(tee -a "$REDIS_LOG")"#, "bash"]);
    command.arg(program[0]).arg(&file).args(&program[1..]);
    command.env("REDIS_LOG", dir.join("redis.log"));
    ServerProcess::start(&command, marker)
}
