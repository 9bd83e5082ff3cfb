//! Record format v1, reading. Every length is checked before anything is copied.

use super::{
    MAX_KEK_URI_LEN, MAX_KEK_VERSION_LEN, MAX_PLAINTEXT_LEN, MAX_WRAPPED_LEN, MAX_WRAPS, Parts,
};
use crate::Wrapped;
use crate::envelope::{Header, MAGIC, Suite, TAG_LEN, VERSION};

const SHORT: &str = "the record is too short";

/// Takes a record apart.
pub(super) fn decode(bytes: &[u8]) -> Result<Parts<'_>, &'static str> {
    let mut rest = bytes;
    if crate::tombstone::is_tombstone(bytes) {
        return Err("the record was destroyed");
    }
    if take_array::<4>(&mut rest)? != MAGIC {
        return Err("it is not a sealed record");
    }
    if take_array::<1>(&mut rest)? != [VERSION] {
        return Err("its format version is not known");
    }
    // None of them is weaker than another, and the tag covers the choice.
    let suite = Suite::from_id(u16::from_be_bytes(take_array(&mut rest)?));
    let header = Header {
        suite: suite.ok_or("its suite is none of this format version")?,
        salt: take_array(&mut rest)?,
        commitment: take_array(&mut rest)?,
        nonce: take_array(&mut rest)?,
    };
    let [count] = take_array::<1>(&mut rest)?;
    if !(1..=MAX_WRAPS).contains(&usize::from(count)) {
        return Err("the number of wrapped keys is not 1 to 4");
    }
    let mut wraps = Vec::with_capacity(MAX_WRAPS);
    for _ in 0..count {
        wraps.push(take_wrap(&mut rest)?);
    }
    if rest.len() < TAG_LEN {
        return Err(SHORT);
    }
    if rest.len() > MAX_PLAINTEXT_LEN.saturating_add(TAG_LEN) {
        return Err("the body is too long");
    }
    Ok(Parts {
        header,
        wraps,
        body: rest,
    })
}

fn take_wrap(rest: &mut &[u8]) -> Result<Wrapped, &'static str> {
    let len = u16::from_be_bytes(take_array(rest)?);
    let kek_uri = take_text(rest, usize::from(len), MAX_KEK_URI_LEN)?;
    let [len] = take_array::<1>(rest)?;
    let kek_version = take_text(rest, usize::from(len), MAX_KEK_VERSION_LEN)?;
    let len = usize::from(u16::from_be_bytes(take_array(rest)?));
    if !(1..=MAX_WRAPPED_LEN).contains(&len) {
        return Err("a wrapped key has an impossible length");
    }
    Ok(Wrapped {
        kek_uri,
        kek_version,
        bytes: take(rest, len)?.to_vec(),
    })
}

fn take_text(rest: &mut &[u8], len: usize, limit: usize) -> Result<String, &'static str> {
    if !(1..=limit).contains(&len) {
        return Err("the name of a KEK has an impossible length");
    }
    let text = take(rest, len)?;
    if !text.iter().all(u8::is_ascii_graphic) {
        return Err("the name of a KEK is not printable ASCII");
    }
    String::from_utf8(text.to_vec()).map_err(|_| "the name of a KEK is not printable ASCII")
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], &'static str> {
    let (head, tail) = rest.split_at_checked(len).ok_or(SHORT)?;
    *rest = tail;
    Ok(head)
}

fn take_array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], &'static str> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(SHORT)?;
    *rest = tail;
    Ok(*head)
}
