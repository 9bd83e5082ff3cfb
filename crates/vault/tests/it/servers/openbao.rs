//! The back-ends over HashiCorp Vault and OpenBao, against the real OpenBao server.

mod examples;
mod faults;
mod kv;
mod login;
mod plaintext;
mod roles;
mod suites;
mod transit;

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use halfkey_testkit::servers::openbao::{BaoAdmin, OpenBaoDev, OpenBaoRaft, RaftOptions};
use halfkey_testkit::tools;
use halfkey_vault::kms::transit::{TransitConfig, TransitKek};
use halfkey_vault::net::openbao::{OpenBaoAuth, OpenBaoConfig};
use halfkey_vault::net::{SecretSource, TlsConfig};
use halfkey_vault::store::kv::{KvConfig, KvRecords};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::support::environment;

/// The mount that all tests of records share.
const KV: &str = "kv";

/// The development server, one for all tests.
async fn dev() -> &'static OpenBaoDev {
    static DEV: OnceLock<OpenBaoDev> = OnceLock::new();
    static READY: OnceCell<()> = OnceCell::const_new();
    tools::real_part("openbao");
    let dev = DEV.get_or_init(OpenBaoDev::start);
    READY
        .get_or_init(async || dev.admin().make_kv(KV).await)
        .await;
    dev
}

/// A server with raft storage and TLS, one for all tests that do not stop it.
async fn raft() -> &'static OpenBaoRaft {
    static RAFT: OnceCell<OpenBaoRaft> = OnceCell::const_new();
    tools::real_part("openbao");
    let options = RaftOptions {
        max_entry_size: Some(4 << 20),
        in_memory: true,
    };
    RAFT.get_or_init(async || {
        let raft = OpenBaoRaft::start(options).await;
        raft.admin().make_kv(KV).await;
        raft
    })
    .await
}

/// A name that no other test has, and that begins none of theirs.
fn fresh(kind: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{kind}-{:04}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A server as a test uses it; the folder holds its credentials.
struct Access {
    dir: TempDir,
    server: OpenBaoConfig,
    admin: BaoAdmin,
}

impl Access {
    fn new(url: String, token: &str, admin: BaoAdmin, ca_file: Option<PathBuf>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        write_secret(&path, token);
        let tls = TlsConfig {
            ca_file,
            ..TlsConfig::default()
        };
        let server = OpenBaoConfig {
            address: url,
            namespace: None,
            auth: OpenBaoAuth::Token(SecretSource::File(path)),
            tls,
            deadline_ms: 30_000,
            allow_in_memory_server: true,
        };
        Self { dir, server, admin }
    }

    async fn dev() -> Self {
        let dev = dev().await;
        Self::new(dev.url(), dev.root_token(), dev.admin(), None)
    }

    fn of_raft(raft: &OpenBaoRaft) -> Self {
        let ca_file = Some(raft.ca_file());
        let mut access = Self::new(raft.url(), raft.root_token(), raft.admin(), ca_file);
        access.server.allow_in_memory_server = false;
        access
    }

    /// The same server with a token of that policy.
    async fn with_policy(&self, policy: &str) -> Self {
        let token = self.admin.make_token(policy).await;
        self.with_token(&token)
    }

    fn with_token(&self, token: &str) -> Self {
        let ca_file = self.server.tls.ca_file.clone();
        let address = self.server.address.clone();
        let mut access = Self::new(address, token, self.admin.clone(), ca_file);
        access.server.allow_in_memory_server = self.server.allow_in_memory_server;
        access
    }

    /// The place of a secret of the test.
    fn secret(&self, name: &str, content: &str) -> SecretSource {
        let path = self.dir.path().join(name);
        write_secret(&path, content);
        SecretSource::File(path)
    }

    fn transit(&self, mount: &str) -> TransitConfig {
        TransitConfig {
            server: self.server.clone(),
            mount: mount.to_owned(),
            key: None,
        }
    }

    fn kv(&self, prefix: &str) -> KvConfig {
        KvConfig {
            server: self.server.clone(),
            mount: KV.to_owned(),
            prefix: prefix.to_owned(),
            max_record_len: 1_200_000,
        }
    }

    /// A KEK on a mount of its own.
    async fn fresh_kek(self) -> (TransitKek, Self) {
        let mount = fresh("transit");
        self.admin
            .make_transit(&mount, environment().as_str())
            .await;
        let opened = TransitKek::open(&self.transit(&mount), &environment()).await;
        (opened.unwrap(), self)
    }

    /// Records in a folder of their own.
    async fn fresh_records(self) -> (KvRecords, Self) {
        let opened = KvRecords::open(&self.kv(&fresh("folder")), &environment()).await;
        (opened.unwrap(), self)
    }
}

fn write_secret(path: &std::path::Path, content: &str) {
    std::fs::write(path, content).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
