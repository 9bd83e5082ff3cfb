//! Record format v1, writing.

use super::{
    MAX_KEK_URI_LEN, MAX_KEK_VERSION_LEN, MAX_PLAINTEXT_LEN, MAX_WRAPPED_LEN, MAX_WRAPS,
    SealedRecord,
};
use crate::Wrapped;
use crate::envelope::{Header, MAGIC, TAG_LEN, VERSION};

/// Encodes; fails on what the decoder would not take back.
pub(super) fn encode(
    header: &Header,
    wraps: &[Wrapped],
    body: &[u8],
) -> Result<SealedRecord, &'static str> {
    let mut bytes = encode_before_body(header, wraps, body.len())?;
    bytes.extend_from_slice(body);
    Ok(SealedRecord { bytes })
}

/// The same up to the body, with room for `body_len` bytes of it, tag included.
pub(super) fn encode_before_body(
    header: &Header,
    wraps: &[Wrapped],
    body_len: usize,
) -> Result<Vec<u8>, &'static str> {
    if body_len < TAG_LEN || body_len > MAX_PLAINTEXT_LEN.saturating_add(TAG_LEN) {
        return Err("the body is too long");
    }
    let count = match u8::try_from(wraps.len()) {
        Ok(count) if (1..=MAX_WRAPS).contains(&wraps.len()) => count,
        _ => return Err("the number of wrapped keys is not 1 to 4"),
    };
    let mut bytes = Vec::with_capacity(body_len.saturating_add(1024));
    bytes.extend_from_slice(&MAGIC);
    bytes.push(VERSION);
    bytes.extend_from_slice(&header.suite.id().to_be_bytes());
    bytes.extend_from_slice(&header.salt);
    bytes.extend_from_slice(&header.commitment);
    bytes.extend_from_slice(&header.nonce);
    bytes.push(count);
    for wrap in wraps {
        push_wrap(&mut bytes, wrap)?;
    }
    Ok(bytes)
}

fn push_wrap(bytes: &mut Vec<u8>, wrap: &Wrapped) -> Result<(), &'static str> {
    let text = |text: &str, limit: usize| {
        (1..=limit).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if !text(&wrap.kek_uri, MAX_KEK_URI_LEN) {
        return Err("the KEK URI is not 1 to 512 printable ASCII characters");
    }
    if !text(&wrap.kek_version, MAX_KEK_VERSION_LEN) {
        return Err("the KEK version is not 1 to 255 printable ASCII characters");
    }
    if !(1..=MAX_WRAPPED_LEN).contains(&wrap.bytes.len()) {
        return Err("the wrapped key is not 1 to 2048 bytes");
    }
    push_u16(bytes, wrap.kek_uri.as_bytes())?;
    bytes.push(u8::try_from(wrap.kek_version.len()).map_err(|_| "the KEK version is too long")?);
    bytes.extend_from_slice(wrap.kek_version.as_bytes());
    push_u16(bytes, &wrap.bytes)
}

fn push_u16(bytes: &mut Vec<u8>, field: &[u8]) -> Result<(), &'static str> {
    let len = u16::try_from(field.len()).map_err(|_| "a field is too long")?;
    bytes.extend_from_slice(&len.to_be_bytes());
    bytes.extend_from_slice(field);
    Ok(())
}
