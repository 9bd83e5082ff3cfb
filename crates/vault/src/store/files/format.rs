//! What stands in a record's file (`SPEC.md`, section 10).

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{RecordName, Rev, Versioned};

const MAGIC: [u8; 4] = *b"HKF1";
/// The longest header: magic, revision, name, digest.
pub(super) const MAX_HEADER: usize = 4 + 8 + 2 + 512 + 32;

const SHORT: &str = "its file is cut";

/// Magic, revision, name, digest over all of it, bytes.
pub(super) fn encode(name: &RecordName, rev: Rev, bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(name.as_str().len()).unwrap_or(u16::MAX);
    let head = [
        &MAGIC[..],
        &rev.0.to_be_bytes(),
        &len.to_be_bytes(),
        name.as_str().as_bytes(),
    ]
    .concat();
    let digest = digest(&head, bytes);
    [&head, &digest[..], bytes].concat()
}

/// The inverse, for the record of that name.
pub(super) fn decode(name: &RecordName, file: &[u8]) -> Result<Versioned<Vec<u8>>, &'static str> {
    let (found, rev, head_len) = decode_head(file)?;
    if found != *name {
        return Err("its file belongs to another record");
    }
    let (head, rest) = file.split_at_checked(head_len).ok_or(SHORT)?;
    let (stored, bytes) = rest.split_first_chunk::<32>().ok_or(SHORT)?;
    if !bool::from(digest(head, bytes).ct_eq(stored)) {
        return Err("its file is damaged");
    }
    Ok(Versioned {
        value: bytes.to_vec(),
        rev,
    })
}

/// The name a file says it is of; its digest is not checked.
pub(super) fn decode_name(file: &[u8]) -> Result<RecordName, &'static str> {
    decode_head(file).map(|(name, _, _)| name)
}

fn decode_head(file: &[u8]) -> Result<(RecordName, Rev, usize), &'static str> {
    let rest = file
        .strip_prefix(&MAGIC)
        .ok_or("its file is no record's, or of a newer version")?;
    let (rev, rest) = rest.split_first_chunk::<8>().ok_or(SHORT)?;
    let (len, rest) = rest.split_first_chunk::<2>().ok_or(SHORT)?;
    let len = usize::from(u16::from_be_bytes(*len));
    let name = rest.get(..len).ok_or(SHORT)?;
    let name = core::str::from_utf8(name).ok();
    let name = name
        .and_then(|name| RecordName::new(name).ok())
        .ok_or("its file names no record")?;
    let head_len = len.saturating_add(4 + 8 + 2);
    Ok((name, Rev(u64::from_be_bytes(*rev)), head_len))
}

fn digest(head: &[u8], bytes: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(head)
        .chain_update(bytes)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> RecordName {
        RecordName::new("a/1").unwrap()
    }

    /// Frozen: a file of this form is read for ever.
    #[test]
    fn a_golden_file_is_written_and_read_the_same() {
        let head = "484b463100000000000000020003612f31";
        let digest = "1455c28c85849d3a2c164d6e0abf221c19422d7eb0d4e714b5f83e69fd459d94";
        let golden = hex::decode(format!("{head}{digest}00ff")).unwrap();
        assert_eq!(
            hex::encode(encode(&name(), Rev(2), &[0, 0xFF])),
            hex::encode(&golden)
        );
        let read = decode(&name(), &golden).unwrap();
        assert_eq!((read.rev, read.value), (Rev(2), vec![0, 0xFF]));
        assert!(MAX_HEADER >= golden.len());
    }

    #[test]
    fn decode_rejects_every_changed_bit_and_every_cut() {
        let file = encode(&name(), Rev(2), b"bytes");
        for len in 0..file.len() {
            assert!(decode(&name(), &file[..len]).is_err(), "{len}");
        }
        for bit in 0..file.len() * 8 {
            let mut other = file.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&name(), &other).is_err(), "{bit}");
        }
        let moved = RecordName::new("a/2").unwrap();
        assert!(decode(&moved, &file).is_err());
        assert!(decode(&name(), &[&file[..], b"x"].concat()).is_err());
    }
}
