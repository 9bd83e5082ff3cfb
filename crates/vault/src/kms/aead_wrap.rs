//! Wrapping by AES-256-GCM under a key held in this process: `nonce 12 | ciphertext 32 | tag 16`.

use zeroize::Zeroizing;

use crate::entropy::random_bytes;
use crate::envelope;
use crate::{BindCtx, Dek, Error};

/// The length of such a wrapped key.
pub(super) const LEN: usize = 60;

/// A key-encryption key in memory.
pub(super) type Kek = Zeroizing<[u8; 32]>;

/// Wraps `dek`, bound to the digest of `ctx`. Nonces are random: one KEK version wraps at most 2^32
/// keys.
pub(super) fn wrap(kek: &Kek, ctx: &BindCtx, dek: &Dek) -> Result<Vec<u8>, Error> {
    let nonce = *random_bytes::<12>()?;
    let sealed = envelope::seal(kek, nonce, &ctx.digest()?, dek.expose())?;
    let mut bytes = Vec::with_capacity(LEN);
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(&sealed);
    Ok(bytes)
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
    let opened = envelope::open(kek, *nonce, &ctx.digest()?, sealed).ok_or_else(refused)?;
    Dek::from_slice(opened.expose()).ok_or_else(refused)
}
