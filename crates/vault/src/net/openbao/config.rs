//! Where the server is, and who this process is to it.

use core::time::Duration;
use std::path::PathBuf;

use serde::Deserialize;

use crate::net::{SecretSource, TlsConfig};

/// A server, and how to log in to it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenBaoConfig {
    /// Where the server is: `https://bao.internal:8200`. Plain `http` to this machine only.
    pub address: String,
    /// The namespace, for example `team/prod`; none is the root namespace.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Who this process is.
    pub auth: OpenBaoAuth,
    /// TLS; by default 1.3 with the system's CA certificates.
    #[serde(default)]
    pub tls: TlsConfig,
    /// How long one operation may take in all, a new login included. Milliseconds; 10 000 by
    /// default.
    #[serde(default = "default_deadline_ms")]
    pub deadline_ms: u64,
    /// Use a server that keeps everything in memory (`bao server -dev`) and loses it when it ends.
    /// For trials only; off by default.
    #[serde(default)]
    pub allow_in_memory_server: bool,
}

impl OpenBaoConfig {
    /// The deadline of one operation.
    pub(super) const fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }
}

const fn default_deadline_ms() -> u64 {
    10_000
}

/// How to log in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OpenBaoAuth {
    /// A token that somebody else obtains, such as an agent that renews a file. When it is refused,
    /// its source is read again.
    Token(SecretSource),
    /// By `AppRole`.
    AppRole {
        /// Where the method is mounted; `approle` by default.
        #[serde(default = "default_app_role_mount")]
        mount: String,
        /// The role's id; not a secret by itself.
        role_id: String,
        /// The secret half.
        secret_id: SecretSource,
    },
    /// The service account of a Kubernetes pod.
    Kubernetes {
        /// Where the method is mounted; `kubernetes` by default.
        #[serde(default = "default_kubernetes_mount")]
        mount: String,
        /// The role.
        role: String,
        /// The service account's token, which Kubernetes replaces from time to time; read at each
        /// login. The usual place by default.
        #[serde(default = "default_token_file")]
        token_file: PathBuf,
    },
}

fn default_app_role_mount() -> String {
    "approle".to_owned()
}

fn default_kubernetes_mount() -> String {
    "kubernetes".to_owned()
}

fn default_token_file() -> PathBuf {
    "/var/run/secrets/kubernetes.io/serviceaccount/token".into()
}
