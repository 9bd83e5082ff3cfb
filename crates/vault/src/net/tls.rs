//! What a connection must be.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The oldest TLS version a connection may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum MinTls {
    /// TLS 1.3: the default.
    #[default]
    #[serde(rename = "1.3")]
    V1_3,
    /// TLS 1.2, for a peer that offers nothing newer. `doctor` calls that a failure.
    #[serde(rename = "1.2")]
    V1_2,
}

/// How connections to one back-end are made. Certificates are always checked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// Trust these CA certificates (PEM) instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The oldest version to accept.
    pub min_tls: MinTls,
}
