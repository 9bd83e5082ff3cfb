//! The payload: STREAM over ChaCha20-Poly1305 in chunks of 64 KiB.

use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use rand_core::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use super::{CHANGED, FileKey, derive};
use crate::Error;

const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;
const NONCE: usize = 16;

/// Appends nonce and chunks to `file`.
pub(super) fn write(
    file_key: &FileKey,
    plaintext: &[u8],
    rng: &mut (impl RngCore + CryptoRng),
    file: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut nonce = [0; NONCE];
    rng.fill_bytes(&mut nonce);
    file.extend(nonce);
    let cipher = cipher(file_key, &nonce)?;
    let mut counter = 0_u64;
    let mut rest = plaintext;
    loop {
        // Only an empty plaintext has an empty chunk.
        let (chunk, after) = rest.split_at(rest.len().min(CHUNK));
        let is_last = after.is_empty();
        let sealed = cipher
            .encrypt(&number(counter, is_last), chunk)
            .map_err(|_| Error::Bug("a chunk is encrypted"))?;
        file.extend(sealed);
        if is_last {
            return Ok(());
        }
        rest = after;
        counter = counter.saturating_add(1);
    }
}

pub(super) fn read(file_key: &FileKey, payload: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (nonce, mut rest) = payload.split_first_chunk::<NONCE>().ok_or(CHANGED)?;
    let cipher = cipher(file_key, nonce)?;
    // Room for all of it: growing would leave copies behind.
    let mut plaintext = Zeroizing::new(Vec::with_capacity(rest.len()));
    let mut counter = 0_u64;
    loop {
        let (chunk, after) = rest.split_at(rest.len().min(CHUNK.saturating_add(TAG)));
        let is_last = after.is_empty();
        let opened = cipher
            .decrypt(&number(counter, is_last), chunk)
            .map(Zeroizing::new)
            .map_err(|_| CHANGED)?;
        if opened.is_empty() && counter > 0 {
            return Err(CHANGED);
        }
        plaintext.extend_from_slice(&opened);
        if is_last {
            return Ok(plaintext);
        }
        rest = after;
        counter = counter.saturating_add(1);
    }
}

fn cipher(file_key: &FileKey, nonce: &[u8; NONCE]) -> Result<ChaCha20Poly1305, Error> {
    let key = derive(nonce, file_key.as_slice(), b"payload")?;
    Ok(ChaCha20Poly1305::new((&*key).into()))
}

/// 11 bytes of the chunk's number, big-endian, and whether it is the last.
fn number(counter: u64, is_last: bool) -> Nonce {
    let mut nonce = [0; 12];
    if let Some(place) = nonce.get_mut(3..11) {
        place.copy_from_slice(&counter.to_be_bytes());
    }
    if let Some(last) = nonce.last_mut() {
        *last = u8::from(is_last);
    }
    nonce.into()
}
