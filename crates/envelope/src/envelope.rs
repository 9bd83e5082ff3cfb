use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use halfkey_core::SecretBytes;
use halfkey_core::random::{CryptoRng, RngCore};
use halfkey_core::wire::EncryptedDelegatedPayload;
use zeroize::Zeroizing;

use crate::{Error, PrivateKey, RecipientKey, Result};

/// The algorithm as it is emitted. `RSA-OAEP` names the same scheme and is read as well.
pub const ALG: &str = "HYBRID-RSA-AES-256";
const ALSO_READ: &str = "RSA-OAEP";

const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// More than any key share takes.
const LONGEST_CONTENT: usize = 1 << 20;

/// Reads the JSON form of an envelope.
///
/// # Errors
/// [`Error::NotAnEnvelope`] for anything else, unknown fields included.
pub fn from_json(json: &[u8]) -> Result<EncryptedDelegatedPayload> {
    serde_json::from_slice(json).map_err(|_| Error::NotAnEnvelope)
}

/// Checks everything that can be checked without the private key, as a keeper of envelopes does:
/// algorithm, alphabet, lengths, and that it is for a key of this size and id.
///
/// # Errors
/// As [`open`].
pub fn check_for(envelope: &EncryptedDelegatedPayload, key: &RecipientKey) -> Result<()> {
    if envelope.kid.as_deref() != Some(key.kid().as_str()) {
        return Err(Error::AnotherKid);
    }
    let parts = parts(envelope)?;
    if parts.ek.len().saturating_mul(8) != key.bits().next_multiple_of(8) {
        return Err(Error::Length("ek"));
    }
    Ok(())
}

fn parts(envelope: &EncryptedDelegatedPayload) -> Result<Parts> {
    if envelope.alg != ALG && envelope.alg != ALSO_READ {
        return Err(Error::UnknownAlgorithm);
    }
    let ct = decode("ct", &envelope.ct)?;
    if ct.is_empty() || ct.len() > LONGEST_CONTENT {
        return Err(Error::Length("ct"));
    }
    Ok(Parts {
        iv: exact("iv", &envelope.iv)?,
        ct,
        tag: exact("tag", &envelope.tag)?,
        ek: decode("ek", &envelope.ek)?,
    })
}

struct Parts {
    iv: [u8; NONCE_BYTES],
    ct: Vec<u8>,
    tag: [u8; TAG_BYTES],
    ek: Vec<u8>,
}

fn decode(field: &'static str, text: &str) -> Result<Vec<u8>> {
    // Four digits hold three bytes; what is longer than any content is not looked at.
    if text.len() > LONGEST_CONTENT.saturating_mul(2) {
        return Err(Error::Length(field));
    }
    URL_SAFE_NO_PAD
        .decode(text.trim_end_matches('='))
        .map_err(|_| Error::NotBase64Url(field))
}

fn exact<const N: usize>(field: &'static str, text: &str) -> Result<[u8; N]> {
    decode(field, text)?
        .try_into()
        .map_err(|_| Error::Length(field))
}

fn cipher(key: &[u8; 32]) -> Result<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key)
        .map(LessSafeKey::new)
        .map_err(|_| Error::Bug("an AES-256 key is 32 bytes"))
}

/// Encrypts `content` for `recipient` under a fresh key. The envelope names the recipient's key.
///
/// # Errors
/// [`Error::Length`] for no content, or more than 1 MiB.
pub fn seal(
    recipient: &RecipientKey,
    content: &SecretBytes,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<EncryptedDelegatedPayload> {
    if content.is_empty() || content.len() > LONGEST_CONTENT {
        return Err(Error::Length("content"));
    }
    let mut key = Zeroizing::new([0_u8; 32]);
    rng.fill_bytes(key.as_mut());
    let mut iv = [0_u8; NONCE_BYTES];
    rng.fill_bytes(&mut iv);
    let mut buffer = Zeroizing::new(content.expose().to_vec());
    let tag = cipher(&key)?
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(iv), Aad::empty(), &mut buffer)
        .map_err(|_| Error::Bug("AES-GCM seals"))?;
    Ok(EncryptedDelegatedPayload {
        alg: ALG.to_owned(),
        iv: URL_SAFE_NO_PAD.encode(iv),
        ct: URL_SAFE_NO_PAD.encode(&*buffer),
        tag: URL_SAFE_NO_PAD.encode(tag.as_ref()),
        ek: URL_SAFE_NO_PAD.encode(recipient.wrap(key.as_ref())?),
        kid: Some(recipient.kid()),
    })
}

/// Decrypts an envelope.
///
/// # Errors
/// [`Error::UnknownAlgorithm`], [`Error::NotBase64Url`] and [`Error::Length`] before any
/// cryptography; [`Error::AnotherKid`] when the envelope names another key; [`Error::WrongKey`]
/// when the content key does not come out; [`Error::Changed`] when the content was altered.
pub fn open(key: &PrivateKey, envelope: &EncryptedDelegatedPayload) -> Result<SecretBytes> {
    let Parts {
        iv,
        mut ct,
        tag,
        ek,
    } = parts(envelope)?;
    let own = key.recipient_key()?.kid();
    // Keys that others gave a name keep it; only our own form of name says anything.
    let is_ours = |kid: &&String| kid.len() == own.len() && hex::decode(kid).is_ok();
    if envelope
        .kid
        .as_ref()
        .filter(is_ours)
        .is_some_and(|kid| *kid != own)
    {
        return Err(Error::AnotherKid);
    }
    let content_key = key.unwrap(&ek)?;
    ct.extend_from_slice(&tag);
    let mut buffer = Zeroizing::new(ct);
    let length = cipher(&content_key)?
        .open_in_place(Nonce::assume_unique_for_key(iv), Aad::empty(), &mut buffer)
        .map_err(|_| Error::Changed)?
        .len();
    buffer.truncate(length);
    Ok(SecretBytes::new(core::mem::take(&mut *buffer)))
}
