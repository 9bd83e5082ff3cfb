//! `kind = "postgres"`.

use core::time::Duration;
use std::path::PathBuf;

use serde::Deserialize;

use crate::Error;
use crate::net::{SecretSource, TlsConfig, endpoint};

/// Where the database is and how it is used.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresConfig {
    /// Host name or address. TLS 1.3 is required unless it is this machine.
    #[serde(default = "default_host")]
    pub host: String,
    /// Port; 5432 by default.
    #[serde(default = "default_port")]
    pub port: u16,
    /// A directory of unix sockets to use instead of host and port.
    #[serde(default)]
    pub socket: Option<PathBuf>,
    /// The database's name.
    pub database: String,
    /// The role to connect as.
    pub user: String,
    /// Where its password is; none for peer authentication, or for a certificate that `PGSSLCERT`
    /// and `PGSSLKEY` name. No other environment variable of libpq's has an effect.
    #[serde(default)]
    pub password: Option<SecretSource>,
    /// How the connection is made.
    #[serde(default)]
    pub tls: TlsConfig,
    /// The schema of the tables; by default the first of the role's `search_path` that is there.
    /// Nothing is looked for anywhere else.
    #[serde(default)]
    pub schema: Option<String>,
    /// In front of the tables' names: lower-case letters, digits and `_`; `halfkey_` by default.
    #[serde(default = "default_prefix")]
    pub table_prefix: String,
    /// The most connections at once; 8 by default.
    #[serde(default = "default_connections")]
    pub max_connections: u32,
    /// For one call, in milliseconds; 5000 by default.
    #[serde(default = "default_deadline")]
    pub deadline_ms: u64,
    /// Whether absent tables are made, which needs the right to; true by default.
    #[serde(default = "default_migrate")]
    pub migrate: bool,
}

fn default_host() -> String {
    "127.0.0.1".to_owned()
}

const fn default_port() -> u16 {
    5432
}

fn default_prefix() -> String {
    "halfkey_".to_owned()
}

const fn default_connections() -> u32 {
    8
}

const fn default_deadline() -> u64 {
    5000
}

const fn default_migrate() -> bool {
    true
}

impl PostgresConfig {
    /// The place without credentials, for reports.
    pub fn place(&self) -> String {
        let (database, prefix) = (&self.database, &self.table_prefix);
        match &self.socket {
            Some(socket) => format!("{}/{database}/{prefix}", socket.display()),
            None => format!("{}:{}/{database}/{prefix}", self.host, self.port),
        }
    }

    /// Whether nothing leaves this machine.
    pub fn is_local(&self) -> bool {
        self.socket.is_some() || endpoint::is_loopback_host(&self.host)
    }

    pub(super) const fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    /// The tables' prefix stands in statements, where nothing can be bound.
    pub(super) fn checked_prefix(&self) -> Result<&str, Error> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let starts = self.table_prefix.bytes().next();
        let is_plain = self.table_prefix.bytes().all(fits)
            && self.table_prefix.len() <= 32
            && starts.is_none_or(|byte| !byte.is_ascii_digit());
        if is_plain {
            Ok(&self.table_prefix)
        } else {
            Err(Error::Config(
                "table_prefix is at most 32 of a-z, 0-9 and _, and starts with no digit".to_owned(),
            ))
        }
    }
}
