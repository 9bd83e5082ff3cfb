//! The cryptography of record format v1: one data key, one record. See `SPEC.md`.
//!
//! Nothing here draws randomness or knows a store: salt, nonce and key come in as arguments.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA512, KeyType, Salt};
use halfkey_core::SecretBytes;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{BindCtx, Dek, Error};

/// AES-256-GCM, key and commitment by HKDF-SHA-512. The only suite of format v1.
pub(crate) const SUITE: u16 = 1;
/// The first bytes of every record.
pub(crate) const MAGIC: [u8; 4] = *b"HKR1";
/// The format's version.
pub(crate) const VERSION: u8 = 1;
/// The GCM tag at the end of a body.
pub(crate) const TAG_LEN: usize = 16;

const INFO: &[u8] = b"halfkey-record-v1\x00\x01";

/// The public values drawn for one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) salt: [u8; 32],
    pub(crate) commitment: [u8; 32],
    pub(crate) nonce: [u8; 12],
}

/// What the data key and the salt give.
pub(crate) struct Derived {
    key: Zeroizing<[u8; 32]>,
    /// Public: fixes the one data key that can open the record.
    pub(crate) commitment: [u8; 32],
}

/// Derives encryption key and commitment (SPEC 3.2).
pub(crate) fn derive(dek: &Dek, salt: &[u8; 32]) -> Result<Derived, Error> {
    let mut okm = Zeroizing::new([0_u8; 64]);
    expand(dek.expose(), salt, &[INFO], okm.as_mut_slice())?;
    let (mut key, mut commitment) = (Zeroizing::new([0_u8; 32]), [0_u8; 32]);
    let (first, second) = okm.split_at(32);
    key.copy_from_slice(first);
    commitment.copy_from_slice(second);
    Ok(Derived { key, commitment })
}

/// HKDF-SHA-512 into `out`, at most 16320 bytes.
pub(crate) fn expand(
    secret: &[u8],
    salt: &[u8],
    info: &[&[u8]],
    out: &mut [u8],
) -> Result<(), Error> {
    Salt::new(HKDF_SHA512, salt)
        .extract(secret)
        .expand(info, OutputLen(out.len()))
        .and_then(|okm| okm.fill(out))
        .map_err(|_| Error::permanent("key derivation failed"))
}

struct OutputLen(usize);

impl KeyType for OutputLen {
    fn len(&self) -> usize {
        self.0
    }
}

/// Everything the body's tag covers besides the body: the fixed header and the context (SPEC 3.3).
/// The list of wrapped keys is left out, so that rewrapping never touches the body.
fn associated_data(header: &Header, ctx: &BindCtx) -> Result<Vec<u8>, Error> {
    let canonical = ctx.canonical_bytes()?;
    let mut aad = Vec::with_capacity(canonical.len().saturating_add(71));
    aad.extend_from_slice(&MAGIC);
    aad.push(VERSION);
    aad.extend_from_slice(&SUITE.to_be_bytes());
    aad.extend_from_slice(&header.salt);
    aad.extend_from_slice(&header.commitment);
    aad.extend_from_slice(&canonical);
    Ok(aad)
}

/// Seals `plaintext` under the derived key; appends ciphertext and tag to `before`, which is
/// public.
pub(crate) fn seal_body(
    before: Vec<u8>,
    derived: &Derived,
    header: &Header,
    ctx: &BindCtx,
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    let aad = associated_data(header, ctx)?;
    seal_onto(before, &derived.key, header.nonce, &aad, plaintext)
}

/// Opens a body: first the commitment in constant time, then the tag (SPEC 3.4). The error is a
/// reason for [`Error::Corrupt`].
pub(crate) fn open_body(
    dek: &Dek,
    header: &Header,
    ctx: &BindCtx,
    body: &[u8],
) -> Result<SecretBytes, OpenError> {
    let derived = derive(dek, &header.salt)?;
    if !bool::from(derived.commitment.ct_eq(&header.commitment)) {
        return Err(OpenError::Rejected(
            "the data key is not the one it was sealed with",
        ));
    }
    let aad = associated_data(header, ctx)?;
    open(&derived.key, header.nonce, &aad, body).ok_or(OpenError::Rejected(
        "it is damaged or belongs to another context",
    ))
}

