//! The storage tiers: sealed records in a vault tier, wallet properties in a cache tier, an audit
//! chain that every opening passes. See `SPEC.md` for the record format.

pub mod access;
pub mod audit;
pub mod bind_ctx;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod embedded;
mod entropy;
mod envelope;
pub mod error;
#[cfg(any(test, feature = "conformance"))]
pub mod fault;
pub mod guard;
pub mod kms;
mod private_file;
pub mod record;
pub mod record_name;
pub mod rewrap;
pub mod store;
mod tombstone;
pub mod vault;

pub use access::{Access, Purpose};
pub use audit::{AuditEvent, AuditOutcome, AuditPosition, AuditSink};
pub use bind_ctx::{BindCtx, RecordPurpose};
pub use embedded::Embedded;
pub use error::Error;
pub use guard::{LockRecord, WalletGuard};
pub use kms::{Dek, RewrapKey, UnwrapKey, WrapKey, Wrapped};
pub use record::SealedRecord;
pub use record_name::RecordName;
pub use rewrap::rewrap_record;
pub use store::{
    DestroyRecord, Expect, GetRecord, ListRecords, Page, PropertiesStore, PutRecord, Rev, Versioned,
};
pub use vault::{Vault, VaultParts};
