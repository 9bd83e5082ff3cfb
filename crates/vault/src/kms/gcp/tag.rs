//! The tag in front of a wrap.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::envelope::expand;
use crate::{Dek, Error};

/// Its length in bytes.
pub(super) const LEN: usize = 16;

const INFO: &[u8] = b"halfkey-gcp-wrap-v1";

/// HKDF-SHA-512 of the data key: salt SHA-256 of the ciphertext, info the domain, then KEK URI and
/// version with their lengths (big-endian `u16`) before them.
pub(super) fn make(
    dek: &Dek,
    uri: &str,
    version: &str,
    ciphertext: &[u8],
) -> Result<[u8; LEN], Error> {
    let length = |text: &str| u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes();
    let info = [
        INFO,
        &length(uri),
        uri.as_bytes(),
        &length(version),
        version.as_bytes(),
    ];
    let mut tag = [0; LEN];
    expand(dek.expose(), &Sha256::digest(ciphertext), &info, &mut tag)?;
    Ok(tag)
}

/// Whether `tag` is the one [`make`] gives; in constant time.
pub(super) fn fits(
    tag: &[u8; LEN],
    dek: &Dek,
    uri: &str,
    version: &str,
    ciphertext: &[u8],
) -> Result<bool, Error> {
    Ok(make(dek, uri, version, ciphertext)?.ct_eq(tag).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_changes_the_tag_and_its_form_is_fixed() {
        let dek = Dek::from_slice(&[7; 32]).unwrap();
        let tag = make(&dek, "u", "1", b"c").unwrap();
        // Stored in records: HKDF-SHA-512 by another implementation.
        assert_eq!(hex::encode(tag), "1347d5f39a4fd801fb01256b198fd85e");
        let other = Dek::from_slice(&[8; 32]).unwrap();
        assert!(fits(&tag, &dek, "u", "1", b"c").unwrap());
        assert!(!fits(&tag, &other, "u", "1", b"c").unwrap());
        for (uri, version, ciphertext) in [
            ("v", "1", b"c"),
            ("u", "2", b"c"),
            ("u1", "", b"c"),
            ("u", "1", b"d"),
        ] {
            assert!(!fits(&tag, &dek, uri, version, ciphertext).unwrap());
        }
    }
}
