//! The barrier: the only code that sees plaintext on its way to and from a store.

use std::sync::Arc;

use halfkey_core::{Clock, SecretBytes};

use crate::{
    Access, AuditSink, BindCtx, DestroyRecord, Error, Expect, GetRecord, ListRecords, PutRecord,
    RecordName, Rev, SealedRecord, UnwrapKey, Versioned, WrapKey,
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
}

impl Vault {
    /// A barrier over these rights.
    pub const fn new(parts: VaultParts) -> Self {
        Self { parts }
    }

    /// Whether this process may open records at all.
    pub const fn can_open(&self) -> bool {
        self.parts.unwrap.is_some()
    }

    /// Seals without storing: a fresh data key, bound to `ctx`.
    pub async fn seal(
        &self,
        _ctx: &BindCtx,
        _plaintext: &SecretBytes,
        _access: &Access,
    ) -> Result<SealedRecord, Error> {
        todo!()
    }

    /// Opens by a real unwrap. The audit event is durable before the plaintext is returned.
    pub async fn open(
        &self,
        _ctx: &BindCtx,
        _record: &SealedRecord,
        _access: &Access,
    ) -> Result<SecretBytes, Error> {
        todo!()
    }

    /// Seals, writes and reads back: fetch, compare, open with the data key still in memory (needs
    /// no unwrap right).
    pub async fn store(
        &self,
        _name: &RecordName,
        _ctx: &BindCtx,
        _plaintext: &SecretBytes,
        _expect: Expect,
        _access: &Access,
    ) -> Result<Rev, Error> {
        todo!()
    }

    /// Reads past every cache and opens by a real unwrap.
    pub async fn load(
        &self,
        _name: &RecordName,
        _ctx: &BindCtx,
        _access: &Access,
    ) -> Result<Versioned<SecretBytes>, Error> {
        todo!()
    }

    /// Copies a sealed record to another name without opening it (its context does not contain the
    /// name), then reads the copy back.
    pub async fn copy(
        &self,
        _from: &RecordName,
        _to: &RecordName,
        _expect: Expect,
    ) -> Result<Rev, Error> {
        todo!()
    }

    /// The rights, for plain (not secret) rows such as the compare-and-set row.
    pub const fn parts(&self) -> &VaultParts {
        &self.parts
    }
}

impl core::fmt::Debug for Vault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Vault").field("can_open", &self.can_open()).finish_non_exhaustive()
    }
}

impl core::fmt::Debug for VaultParts {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("VaultParts")
    }
}
