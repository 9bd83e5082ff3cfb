//! The storage tiers: sealed records in a vault tier, wallet properties in a cache tier, an audit
//! chain that every opening passes. `SPEC.md` beside this crate has every format.
//!
//! # What it is
//!
//! [`Vault`] is the barrier: the only code that sees plaintext on its way to and from a store. It
//! stands on one small trait per right, and a process is given only those it needs:
//!
//! | right | trait | for |
//! |---|---|---|
//! | seal | [`WrapKey`] | writing shares |
//! | open | [`UnwrapKey`] | signing, and the proof that a stored share is the right one |
//! | rotate | [`RewrapKey`] | moving records to a new KEK version without opening them |
//! | write, read records | [`PutRecord`], [`GetRecord`] | opaque bytes |
//! | list, remove records | [`ListRecords`], [`DestroyRecord`] | opaque bytes |
//! | keep wallet properties | [`PropertiesStore`] | the cache tier |
//! | audit | [`AuditSink`] | every seal, open, destruction and refusal |
//!
//! # What it promises
//!
//! * One record, one data key. A record opens only under exactly the [`BindCtx`] it was sealed for:
//!   environment, chain, address, wallet, share, share set, party, scheme, purpose, generation,
//!   attempt, public key (custody rule 23). Moved, swapped, cut or changed in any bit, it is
//!   [`Error::Corrupt`].
//! * No audit event, no plaintext: the event is durable before plaintext is returned.
//! * [`Vault::store`] reads back what it wrote and opens it before it says that it is stored.
//! * A store sees ciphertext only, and is not trusted to give back what it was given.
//!
//! What it does not promise is in `SPEC.md`, section 8.
//!
//! # Back-ends
//!
//! * [`embedded`]: everything in one directory, no server. Start here.
//! * [`kms::keyring`], [`store::sqlite`], [`audit::sqlite`]: its parts.
//! * [`kms::memory`], [`store::memory`], [`audit::memory`]: for tests.
//!
//! A new back-end implements the traits and passes the suites of `conformance` (a feature), in a
//! few lines; `fault` beside it makes any back-end fail on purpose.
//!
//! ```
//! use std::sync::Arc;
//! use halfkey_core::{EnvironmentId, SystemClock, random};
//! use halfkey_vault::Embedded;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), halfkey_vault::Error> {
//! # let outer = tempfile::tempdir().map_err(|_| halfkey_vault::Error::Caller("no directory"))?;
//! # let dir = outer.path().join("data");
//! let environment = EnvironmentId::generate(&mut random::os_rng());
//! let clock = Arc::new(SystemClock);
//! let embedded = Embedded::create_or_open(&dir, &environment, None, clock, "node-1").await?;
//! assert!(embedded.vault.can_open());
//! embedded.close().await;
//! # Ok(())
//! # }
//! ```

pub mod access;
pub mod audit;
pub mod bind_ctx;
pub mod cache;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod dek_cache;
pub mod embedded;
mod entropy;
mod envelope;
pub mod error;
#[cfg(any(test, feature = "conformance"))]
pub mod fault;
pub mod guard;
pub mod kms;
pub mod net;
pub mod operator_key;
mod private_file;
pub mod record;
pub mod record_name;
pub mod rewrap;
pub mod rotation;
pub mod steady;
pub mod storage;
pub mod store;
mod tombstone;
pub mod vault;

pub use access::{Access, Purpose};
pub use audit::{AuditEvent, AuditOutcome, AuditPosition, AuditSink};
pub use bind_ctx::{BindCtx, RecordPurpose};
pub use cache::{BoundedProperties, ReadThrough};
pub use dek_cache::{DekCache, DekCacheLimits};
pub use embedded::Embedded;
pub use error::Error;
pub use guard::{LockRecord, WalletGuard};
pub use kms::{
    Dek, KekInfo, KekState, KekVersion, ManageKey, RewrapKey, UnwrapKey, WrapKey, Wrapped,
};
pub use record::SealedRecord;
pub use record_name::RecordName;
pub use rewrap::rewrap_record;
pub use rotation::{
    Census, RecordContexts, RewrapOptions, RewrapParts, RewrapReport, Rewrapper, census,
};
pub use steady::{RetryPolicy, Steady};
pub use storage::{Storage, StorageConfig};
pub use store::{
    DestroyRecord, Expect, GetRecord, ListRecords, Page, PropertiesStore, PutRecord, RecordStore,
    Rev, Versioned,
};
pub use vault::{AuditPolicy, Vault, VaultParts};
