//! Hex of the wire, and byte strings that callers name in several encodings.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Error;

/// The longest payload that is looked at, in bytes. Ethereum nodes drop transactions above it and
/// Solana's are far smaller.
pub const MAX_PAYLOAD_BYTES: usize = 128 * 1024;

/// Decodes the wire's hex: an even number of digits, `0x` in front or not.
pub(crate) fn decode_hex(text: &str) -> Result<Vec<u8>, Error> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.is_empty() {
        return Err(Error::Malformed("empty".into()));
    }
    if digits.len().div_ceil(2) > MAX_PAYLOAD_BYTES {
        return Err(Error::Malformed(format!(
            "longer than {MAX_PAYLOAD_BYTES} bytes"
        )));
    }
    hex::decode(digits).map_err(|_| Error::Malformed("not hex".into()))
}

/// `0x` and lower-case digits.
pub(crate) fn hex_0x(bytes: impl AsRef<[u8]>) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// Whether `claim` names exactly `bytes`, as text or as `0x` hex.
pub(crate) fn is_text_or_hex_of(claim: &str, bytes: &[u8]) -> bool {
    claim.as_bytes() == bytes
        || claim
            .strip_prefix("0x")
            .and_then(|digits| hex::decode(digits).ok())
            .as_deref()
            == Some(bytes)
}

/// Every reading of `claim` as bytes in the encodings Solana clients use: hex, base58, base64.
pub(crate) fn readings(claim: &str) -> Vec<Vec<u8>> {
    if claim.len() > MAX_PAYLOAD_BYTES.saturating_mul(2).saturating_add(2) {
        return Vec::new();
    }
    let mut found = Vec::new();
    found.extend(hex::decode(claim.strip_prefix("0x").unwrap_or(claim)).ok());
    found.extend(STANDARD.decode(claim).ok());
    // Base58 decoding takes quadratic time; nothing that is signed here is longer.
    if claim.len() <= 4096 {
        found.extend(bs58::decode(claim).into_vec().ok());
    }
    found
}

/// Text of at most `max` bytes for a summary; `None` when the bytes are no UTF-8 text.
pub(crate) fn excerpt(bytes: &[u8], max: usize) -> Option<&str> {
    let text = core::str::from_utf8(bytes).ok()?;
    Some(text.get(..text.floor_char_boundary(max)).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_with_and_without_0x() {
        assert_eq!(decode_hex("0xAb01").unwrap(), [0xab, 1]);
        assert_eq!(decode_hex("ab01").unwrap(), [0xab, 1]);
        for bad in ["", "0x", "0x1", "0X12", "zz", " 12", "0x0x12"] {
            assert!(
                matches!(decode_hex(bad), Err(Error::Malformed(_))),
                "{bad:?}"
            );
        }
        let long = "00".repeat(MAX_PAYLOAD_BYTES + 1);
        assert!(matches!(decode_hex(&long), Err(Error::Malformed(_))));
    }

    #[test]
    fn excerpt_never_splits_a_character() {
        assert_eq!(excerpt("aé".as_bytes(), 2), Some("a"));
        assert_eq!(excerpt("aé".as_bytes(), 3), Some("aé"));
        assert_eq!(excerpt(b"\xff", 3), None);
    }
}
