//! The cryptography of record format v1: one data key, one record. See `SPEC.md`.
//!
//! Nothing here draws randomness or knows a store: salt, nonce and key come in as arguments.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, HKDF_SHA512, KeyType, Prk, Salt};
use halfkey_core::SecretBytes;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::bind_ctx::MAX_CANONICAL_LEN;
use crate::{BindCtx, Dek, Error};

/// How key and commitment come from the data key; the body is AES-256-GCM in every suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suite {
    /// HKDF-SHA-512. Read, not written any more.
    HkdfSha512,
    /// The expanding half of HKDF-SHA-256, with the salt in its info.
    ExpandSha256,
}

impl Suite {
    /// The suite of every new record.
    pub(crate) const WRITTEN: Self = Self::ExpandSha256;

    /// The number in the record.
    pub(crate) const fn id(self) -> u16 {
        match self {
            Self::HkdfSha512 => 1,
            Self::ExpandSha256 => 2,
        }
    }

    pub(crate) const fn from_id(id: u16) -> Option<Self> {
        match id {
            1 => Some(Self::HkdfSha512),
            2 => Some(Self::ExpandSha256),
            _ => None,
        }
    }

    /// What the derivation of this suite is labelled with; the suite's number ends it.
    const fn info(self) -> &'static [u8] {
        match self {
            Self::HkdfSha512 => b"halfkey-record-v1\x00\x01",
            Self::ExpandSha256 => b"halfkey-record-v1\x00\x02",
        }
    }
}

/// The first bytes of every record.
pub(crate) const MAGIC: [u8; 4] = *b"HKR1";
/// The format's version.
pub(crate) const VERSION: u8 = 1;
/// The GCM tag at the end of a body.
pub(crate) const TAG_LEN: usize = 16;
/// Magic, version, suite, salt and commitment.
const FIXED_LEN: usize = 71;

/// The public values drawn for one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) suite: Suite,
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
pub(crate) fn derive(dek: &Dek, suite: Suite, salt: &[u8; 32]) -> Result<Derived, Error> {
    let mut okm = Zeroizing::new([0_u8; 64]);
    match suite {
        Suite::HkdfSha512 => expand(dek.expose(), salt, &[suite.info()], okm.as_mut_slice())?,
        // A data key is 32 uniformly random bytes: there is nothing to extract (RFC 5869, 3.3).
        Suite::ExpandSha256 => Prk::new_less_safe(HKDF_SHA256, dek.expose())
            .expand(&[suite.info(), salt], OutputLen(okm.len()))
            .and_then(|expanded| expanded.fill(okm.as_mut_slice()))
            .map_err(|_| Error::permanent("key derivation failed"))?,
    }
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
    let mut aad = Vec::with_capacity(FIXED_LEN.saturating_add(MAX_CANONICAL_LEN));
    aad.extend_from_slice(&MAGIC);
    aad.push(VERSION);
    aad.extend_from_slice(&header.suite.id().to_be_bytes());
    aad.extend_from_slice(&header.salt);
    aad.extend_from_slice(&header.commitment);
    ctx.append_canonical(&mut aad)?;
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
    seal_onto(
        before,
        &AeadKey::new(&derived.key)?,
        header.nonce,
        &aad,
        plaintext,
    )
}

/// Opens a body: first the commitment in constant time, then the tag (SPEC 3.4). The error is a
/// reason for [`Error::Corrupt`].
pub(crate) fn open_body(
    dek: &Dek,
    header: &Header,
    ctx: &BindCtx,
    body: &[u8],
) -> Result<SecretBytes, OpenError> {
    let derived = derive(dek, header.suite, &header.salt)?;
    if !bool::from(derived.commitment.ct_eq(&header.commitment)) {
        return Err(OpenError::Rejected(
            "the data key is not the one it was sealed with",
        ));
    }
    let aad = associated_data(header, ctx)?;
    let key = AeadKey::new(&derived.key)?;
    open(&key, header.nonce, &aad, body).ok_or(OpenError::Rejected(
        "it is damaged or belongs to another context",
    ))
}

/// Whether a record with this header was sealed with `dek`; compared in constant time.
pub(crate) fn is_committed(dek: &Dek, header: &Header) -> Result<bool, Error> {
    let derived = derive(dek, header.suite, &header.salt)?;
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

/// A key of AES-256-GCM with its schedule, wiped by the library when it is dropped.
pub(crate) struct AeadKey(LessSafeKey);

halfkey_core::redacted_debug!(AeadKey);

impl AeadKey {
    pub(crate) fn new(key: &[u8; 32]) -> Result<Self, Error> {
        UnboundKey::new(&AES_256_GCM, key)
            .map(|key| Self(LessSafeKey::new(key)))
            .map_err(|_| Error::permanent("the cipher took no key"))
    }
}

/// AES-256-GCM; ciphertext and tag. The caller never repeats a nonce under one key.
pub(crate) fn seal(
    key: &AeadKey,
    nonce: [u8; 12],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    seal_onto(Vec::new(), key, nonce, aad, plaintext)
}

/// The same, appended to `before`: from the plaintext straight to where it stands in the record,
/// so no second copy of the plaintext is ever made.
pub(crate) fn seal_onto(
    before: Vec<u8>,
    key: &AeadKey,
    nonce: [u8; 12],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    let start = before.len();
    let sealed_len = plaintext.len().saturating_add(TAG_LEN);
    let mut sealed = before;
    sealed.resize(start.saturating_add(sealed_len), 0);
    let (_, out) = sealed.split_at_mut(start);
    let nonce = Nonce::assume_unique_for_key(nonce);
    key.0
        .seal_in_place_scatter(nonce, Aad::from(aad), &mut [], plaintext, out)
        .map_err(|_| Error::permanent("encryption failed"))?;
    Ok(sealed)
}

/// The inverse of [`seal`]; `None` when the tag does not verify, and nothing is released before.
pub(crate) fn open(
    key: &AeadKey,
    nonce: [u8; 12],
    aad: &[u8],
    sealed: &[u8],
) -> Option<SecretBytes> {
    let (ciphertext, tag) = sealed.split_at_checked(sealed.len().checked_sub(TAG_LEN)?)?;
    let nonce = Nonce::assume_unique_for_key(nonce);
    SecretBytes::filled(ciphertext.len(), |plaintext| {
        key.0
            .open_separate_gather(nonce, Aad::from(aad), ciphertext, tag, plaintext)
            .ok()
    })
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
        let commitment = derive(&other, Suite::WRITTEN, &header.salt)
            .unwrap()
            .commitment;
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
            derive(&one, Suite::WRITTEN, &[1; 32]),
            derive(&one, Suite::WRITTEN, &[2; 32]),
            derive(&two, Suite::WRITTEN, &[1; 32]),
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
