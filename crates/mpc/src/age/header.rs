//! The header: the file key, wrapped for the recipient, under a MAC.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use hmac::{Hmac, Mac as _};
use rand_core::{CryptoRng, RngCore};
use sha2::Sha256;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::key::{Identity, Recipient};
use super::{CHANGED, FileKey, NOT_ONE, derive};
use crate::Error;

const VERSION: &str = "age-encryption.org/v1\n";
const STANZA: &str = "-> X25519 ";
const MAC: &str = "---";
const WRAP_INFO: &[u8] = b"age-encryption.org/v1/X25519";
/// A wrapped file key: 16 bytes and a tag.
const WRAPPED: usize = 32;

/// The header with its last line, for one recipient.
pub(super) fn write(
    recipient: &Recipient,
    file_key: &FileKey,
    rng: &mut (impl RngCore + CryptoRng),
) -> Result<Vec<u8>, Error> {
    let ephemeral = StaticSecret::random_from_rng(rng);
    let share = PublicKey::from(&ephemeral);
    let key = wrap_key(&ephemeral, &recipient.public(), &share, &recipient.public())?;
    let wrapped = ChaCha20Poly1305::new((&*key).into())
        .encrypt(&Nonce::default(), file_key.as_slice())
        .map_err(|_| Error::Bug("a file key is encrypted"))?;
    let (share, wrapped) = (
        STANDARD_NO_PAD.encode(share.as_bytes()),
        STANDARD_NO_PAD.encode(wrapped),
    );
    let mut header = format!("{VERSION}{STANZA}{share}\n{wrapped}\n{MAC}");
    let mac = mac(file_key, header.as_bytes())?.finalize().into_bytes();
    header.push(' ');
    header.push_str(&STANDARD_NO_PAD.encode(mac));
    header.push('\n');
    Ok(header.into_bytes())
}

/// The file key, and what is behind the header.
pub(super) fn read<'a>(identity: &Identity, file: &'a [u8]) -> Result<(FileKey, &'a [u8]), Error> {
    let (share, rest) = split(file).ok_or(NOT_ONE)?;
    let (wrapped, rest) = rest;
    let (length, mac_line, payload) = rest;
    let share = PublicKey::from(share);
    let own = identity.recipient().public();
    let key = wrap_key(identity.secret(), &share, &share, &own)?;
    let opened = ChaCha20Poly1305::new((&*key).into())
        .decrypt(&Nonce::default(), wrapped.as_slice())
        .map(Zeroizing::new)
        .map_err(|_| Error::Caller("the age file is encrypted to another key"))?;
    let file_key = <[u8; 16]>::try_from(opened.as_slice()).map_err(|_| NOT_ONE)?;
    let file_key = Zeroizing::new(file_key);
    let covered = file.get(..length).ok_or(NOT_ONE)?;
    mac(&file_key, covered)?
        .verify_slice(&mac_line)
        .map_err(|_| CHANGED)?;
    Ok((file_key, payload))
}

type Parts<'a> = ([u8; 32], ([u8; WRAPPED], (usize, [u8; 32], &'a [u8])));

/// Ephemeral share, wrapped key, length under the MAC, the MAC, and the payload. Strict: this reads
/// what [`write()`] wrote.
fn split(file: &[u8]) -> Option<Parts<'_>> {
    let (share, rest) = line(file.strip_prefix(VERSION.as_bytes())?)?;
    let share = decode(share.strip_prefix(STANZA.as_bytes())?)?;
    let (wrapped, rest) = line(rest)?;
    let wrapped = decode(wrapped)?;
    let (last, payload) = line(rest)?;
    let covered = file.len().checked_sub(rest.len())?.checked_add(MAC.len())?;
    let mac = decode(last.strip_prefix(MAC.as_bytes())?.strip_prefix(b" ")?)?;
    Some((share, (wrapped, (covered, mac, payload))))
}

fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = bytes.split_at_checked(end)?;
    Some((line, rest.get(1..)?))
}

fn decode(text: &[u8]) -> Option<[u8; 32]> {
    STANDARD_NO_PAD.decode(text).ok()?.try_into().ok()
}

fn wrap_key(
    secret: &StaticSecret,
    peer: &PublicKey,
    share: &PublicKey,
    recipient: &PublicKey,
) -> Result<Zeroizing<[u8; 32]>, Error> {
    let shared = secret.diffie_hellman(peer);
    if !shared.was_contributory() {
        return Err(Error::Caller("a key of low order"));
    }
    let salt = [share.as_bytes().as_slice(), recipient.as_bytes()].concat();
    derive(&salt, shared.as_bytes(), WRAP_INFO)
}

fn mac(file_key: &FileKey, covered: &[u8]) -> Result<Hmac<Sha256>, Error> {
    let key = derive(&[], file_key.as_slice(), b"header")?;
    let mac = <Hmac<Sha256> as hmac::Mac>::new_from_slice(&*key);
    let mut mac = mac.map_err(|_| Error::Bug("HMAC takes keys of every length"))?;
    mac.update(covered);
    Ok(mac)
}
