//! Bytes in Google's JSON: base64, with a CRC-32C beside them.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use zeroize::Zeroizing;

/// Bytes of a reply, wiped when dropped: they may be a data key.
pub(crate) struct Blob(Zeroizing<Vec<u8>>);

halfkey_core::redacted_debug!(Blob);

impl Blob {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether `sum` belongs to these bytes.
    pub(crate) fn matches(&self, sum: Crc32c) -> bool {
        Crc32c::of(&self.0) == sum
    }
}

/// What is absent in Google's JSON is empty.
impl Default for Blob {
    fn default() -> Self {
        Self(Zeroizing::default())
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Blob;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("base64")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Blob, E> {
                // Room from the start: growing would leave a copy behind.
                let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
                STANDARD
                    .decode_vec(text, &mut bytes)
                    .map_err(|_| E::custom("not base64"))?;
                Ok(Blob(bytes))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Base64 for a request, wiped when dropped.
pub(crate) fn encode(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(bytes))
}

/// A CRC-32C: finds what was damaged on the way, proves nothing against an attacker. In JSON a
/// decimal number in a string, as Google writes 64-bit integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crc32c(u32);

impl Crc32c {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(crc32c::crc32c(bytes))
    }
}

impl serde::Serialize for Crc32c {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Crc32c {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse()
            .map(Self)
            .map_err(|_| de::Error::custom("not a CRC-32C"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis() {
        // The check value of CRC-32C, from the catalogue of parametrised CRC algorithms.
        assert_eq!(Crc32c::of(b"123456789"), Crc32c(0xE306_9283));
        let json = serde_json::to_string(&Crc32c::of(b"123456789")).unwrap();
        assert_eq!(json, "\"3808858755\"");
        assert_eq!(
            serde_json::from_str::<Crc32c>(&json).unwrap(),
            Crc32c(0xE306_9283)
        );
    }

    #[test]
    fn blob_rejects_what_is_not_base64() {
        let blob: Blob = serde_json::from_str("\"AAEC\"").unwrap();
        assert_eq!(blob.bytes(), [0, 1, 2]);
        assert!(blob.matches(Crc32c::of(&[0, 1, 2])) && !blob.matches(Crc32c(1)));
        for text in ["\"AAE\"", "\"AAE=x\"", "\"AAF=\"", "7", "\" AAEC\""] {
            assert!(serde_json::from_str::<Blob>(text).is_err(), "{text}");
        }
        assert_eq!(format!("{blob:?}"), "Blob(redacted)");
    }
}
