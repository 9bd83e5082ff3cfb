//! The server as it is run in production: raft storage, TLS 1.3, an audit file, sealed at start.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::log::Log;
use super::{BaoAdmin, STARTED, bao};
use crate::servers::{ServerProcess, TestCa, free_port};

/// What can differ.
#[derive(Debug, Default, Clone, Copy)]
pub struct RaftOptions {
    /// The longest entry in bytes; the server's own default is 1 MiB.
    pub max_entry_size: Option<u32>,
    /// Keep the data in memory: fast, where no test is about durability.
    pub in_memory: bool,
}

/// One node with raft storage.
#[derive(Debug)]
pub struct OpenBaoRaft {
    process: Option<ServerProcess>,
    log: Log,
    dir: TempDir,
    ca: TestCa,
    port: u16,
    unseal_key: String,
    root_token: String,
}

impl OpenBaoRaft {
    /// Starts, initialises and unseals it.
    pub async fn start(options: RaftOptions) -> Self {
        let dir = if options.in_memory {
            tempfile::tempdir_in("/dev/shm").unwrap()
        } else {
            tempfile::tempdir().unwrap()
        };
        let mut server = Self {
            process: None,
            log: Log::default(),
            dir,
            ca: TestCa::new(),
            port: free_port(),
            unseal_key: String::new(),
            root_token: String::new(),
        };
        server.write_config(options);
        server.run();
        let shares = json!({ "secret_shares": 1, "secret_threshold": 1 });
        let made = server.admin().must("POST", "sys/init", shares).await;
        server.unseal_key = made["keys_base64"][0].as_str().unwrap().to_owned();
        server.root_token = made["root_token"].as_str().unwrap().to_owned();
        server.unseal().await;
        server
    }

    fn write_config(&self, options: RaftOptions) {
        let dir = self.dir.path().display();
        let entry = options
            .max_entry_size
            .map_or_else(String::new, |size| format!("max_entry_size = \"{size}\""));
        let (port, cluster) = (self.port, free_port());
        let (certificate, key) = (self.ca.certificate_file(), self.ca.key_file());
        let config = format!(
            r#"storage "raft" {{
  path = "{dir}/data"
  node_id = "n1"
  performance_multiplier = 1
  {entry}
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster}"
  tls_cert_file = "{}"
  tls_key_file = "{}"
  tls_min_version = "tls13"
}}
api_addr = "https://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{cluster}"
audit "file" "file" {{
  options = {{ file_path = "{dir}/audit.log" }}
}}
"#,
            certificate.display(),
            key.display(),
        );
        std::fs::create_dir(self.data_dir()).unwrap();
        std::fs::write(self.dir.path().join("config.hcl"), config).unwrap();
    }

    fn run(&mut self) {
        let mut command = bao(self.dir.path());
        command.arg("server");
        command.arg(format!(
            "-config={}",
            self.dir.path().join("config.hcl").display()
        ));
        let (process, lines) = ServerProcess::start_with_lines(&command, STARTED);
        self.log.follow(lines);
        self.process = Some(process);
    }

    /// Unseals it and waits until it serves.
    pub async fn unseal(&self) {
        let seen = self.log.count();
        let key = json!({ "key": self.unseal_key });
        self.admin().must("POST", "sys/unseal", key).await;
        self.log.wait_beyond(seen);
        // It logs that a moment before it answers.
        let admin = self.admin();
        while admin.call("GET", "sys/health", Value::Null).await.0 != 200 {}
    }

    /// Seals it.
    pub async fn seal(&self) {
        self.admin().must("PUT", "sys/seal", Value::Null).await;
    }

    /// Kills it at once (`kill -9`).
    pub fn kill(&mut self) {
        self.process().signal("KILL");
        self.process = None;
    }

    /// Starts it again on its data, and unseals it.
    pub async fn restart(&mut self) {
        self.run();
        self.unseal().await;
    }

    /// The process, for signals.
    ///
    /// # Panics
    /// After [`Self::kill`].
    pub fn process(&self) -> &ServerProcess {
        self.process.as_ref().unwrap()
    }

    /// Where it serves.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The CA of its certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.ca.ca_file()
    }

    /// The root token.
    pub fn root_token(&self) -> &str {
        &self.root_token
    }

    /// Its administrator.
    pub fn admin(&self) -> BaoAdmin {
        BaoAdmin::new(&self.url(), &self.root_token, Some(&self.ca_file()))
    }

    /// The folder with everything it stores.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The audit log.
    pub fn audit_file(&self) -> PathBuf {
        self.dir.path().join("audit.log")
    }

    /// A private place for files of the test, such as tokens.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}
