//! The barrier: the only code that sees plaintext on its way to and from a store.
//!
//! Every operation that touches plaintext or destroys a record passes the audit sink first: a sink
//! that takes no event means no plaintext ([`Error::AuditUnavailable`](crate::Error)).

mod copy;
mod destroy;
mod epoch;
mod open;
mod right;
mod rows;
pub(crate) mod seal;
mod store;
mod trail;

pub use self::rows::MAX_ROW_LEN;

use core::time::Duration;
use std::sync::Arc;

use halfkey_core::Clock;
use tokio::time::timeout;

use crate::{
    AuditEvent, AuditSink, DekCache, DestroyRecord, Error, GetRecord, ListRecords, PutRecord,
    UnwrapKey, WrapKey,
};

/// The rights a process was given; what is `None` it cannot do.
#[derive(Clone)]
pub struct VaultParts {
    /// May seal.
    pub wrap: Option<Arc<dyn WrapKey>>,
    /// May open.
    pub unwrap: Option<Arc<dyn UnwrapKey>>,
    /// May write records.
    pub put: Option<Arc<dyn PutRecord>>,
    /// May read records.
    pub get: Option<Arc<dyn GetRecord>>,
    /// May list names.
    pub list: Option<Arc<dyn ListRecords>>,
    /// May destroy records.
    pub destroy: Option<Arc<dyn DestroyRecord>>,
    /// Takes an event for every seal, open, destroy and refusal.
    pub audit: Arc<dyn AuditSink>,
    /// Stamps the events.
    pub clock: Arc<dyn Clock>,
}

/// The barrier over the rights in [`VaultParts`].
#[derive(Clone)]
pub struct Vault {
    parts: VaultParts,
    dek_cache: Option<Arc<DekCache>>,
    audit_policy: AuditPolicy,
}

/// What happens while the audit sink takes no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditPolicy {
    /// How long the sink may take for one event.
    pub deadline: Duration,
    /// Whether an operation goes on without its event. It is a warning in the log then, and the
    /// audit chain has a gap nobody can see: leave it off where keys are worth anything.
    pub goes_on_without: bool,
}

/// Five seconds, and no event means no plaintext.
impl AuditPolicy {
    /// The default, where a constant is wanted.
    pub const STRICT: Self = Self {
        deadline: Duration::from_secs(5),
        goes_on_without: false,
    };
}

impl AuditPolicy {
    /// Hands `event` to `sink` within the deadline.
    ///
    /// # Errors
    /// [`Error::AuditUnavailable`] when the sink does not take it, unless the policy goes on
    /// without.
    pub async fn append(&self, sink: &dyn AuditSink, event: AuditEvent) -> Result<(), Error> {
        let (action, record) = (event.action.clone(), event.record.clone());
        let failure = match timeout(self.deadline, sink.append(event)).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error @ Error::AuditUnavailable(_))) => error,
            Ok(Err(other)) => Error::AuditUnavailable(other.to_string()),
            Err(_) => Error::AuditUnavailable("it does not answer".to_owned()),
        };
        if !self.goes_on_without {
            return Err(failure);
        }
        tracing::warn!(action, record, %failure, "going on without an audit event");
        Ok(())
    }
}

impl Default for AuditPolicy {
    fn default() -> Self {
        Self::STRICT
    }
}

impl Vault {
    /// A barrier over these rights.
    pub const fn new(parts: VaultParts) -> Self {
        Self {
            parts,
            dek_cache: None,
            audit_policy: AuditPolicy::STRICT,
        }
    }

    /// The same, with another word on what happens while the audit sink takes no event.
    #[must_use]
    pub const fn with_audit_policy(mut self, policy: AuditPolicy) -> Self {
        self.audit_policy = policy;
        self
    }

    /// The same, with data keys kept for a short while; without it every open asks the KEK
    /// provider.
    #[must_use]
    pub fn with_dek_cache(mut self, cache: Arc<DekCache>) -> Self {
        self.dek_cache = Some(cache);
        self
    }

    /// Forgets the data keys that this process cached; [`Self::forget_data_keys`] reaches the
    /// others.
    pub fn clear_dek_cache(&self) {
        if let Some(cache) = &self.dek_cache {
            cache.clear();
        }
    }

    /// Whether this process may open records at all.
    pub const fn can_open(&self) -> bool {
        self.parts.unwrap.is_some()
    }

    /// The rights, for plain (not secret) rows such as the compare-and-set row.
    pub const fn parts(&self) -> &VaultParts {
        &self.parts
    }
}

impl core::fmt::Debug for Vault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Vault")
            .field("can_open", &self.can_open())
            .finish_non_exhaustive()
    }
}

impl core::fmt::Debug for VaultParts {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("VaultParts")
    }
}
