//! Wrapping of data keys by a key-encryption key: one trait per right.

mod aead_wrap;
#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "azure")]
pub mod azure;
#[cfg(feature = "gcp")]
pub mod gcp;
pub mod keyring;
mod manage;
pub mod memory;
#[cfg(feature = "pkcs11")]
pub mod pkcs11;
mod several;
#[cfg(feature = "openbao")]
pub mod transit;

pub use self::manage::{KekInfo, KekState, KekVersion, ManageKey};
pub use self::several::ByUri;

use async_trait::async_trait;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::entropy::random_bytes;
use crate::{BindCtx, Error};

/// A data key: 32 random bytes, used for exactly one record.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Dek([u8; 32]);

halfkey_core::redacted_debug!(Dek);

impl Dek {
    /// A fresh random data key.
    ///
    /// # Errors
    /// When the random generator fails.
    pub fn generate() -> Result<Self, Error> {
        Ok(Self(*random_bytes::<32>()?))
    }

    /// The data key with these bytes; for providers that unwrap. `None` unless there are 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The key itself, for providers that wrap. Named so that every use can be found.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Compared in constant time.
impl PartialEq for Dek {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Dek {}

/// A wrapped data key as it stands in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// Which KEK: for example `keyring:<keyring id>`.
    pub kek_uri: String,
    /// Which version (term) of it.
    pub kek_version: String,
    /// The wrapped key.
    pub bytes: Vec<u8>,
}

/// May wrap a data key (write new records).
#[async_trait]
pub trait WrapKey: Send + Sync {
    /// Wraps `dek`, bound to `ctx`.
    async fn wrap(&self, ctx: &BindCtx, dek: &Dek) -> Result<Wrapped, Error>;
}

/// May unwrap a data key (open records).
#[async_trait]
pub trait UnwrapKey: Send + Sync {
    /// Unwraps `wrapped`; fails unless it was wrapped for exactly `ctx`.
    async fn unwrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Dek, Error>;
}

/// May move a wrapped key to the newest KEK version without giving it out.
#[async_trait]
pub trait RewrapKey: Send + Sync {
    /// Whether the provider rewraps by itself, so that no right to unwrap is needed.
    fn needs_unwrap_right(&self) -> bool {
        true
    }

    /// The URI of the KEK it moves keys to and from: the `kek_uri` of its wraps.
    fn kek_uri(&self) -> &str;

    /// Rewraps `wrapped` under the newest version.
    async fn rewrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Wrapped, Error>;
}