/// Whether a record with this header was sealed with `dek`; compared in constant time.
pub(crate) fn is_committed(dek: &Dek, header: &Header) -> Result<bool, Error> {
    let derived = derive(dek, &header.salt)?;
    Ok(derived.commitment.ct_eq(&header.commitment).into())
}

/// Why a body did not open.
pub(crate) enum OpenError {
    /// The record is not what it should be.
    Rejected(&'static str),
    /// Nothing is known about the record.
    Failed(Error),
}

impl From<Error> for OpenError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// AES-256-GCM; ciphertext and tag. The caller never repeats a nonce under one key.
pub(crate) fn seal(
    key: &[u8; 32],
    nonce: [u8; 12],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    seal_onto(Vec::new(), key, nonce, aad, plaintext)
}

/// The same, appended to `before`.
fn seal_onto(
    before: Vec<u8>,
    key: &[u8; 32],
    nonce: [u8; 12],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    let failed = |_| Error::permanent("encryption failed");
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(failed)?);
    let start = before.len();
    let mut buffer = Zeroizing::new(before);
    // Room for the tag from the start: growing would leave a copy of the plaintext behind.
    buffer.reserve_exact(plaintext.len().saturating_add(TAG_LEN));
    buffer.extend_from_slice(plaintext);
    let (_, body) = buffer.split_at_mut(start);
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = key
        .seal_in_place_separate_tag(nonce, Aad::from(aad), body)
        .map_err(failed)?;
    buffer.extend_from_slice(tag.as_ref());
    Ok(core::mem::take(&mut *buffer))
}

/// The inverse of [`seal`]; `None` when the tag does not verify, and nothing is released before.
pub(crate) fn open(
    key: &[u8; 32],
    nonce: [u8; 12],
    aad: &[u8],
    sealed: &[u8],
) -> Option<SecretBytes> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
    let (ciphertext, tag) = sealed.split_at_checked(sealed.len().checked_sub(TAG_LEN)?)?;
    let mut plaintext = Zeroizing::new(vec![0; ciphertext.len()]);
    let nonce = Nonce::assume_unique_for_key(nonce);
    key.open_separate_gather(nonce, Aad::from(aad), ciphertext, tag, &mut plaintext)
        .ok()?;
    Some(SecretBytes::new(core::mem::take(&mut *plaintext)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::sample::{ctx, neighbours};

    fn sealed() -> (Dek, Header, Vec<u8>) {
        let dek = Dek::generate().unwrap();
        let (header, body) =
            crate::vault::seal::seal_with(&dek, [1; 32], [2; 12], &ctx(), b"plain").unwrap();
        (dek, header, body)
    }

    fn opens(dek: &Dek, header: &Header, ctx: &BindCtx, body: &[u8]) -> bool {
        open_body(dek, header, ctx, body).is_ok_and(|plain| plain.expose() == b"plain")
    }

    /// With the right data key at hand: the body is bound by itself, not only by its wrap.
    #[test]
    fn a_body_opens_under_its_own_context_only() {
        let (dek, header, body) = sealed();
        assert!(opens(&dek, &header, &ctx(), &body));
        for other in neighbours(&ctx()) {
            assert!(!opens(&dek, &header, &other, &body), "{other:?}");
        }
    }

    /// A header whose commitment was made to fit another key is still covered by the tag.
    #[test]
    fn open_rejects_another_key_even_with_its_own_commitment() {
        let (_, header, body) = sealed();
        let other = Dek::generate().unwrap();
        assert!(!opens(&other, &header, &ctx(), &body));
        let commitment = derive(&other, &header.salt).unwrap().commitment;
        let forged = Header {
            commitment,
            ..header
        };
        assert!(!opens(&other, &forged, &ctx(), &body));
    }

    #[test]
    fn key_and_commitment_depend_on_key_and_salt() {
        let (one, two) = (Dek::generate().unwrap(), Dek::generate().unwrap());
        let derived = [
            derive(&one, &[1; 32]),
            derive(&one, &[2; 32]),
            derive(&two, &[1; 32]),
        ];
        let derived = derived.map(Result::unwrap);
        for (at, first) in derived.iter().enumerate() {
            for second in derived.iter().skip(at + 1) {
                assert_ne!(first.commitment, second.commitment);
                assert_ne!(*first.key, *second.key);
            }
            assert_ne!(*first.key, first.commitment);
        }
    }
}
