//! What a tier stands on, as reports and `doctor` show it.

use serde::Serialize;

use crate::net::MinTls;

/// Which tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Wraps data keys.
    Kms,
    /// Holds sealed records.
    Records,
    /// Holds sealed records as secrets.
    Secrets,
    /// Holds wallet properties.
    Cache,
    /// Holds the audit chain.
    Audit,
}

impl Tier {
    /// The name shown to people; the section of the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kms => "kms",
            Self::Records => "records",
            Self::Secrets => "secrets",
            Self::Cache => "cache",
            Self::Audit => "audit",
        }
    }
}

/// One back-end in use. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackendInfo {
    /// What for.
    pub tier: Tier,
    /// The `kind` of the configuration.
    pub kind: &'static str,
    /// Where, without credentials.
    pub place: String,
    /// The oldest TLS version it may be spoken to with; `None` where nothing leaves the machine.
    pub min_tls: Option<MinTls>,
    /// Whether an acknowledged write survives the loss of any one process or machine of it that
    /// restarts; the word of the configuration where it cannot be checked.
    pub durable: bool,
}
