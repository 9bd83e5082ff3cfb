//! What stands in an object (`SPEC.md`, section 11).

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{RecordName, Rev};

const MAGIC: [u8; 4] = *b"HKO1";
const RECORD: u8 = 1;
const DESTROYED: u8 = 2;
/// Magic, revision, state: all there is of a tombstone. Each record is longer, by its digest, so
/// that a listing tells the two apart.
pub(super) const TOMBSTONE_LEN: usize = 4 + 8 + 1;
/// The header of a record, in bytes.
pub(super) const RECORD_HEADER_LEN: usize = TOMBSTONE_LEN + 32;

/// An object taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) rev: Rev,
    /// None for a tombstone.
    pub(super) value: Option<Vec<u8>>,
}

/// Magic, revision, state, digest of name and all, bytes.
pub(super) fn record(name: &RecordName, rev: Rev, bytes: &[u8]) -> Vec<u8> {
    let head = head(rev, RECORD);
    let digest = digest(&head, name, bytes);
    [&head[..], &digest, bytes].concat()
}

/// Magic, revision, state.
pub(super) fn tombstone(rev: Rev) -> Vec<u8> {
    head(rev, DESTROYED)
}

/// The inverse, for the record of that name.
pub(super) fn decode(name: &RecordName, object: &[u8]) -> Result<Object, &'static str> {
    const SHORT: &str = "its object is cut";
    let rest = object
        .strip_prefix(&MAGIC)
        .ok_or("its object is no record's, or of a newer version")?;
    let (rev, rest) = rest.split_first_chunk::<8>().ok_or(SHORT)?;
    let rev = Rev(u64::from_be_bytes(*rev));
    let (state, rest) = rest.split_first().ok_or(SHORT)?;
    match *state {
        DESTROYED if rest.is_empty() => Ok(Object { rev, value: None }),
        RECORD => {
            let (stored, bytes) = rest.split_first_chunk::<32>().ok_or(SHORT)?;
            if !bool::from(digest(&head(rev, RECORD), name, bytes).ct_eq(stored)) {
                return Err("its object is damaged, or another record's");
            }
            let value = Some(bytes.to_vec());
            Ok(Object { rev, value })
        }
        _ => Err("the state of its object is not known"),
    }
}

fn head(rev: Rev, state: u8) -> Vec<u8> {
    [&MAGIC[..], &rev.0.to_be_bytes(), &[state]].concat()
}

fn digest(head: &[u8], name: &RecordName, bytes: &[u8]) -> [u8; 32] {
    let len = u16::try_from(name.as_str().len()).unwrap_or(u16::MAX);
    Sha256::new()
        .chain_update(head)
        .chain_update(len.to_be_bytes())
        .chain_update(name.as_str())
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

    /// Frozen: objects of this form are read for ever.
    #[test]
    fn golden_objects_are_written_and_read_the_same() {
        let golden = hex::decode(
            "484b4f31000000000000000201\
             603d929c6bfdadad8440cdae03d1fddcd73a2ed5924ef4f2a0973463fae06f50\
             00ff",
        )
        .unwrap();
        assert_eq!(record(&name(), Rev(2), &[0, 0xFF]), golden);
        let value = Some(vec![0, 0xFF]);
        assert_eq!(decode(&name(), &golden), Ok(Object { rev: Rev(2), value }));
        let golden = hex::decode("484b4f31000000000000000302").unwrap();
        assert_eq!(tombstone(Rev(3)), golden);
        let value = None;
        assert_eq!(decode(&name(), &golden), Ok(Object { rev: Rev(3), value }));
    }

    #[test]
    fn a_tombstone_is_told_by_its_length() {
        assert_eq!(tombstone(Rev(u64::MAX)).len(), TOMBSTONE_LEN);
        assert_eq!(record(&name(), Rev(1), b"").len(), RECORD_HEADER_LEN);
    }

    #[test]
    fn decode_rejects_every_changed_bit_and_every_cut() {
        let object = record(&name(), Rev(2), b"bytes");
        for len in 0..object.len() {
            assert!(decode(&name(), &object[..len]).is_err(), "{len}");
        }
        for bit in 0..object.len() * 8 {
            let mut other = object.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&name(), &other).is_err(), "{bit}");
        }
        assert!(decode(&RecordName::new("a/2").unwrap(), &object).is_err());
        assert!(decode(&name(), &[&tombstone(Rev(1))[..], b"x"].concat()).is_err());
    }
}
