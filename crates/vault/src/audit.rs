//! The audit sink: no record of an opening, no plaintext.

pub mod chain;
pub mod checkpoint;
pub mod export;
pub mod memory;
pub mod reader;
pub mod sqlite;
pub mod verify;

use async_trait::async_trait;
use halfkey_core::{ParseError, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::Error;

/// How an audited operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// About to be granted: written before plaintext is returned.
    Granted,
    /// Refused.
    Refused,
}

impl AuditOutcome {
    /// The name in the canonical bytes; never changed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Refused => "refused",
        }
    }
}

impl core::str::FromStr for AuditOutcome {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "granted" => Ok(Self::Granted),
            "refused" => Ok(Self::Refused),
            _ => Err(ParseError::new("audit outcome", "granted or refused")),
        }
    }
}

/// One event. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// When.
    pub at: UnixMillis,
    /// Who.
    pub actor: String,
    /// `seal`, `open`, `destroy` …
    pub action: String,
    /// Why.
    pub purpose: String,
    /// The environment.
    pub environment: String,
    /// The wallet, where there is one.
    pub wallet: String,
    /// The record.
    pub record: String,
    /// The request.
    pub request_id: String,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// Why it was refused, in words.
    pub detail: String,
}

/// Where in a hash chain an event stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPosition {
    /// The chain.
    pub chain: [u8; 16],
    /// The entry's number, from 0.
    pub sequence: u64,
    /// SHA-256 of the entry.
    pub head: [u8; 32],
}

/// Takes audit events, durably and in order.
#[async_trait]
pub trait AuditSink: Send + Sync {
    /// Appends; returns only when the event is durable. Every failure is
    /// [`Error::AuditUnavailable`].
    async fn append(&self, event: AuditEvent) -> Result<AuditPosition, Error>;
}
