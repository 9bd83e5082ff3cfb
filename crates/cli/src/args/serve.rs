//! Options of `halfkey serve`.

use core::time::Duration;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use halfkey_core::EnvironmentId;

use super::age;

/// Options of `serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to listen on. Plain HTTP is possible on loopback only.
    #[arg(long, default_value = "127.0.0.1:7373", value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// Certificate chain, PEM (TLS 1.3 only).
    #[arg(long, requires = "tls_key", value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM.
    #[arg(long, requires = "tls_cert", value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Make a private CA and certificate beside the data, for trying things out.
    #[arg(long, conflicts_with = "tls_cert")]
    pub(crate) dev_tls: bool,
    /// Serve Prometheus metrics on this address; off when absent.
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Start on a restored database: ECDSA wallets then need a complete refresh.
    #[arg(long)]
    pub(crate) accept_restore: bool,
    /// How long a key has to be on the list before exports may go to it: `24h`, `7d`.
    #[arg(long, value_name = "AGE", value_parser = age, default_value = "0s")]
    pub(crate) recipient_delay: Duration,
    /// How far back this half can be restored: the age of the oldest backup or replica of its
    /// database. Customers keep earlier generations for so long.
    #[arg(long, value_name = "AGE", value_parser = age, default_value = "30d")]
    pub(crate) backup_horizon: Duration,
    /// Sign digests and bytes whose meaning cannot be told, in this environment only; repeat for
    /// several. Leave off.
    #[arg(long, value_name = "ENV")]
    pub(crate) allow_blind: Vec<EnvironmentId>,
    /// Let webhooks of this environment be on this machine, over plain HTTP; repeat for several.
    /// For development.
    #[arg(long, value_name = "ENV")]
    pub(crate) allow_loopback_webhooks: Vec<EnvironmentId>,
}
