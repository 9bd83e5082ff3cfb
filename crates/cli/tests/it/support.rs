//! Runs the binary in a data directory of its own.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

/// A data directory that goes away with the value.
pub(crate) struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    /// An initialised data directory: a copy of one made once, since making one costs most.
    pub(crate) fn initialised() -> Self {
        static MADE: OnceLock<Home> = OnceLock::new();
        let made = MADE.get_or_init(|| {
            let home = Self::empty();
            must_succeed(&home.run(&["init"]));
            home
        });
        made.copy()
    }

    pub(crate) fn empty() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A copy of everything, owners and modes included.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::empty();
        let from = format!("{}/.", self.path().display());
        let status = Command::new("cp")
            .arg("-a")
            .arg(from)
            .arg(copy.path())
            .status()
            .unwrap();
        assert!(status.success());
        copy
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_halfkey"));
        command
            .arg("--data-dir")
            .arg(self.path())
            .args(args)
            .env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs with `--json` against `provider` and parses what it prints.
    pub(crate) fn json(&self, provider: &Provider, args: &[&str]) -> Value {
        let output = self.against(provider, args).output().unwrap();
        must_succeed(&output);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The command with `--json` and the provider's address.
    pub(crate) fn against(&self, provider: &Provider, args: &[&str]) -> Command {
        let mut command = self.command(args);
        command
            .arg("--json")
            .env("HALFKEY_API_URL", &provider.url)
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn serve(&self) -> Provider {
        Provider::start(self.command(&["--json", "serve", "--listen", "127.0.0.1:0"]))
    }

    /// The keyring files below `half`.
    pub(crate) fn keyrings(&self, half: &str) -> Vec<PathBuf> {
        let half = self.path().join(half);
        let is_keyring = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy();
            path.starts_with(&half) && name.starts_with("keyring")
        };
        let found: Vec<_> = self.files().into_iter().filter(is_keyring).collect();
        assert!(!found.is_empty(), "no keyring below {}", half.display());
        found
    }

    /// Every file below the directory.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut dirs = vec![self.path().to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                } else {
                    found.push(path);
                }
            }
        }
        found
    }
}

/// A `halfkey serve` process; killed by its own pid when dropped.
pub(crate) struct Provider {
    child: Child,
    pub(crate) url: String,
    pub(crate) started: Value,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Provider {
    /// Starts it and waits for the line that says where it listens.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        while !text.ends_with("}\n") {
            assert!(
                stdout.read_line(&mut text).unwrap() > 0,
                "provider ended: {text}"
            );
        }
        let started: Value = serde_json::from_str(&text).unwrap();
        let url = started["url"].as_str().unwrap().to_owned();
        Self {
            child,
            url,
            started,
            stdout,
        }
    }

    /// SIGKILL: no destructor, no flush.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How it ended, when it ends by itself.
    pub(crate) fn died(mut self) -> std::process::ExitStatus {
        self.child.wait().unwrap()
    }

    /// SIGTERM, and what it printed after it started.
    pub(crate) fn stop(mut self) -> String {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(
            self.child.wait().unwrap().success(),
            "SIGTERM ends with exit code 0"
        );
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        rest
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Panics with both streams unless the command succeeded.
pub(crate) fn must_succeed(output: &Output) {
    assert!(
        output.status.success(),
        "{:?}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The bytes of every sealed share in a customer's vault. The active record is a copy of the staged
/// one, so bytes, not names, tell which shares there are.
pub(crate) fn sealed_shares(customer: &Path) -> BTreeSet<Vec<u8>> {
    let file = customer.join("vault.sqlite");
    if !file.exists() {
        return BTreeSet::new();
    }
    let query = "SELECT bytes FROM records WHERE name LIKE '%/shares/%' AND bytes IS NOT NULL";
    with_database(&file, async |connection| {
        sqlx::query_scalar(query)
            .fetch_all(connection)
            .await
            .unwrap()
            .into_iter()
            .collect()
    })
}

/// The bytes of every sealed share in the provider's database.
pub(crate) fn provider_shares(provider: &Path) -> BTreeSet<Vec<u8>> {
    with_database(&provider.join("provider.db"), async |connection| {
        sqlx::query_scalar("SELECT sealed FROM shares")
            .fetch_all(connection)
            .await
            .unwrap()
            .into_iter()
            .collect()
    })
}

/// How many wallets the provider's database calls active.
pub(crate) fn active_wallets(provider: &Path) -> usize {
    let query = "SELECT count(*) FROM wallets WHERE state = 'active'";
    let count: i64 = with_database(&provider.join("provider.db"), async |connection| {
        sqlx::query_scalar(query)
            .fetch_one(connection)
            .await
            .unwrap()
    });
    usize::try_from(count).unwrap()
}

/// Damages every share record of one wallet: one bit in the middle.
pub(crate) fn flip_a_bit_of_the_shares(customer: &Path, address: &str) {
    with_database(&customer.join("vault.sqlite"), async |connection| {
        let names: Vec<String> =
            sqlx::query_scalar("SELECT name FROM records WHERE name LIKE ? AND bytes IS NOT NULL")
                .bind(format!("wallet:{address}/shares/%"))
                .fetch_all(&mut *connection)
                .await
                .unwrap();
        assert!(!names.is_empty());
        for name in names {
            let mut bytes: Vec<u8> = sqlx::query_scalar("SELECT bytes FROM records WHERE name = ?")
                .bind(&name)
                .fetch_one(&mut *connection)
                .await
                .unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            sqlx::query("UPDATE records SET bytes = ? WHERE name = ?")
                .bind(&bytes)
                .bind(&name)
                .execute(&mut *connection)
                .await
                .unwrap();
        }
    });
}

pub(crate) fn with_database<T>(
    file: &Path,
    work: impl AsyncFnOnce(&mut SqliteConnection) -> T,
) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(file);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let result = work(&mut connection).await;
        connection.close().await.unwrap();
        result
    })
}
