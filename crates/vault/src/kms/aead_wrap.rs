//! Wrapping by AES-256-GCM under a key held in this process: `nonce 12 | ciphertext 32 | tag 16`.

use std::sync::Arc;

use crate::entropy::random_bytes;
use crate::envelope::{self, AeadKey};
use crate::{BindCtx, Dek, Error};

/// The length of such a wrapped key.
pub(super) const LEN: usize = 60;

/// A key-encryption key in memory, with its schedule; wiped when the last holder lets go.
#[derive(Clone)]
pub(super) struct Kek(Arc<AeadKey>);

halfkey_core::redacted_debug!(Kek);

impl Kek {
    pub(super) fn new(key: &[u8; 32]) -> Result<Self, Error> {
        Ok(Self(Arc::new(AeadKey::new(key)?)))
    }
}

/// Wraps `dek`, bound to the digest of `ctx`. Nonces are random: one KEK version wraps at most 2^32
/// keys.
pub(super) fn wrap(kek: &Kek, ctx: &BindCtx, dek: &Dek) -> Result<Vec<u8>, Error> {
    let nonce = *random_bytes::<12>()?;
    let mut bytes = Vec::with_capacity(LEN);
    bytes.extend_from_slice(&nonce);
    envelope::seal_onto(bytes, &kek.0, nonce, &ctx.digest()?, dek.expose())
}

/// The inverse; [`Error::Corrupt`] unless it was wrapped under `kek` for exactly `ctx`.
pub(super) fn unwrap(kek: &Kek, ctx: &BindCtx, uri: &str, wrapped: &[u8]) -> Result<Dek, Error> {
    let refused = || {
        Error::corrupt(
            uri,
            "its wrapped key is damaged or belongs to another context",
        )
    };
    if wrapped.len() != LEN {
        return Err(refused());
    }
    let (nonce, sealed) = wrapped.split_first_chunk::<12>().ok_or_else(refused)?;
    let opened = envelope::open(&kek.0, *nonce, &ctx.digest()?, sealed).ok_or_else(refused)?;
    Dek::from_slice(opened.expose()).ok_or_else(refused)
}
