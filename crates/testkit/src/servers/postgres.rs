//! PostgreSQL, the real server.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use tempfile::TempDir;

use super::{ServerProcess, TestCa, free_port};

/// Which TLS versions the server offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// None: plain TCP.
    Off,
    /// 1.3 only.
    V1_3,
    /// 1.2 only.
    V1_2,
}

/// A running server with one superuser `postgres`.
#[derive(Debug)]
pub struct Postgres {
    process: ServerProcess,
    command: Command,
    dir: TempDir,
    port: u16,
    ca: TestCa,
    databases: AtomicU32,
}

/// What the superuser's password is.
const PASSWORD: &str = "test-password";
const MARKER: &str = "database system is ready to accept connections";

impl Postgres {
    /// Whether the server is installed.
    pub fn is_there() -> bool {
        installed("postgres").is_some()
    }

    /// Makes a cluster in memory-backed files and starts it; commits are not slowed by a disk.
    pub fn start(tls: Tls) -> Self {
        Self::start_with(tls, &[])
    }

    /// The same with further `name=value` settings.
    pub fn start_with(tls: Tls, settings: &[&str]) -> Self {
        let dir = dir();
        let (data, ca) = (dir.path().join("data"), TestCa::new());
        let password = dir.path().join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        own(dir.path());
        let mut initdb = as_postgres(&program("initdb"));
        initdb.arg("-D").arg(&data).arg("--pwfile").arg(&password);
        initdb.args(["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8"]);
        initdb.args(["--locale", "C", "--no-sync", "--no-instructions"]);
        must(&mut initdb);
        let port = free_port();
        let mut command = as_postgres(&program("postgres"));
        command.arg("-D").arg(&data);
        let mut all = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            format!("unix_socket_directories={}", dir.path().display()),
            "shared_buffers=16MB".to_owned(),
            "max_connections=60".to_owned(),
        ];
        all.extend(tls_settings(tls, &ca, dir.path()));
        all.extend(settings.iter().map(|&setting| setting.to_owned()));
        for setting in all {
            command.arg("-c").arg(setting);
        }
        let process = ServerProcess::start(&command, MARKER);
        Self {
            process,
            command,
            dir,
            port,
            ca,
            databases: AtomicU32::new(0),
        }
    }

    /// The TCP port on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The directory of its unix socket and its files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The CA that signed its certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.ca.ca_file()
    }

    /// A file that holds the superuser's password, 0600.
    pub fn password_file(&self) -> PathBuf {
        self.file("superuser", PASSWORD)
    }

    /// A private file with this content.
    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        use std::os::unix::fs::OpenOptionsExt as _;
        static WRITTEN: AtomicU32 = AtomicU32::new(0);
        let path = self.ca.dir().join(name);
        // Put in place whole: another test may be reading it.
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let fresh = self.ca.dir().join(format!("{name}.{number}"));
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)
            .unwrap();
        file.write_all(content.as_bytes()).unwrap();
        drop(file);
        std::fs::rename(&fresh, &path).unwrap();
        path
    }

    /// A fresh database.
    pub fn database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::SeqCst);
        let name = format!("test{number}");
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// Runs SQL as the superuser; what it printed, unaligned.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = Command::new(program("psql"));
        psql.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        psql.args(["-U", "postgres", "-d", database, "-qAtX"]);
        psql.args(["-v", "ON_ERROR_STOP=1", "-c", sql]);
        psql.env("PGPASSWORD", PASSWORD);
        must(&mut psql)
    }

    /// A dump of a whole database as SQL.
    pub fn dump(&self, database: &str) -> String {
        let mut dump = Command::new(program("pg_dump"));
        dump.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        dump.args(["-U", "postgres", database]);
        dump.env("PGPASSWORD", PASSWORD);
        must(&mut dump)
    }

    /// Every file of the cluster: tables and write-ahead log.
    pub fn files(&self) -> Vec<u8> {
        self.sql("postgres", "CHECKPOINT");
        let mut all = Vec::new();
        let mut dirs = vec![self.dir.path().join("data")];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                } else if let Ok(bytes) = std::fs::read(&path) {
                    all.extend(bytes);
                }
            }
        }
        all
    }

    /// Kills the whole server at once, as a power cut would, and starts it again.
    pub fn kill_and_restart(&mut self) {
        // A power cut takes every process of the server; one that outlives its parent for a moment
        // keeps the shared memory, and the next start is refused.
        self.freeze("STOP");
        let children = self.children();
        self.freeze("KILL");
        self.process.kill();
        for child in &children {
            while is_running(child) {
                thread::yield_now();
            }
        }
        self.process = ServerProcess::start(&self.command, MARKER);
    }

    fn children(&self) -> Vec<String> {
        let children = format!("/proc/{0}/task/{0}/children", self.process.pid());
        let children = std::fs::read_to_string(children).unwrap();
        children.split_whitespace().map(str::to_owned).collect()
    }

    /// Stops every process of the server where it is; `CONT` lets them go on.
    pub fn freeze(&self, signal: &str) {
        let mut kill = Command::new("kill");
        kill.arg(format!("-{signal}"));
        kill.arg(self.process.pid().to_string());
        kill.args(self.children());
        // A child may have ended meanwhile.
        let _status = kill.status().unwrap();
    }
}

/// Whether the process still holds anything: one that ended and was not waited for does not.
fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z ") && !stat.contains(") X "))
}

fn tls_settings(tls: Tls, ca: &TestCa, dir: &Path) -> Vec<String> {
    if tls == Tls::Off {
        return Vec::new();
    }
    // The server insists on owning its key.
    for (from, name) in [
        (ca.certificate_file(), "tls.pem"),
        (ca.key_file(), "tls.key"),
    ] {
        let to = dir.join(name);
        std::fs::copy(from, &to).unwrap();
        must(Command::new("chmod").arg("600").arg(&to));
    }
    own(dir);
    let version = if tls == Tls::V1_3 {
        "TLSv1.3"
    } else {
        "TLSv1.2"
    };
    vec![
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", dir.join("tls.pem").display()),
        format!("ssl_key_file={}", dir.join("tls.key").display()),
        format!("ssl_min_protocol_version={version}"),
        format!("ssl_max_protocol_version={version}"),
    ]
}

/// In memory where there is such a place: what is tested is not the disk.
fn dir() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// It refuses to run as root.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    command.arg(program);
    command
}

fn own(dir: &Path) {
    if is_root() {
        must(
            Command::new("chown")
                .args(["-R", "postgres:postgres"])
                .arg(dir),
        );
    }
}

fn is_root() -> bool {
    must(Command::new("id").arg("-u")).trim() == "0"
}

fn program(name: &str) -> PathBuf {
    installed(name).unwrap_or_else(|| {
        panic!("PostgreSQL's {name} is missing: run `cargo xtask test --install`")
    })
}

/// Debian keeps each version's programs in a folder of its own; the newest.
fn installed(name: &str) -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let mut versions: Vec<_> = versions
        .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default();
    versions.sort();
    let found = versions
        .into_iter()
        .rev()
        .map(|dir| dir.join("bin").join(name));
    let mut found = found.filter(|path| path.exists());
    found.next()
}

fn must(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}: {}",
        command.get_program().display(),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
