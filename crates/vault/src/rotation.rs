//! Rotation: moving every record to the newest KEK version, and telling which are due.
//!
//! A KEK gets a new version with [`ManageKey::rotate`](crate::ManageKey), and new records use it at
//! once. [`Rewrapper`] then walks the store and moves the others: only their wrapped keys change,
//! no body is touched and no plaintext seen. It can be killed at any time and run again; what was
//! moved is recognised and left alone. A version whose count in [`Census`] is zero may be disabled,
//! never destroyed (custody rule 24).

mod census;
mod rewrapper;

pub use self::census::{Census, VersionCount, census};
pub use self::rewrapper::{Progress, RewrapOptions, RewrapParts, RewrapReport, Rewrapper};

use async_trait::async_trait;

use crate::{BindCtx, Error, RecordName};

/// Knows what the records of a store are bound to. It stands in no record, so whoever wrote them
/// has to say.
#[async_trait]
pub trait RecordContexts: Send + Sync {
    /// The context of the sealed record `name`; `None` for a name that is not this source's.
    async fn context(&self, name: &RecordName) -> Result<Option<BindCtx>, Error>;
}
