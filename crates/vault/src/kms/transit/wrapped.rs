//! The engine's text form of a wrapped key, and the raw bytes that stand in records.
//!
//! `vault:v{version}:{base64 of nonce 12 | ciphertext 32 | tag 16}`. Base64 has texts that differ
//! and mean the same bytes, so a record holds the bytes, and the version beside them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::key::parse_version;

/// The length of a wrapped data key: nonce, ciphertext and tag of AES-256-GCM.
pub(super) const LEN: usize = 60;

/// Version and raw bytes of the engine's text; `None` when it is of another form.
pub(super) fn parse(text: &str) -> Option<(u32, Vec<u8>)> {
    let (version, encoded) = text.strip_prefix("vault:v")?.split_once(':')?;
    let bytes = STANDARD.decode(encoded).ok()?;
    (bytes.len() == LEN).then_some((parse_version(version)?, bytes))
}

/// The inverse of [`parse`].
pub(super) fn to_text(version: u32, bytes: &[u8]) -> String {
    format!("vault:v{version}:{}", STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_are_each_others_inverse() {
        let bytes = vec![0xA5; LEN];
        let text = to_text(12, &bytes);
        assert!(text.starts_with("vault:v12:"));
        assert_eq!(parse(&text), Some((12, bytes)));
    }

    #[test]
    fn parse_rejects_other_forms() {
        let sound = to_text(1, &[0xA5; LEN]);
        for text in [
            String::new(),
            sound.replace("vault:", "other:"),
            sound.replace(":v1:", ":v01:"),
            sound.replace(":v1:", ":v0:"),
            sound.replace(":v1:", ":1:"),
            format!("{sound}A"),
            sound.replace(":v1:", ":v1"),
            to_text(1, &[0xA5; LEN - 1]),
            to_text(1, &[0xA5; LEN + 1]),
        ] {
            assert_eq!(parse(&text), None, "{text}");
        }
    }
}
