//! Wrapping of data keys by a key-encryption key: one trait per right.

use async_trait::async_trait;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{BindCtx, Error};

/// A data key: 32 random bytes, used for exactly one record.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Dek(pub(crate) [u8; 32]);

halfkey_core::redacted_debug!(Dek);

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
    /// Rewraps `wrapped` under the newest version.
    async fn rewrap(&self, ctx: &BindCtx, wrapped: &Wrapped) -> Result<Wrapped, Error>;
}
