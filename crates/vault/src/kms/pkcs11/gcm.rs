//! AES-GCM inside the token: `nonce 12 | ciphertext 32 | tag 16`, as everywhere in the vault.

use cryptoki::error::Error as ModuleError;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki::types::Ulong;
use zeroize::Zeroizing;

use crate::Error;
use crate::entropy::random_bytes;
use crate::kms::aead_wrap::LEN;

const NONCE_LEN: usize = 12;
const TAG_BITS: Ulong = Ulong::new(128);

/// Why nothing was sealed.
pub(super) enum SealFailure {
    /// The module refused.
    Module(ModuleError),
    /// What came back must not be used.
    Unusable(Error),
}

/// Encrypts 32 bytes. The nonce is read back after the call: some tokens make their own and write
/// it over the one they were given. `token_makes_nonce` is for those that insist on being given
/// zeros; zeros that stay are refused, because a nonce that comes twice gives the key away.
pub(super) fn seal(
    session: &Session,
    key: ObjectHandle,
    token_makes_nonce: bool,
    aad: &[u8],
    plain: &[u8; 32],
) -> Result<Vec<u8>, SealFailure> {
    let mut nonce = if token_makes_nonce {
        [0; NONCE_LEN]
    } else {
        *random_bytes::<NONCE_LEN>().map_err(SealFailure::Unusable)?
    };
    let params = GcmParams::new(&mut nonce, aad, TAG_BITS).map_err(SealFailure::Module)?;
    let sealed = session
        .encrypt(&Mechanism::AesGcm(params), key, plain)
        .map_err(SealFailure::Module)?;
    if nonce == [0; NONCE_LEN] {
        return Err(SealFailure::Unusable(Error::Config(
            "the token made no nonce: leave token_makes_nonce off".to_owned(),
        )));
    }
    let wrapped = [&nonce, sealed.as_slice()].concat();
    if wrapped.len() != LEN {
        return Err(SealFailure::Unusable(Error::Config(
            "the token's AES-GCM does not give ciphertext and tag alone".to_owned(),
        )));
    }
    Ok(wrapped)
}

/// The inverse. `wrapped` has the right length.
pub(super) fn open(
    session: &Session,
    key: ObjectHandle,
    aad: &[u8],
    wrapped: &[u8; LEN],
) -> Result<Zeroizing<Vec<u8>>, ModuleError> {
    let (nonce, sealed) = wrapped.split_at(NONCE_LEN);
    let mut nonce = nonce.to_vec();
    let params = GcmParams::new(&mut nonce, aad, TAG_BITS)?;
    session
        .decrypt(&Mechanism::AesGcm(params), key, sealed)
        .map(Zeroizing::new)
}
