//! Why setting up, starting or administering a provider failed, and who is at fault.

use crate::db::sql;
use std::net::SocketAddr;
use std::path::PathBuf;

use halfkey_core::{Fault, ParseError};

/// Why setting up, starting or administering a provider failed. Never quotes a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no provider in that directory yet.
    #[error("no provider in {}: run `halfkey init` first", .0.display())]
    NotInitialised(PathBuf),
    /// Another process serves this directory.
    #[error("another process already serves {}", .0.display())]
    AlreadyServing(PathBuf),
    /// The database is older than the boot counter beside the keyring says it must be.
    #[error(
        "the database was restored from an older copy ({why}); \
         start once with --accept-restore to go on: ECDSA wallets then need a complete refresh"
    )]
    Restored {
        /// What gave it away.
        why: String,
    },
    /// The database was made by a newer version, or its migrations were changed.
    #[error("the database cannot be used by this version: {0}")]
    Schema(String),
    /// Plain HTTP on an address other machines can reach.
    #[error("{0} is not a loopback address: plain HTTP is refused there, configure TLS")]
    PlainHttpNotLoopback(SocketAddr),
    /// The metrics listener would be reachable from other machines.
    #[error("{0} is not a loopback address: metrics are served on loopback only")]
    MetricsNotLoopback(SocketAddr),
    /// Certificate or key cannot be used.
    #[error("TLS: {0}")]
    Tls(String),
    /// A sealed file that is not what it should be.
    #[error("{}: {why}", path.display())]
    SealedFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The operating system refused a file or socket operation.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The database failed.
    #[error("{0}")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The vault tier failed.
    #[error(transparent)]
    Vault(#[from] halfkey_vault::Error),
    /// Text that is not what it should be.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// There is no such thing.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// Arguments that do not fit together.
    #[error("{0}")]
    Caller(&'static str),
    /// An invariant of ours does not hold.
    #[error("internal: {0}")]
    Bug(&'static str),
}

impl Error {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::AlreadyServing(_) | Self::Io { .. } | Self::Database(_) => {
                Fault::BackendTemporary
            }
            Self::Restored { .. } | Self::Schema(_) | Self::SealedFile { .. } => {
                Fault::BackendPermanent
            }
            Self::Vault(error) => error.fault(),
            Self::Bug(_) => Fault::Bug,
            Self::NotInitialised(_)
            | Self::PlainHttpNotLoopback(_)
            | Self::MetricsNotLoopback(_)
            | Self::Tls(_)
            | Self::Parse(_)
            | Self::NotFound(_)
            | Self::Caller(_) => Fault::Caller,
        }
    }

    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

impl From<sql::Error> for Error {
    fn from(error: sql::Error) -> Self {
        Self::Database(Box::new(error))
    }
}
