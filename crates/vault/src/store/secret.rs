//! Secret managers as this crate uses them: values that are written once, read, and removed.
//!
//! None of the managers has a compare-and-set that all of them share, and none can destroy a single
//! version everywhere. So each write makes a *new* secret under a fresh random id, and which secret
//! is the current one is told by a record store that does compare and set: see
//! [`secret_manager`](super::secret_manager).

use core::fmt;

use async_trait::async_trait;

use crate::entropy::random_bytes;
use crate::{Error, RecordName};

/// A secret's id: 16 random bytes, drawn for each write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretId([u8; 16]);

impl SecretId {
    /// A fresh random id.
    ///
    /// # Errors
    /// When the random generator fails.
    pub fn generate() -> Result<Self, Error> {
        Ok(Self(*random_bytes::<16>()?))
    }

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The inverse of its text: 32 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 16] = hex::decode(text).ok()?.try_into().ok()?;
        (hex::encode(bytes) == text).then_some(Self(bytes))
    }
}

impl fmt::Display for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// One page of secret ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretPage {
    /// The ids, in the manager's order.
    pub ids: Vec<SecretId>,
    /// Pass for the next page; `None` on the last.
    pub next: Option<String>,
}

/// A secret manager: one secret per write, never overwritten. The values are sealed already.
#[async_trait]
pub trait SecretStore: Send + Sync {
    /// The manager and the place in it, for errors and reports; no credentials.
    fn uri(&self) -> &str;

    /// The longest value, in bytes. Checked by the caller and again here, before any call.
    fn limit(&self) -> usize;

    /// Makes the secret `id` with `value`; `name` is kept beside it as a label for people. When it
    /// returns, the value is durable and readable. Repeating the same call is harmless; another
    /// value under the same id is [`Error::Conflict`]; a value over the limit is
    /// [`Error::TooLarge`].
    async fn create(&self, id: SecretId, name: &RecordName, value: &[u8]) -> Result<(), Error>;

    /// Reads a secret; `None` when there is none.
    async fn read(&self, id: SecretId) -> Result<Option<Vec<u8>>, Error>;

    /// Removes a secret for good, as far as the manager can; what is absent is fine.
    async fn remove(&self, id: SecretId) -> Result<(), Error>;

    /// Lists the secrets of this prefix and environment; for finding those nothing refers to.
    async fn list(&self, after: Option<&str>) -> Result<SecretPage, Error>;
}
