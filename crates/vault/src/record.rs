//! The sealed record, format v1 (see `SPEC.md`).

mod decode;
mod encode;
#[cfg(test)]
mod golden;

use crate::envelope::{Header, MAGIC};
use crate::{Error, Wrapped};

/// The longest plaintext a record holds, in bytes: ten times the largest share.
pub const MAX_PLAINTEXT_LEN: usize = 1 << 20;
/// The most wrapped keys a record carries.
pub const MAX_WRAPS: usize = 4;
/// The longest KEK URI, in bytes.
pub const MAX_KEK_URI_LEN: usize = 512;
/// The longest KEK version, in bytes.
pub const MAX_KEK_VERSION_LEN: usize = 255;
/// The longest wrapped key, in bytes.
pub const MAX_WRAPPED_LEN: usize = 2048;

/// A sealed record: safe to store anywhere.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedRecord {
    bytes: Vec<u8>,
}

/// A record taken apart.
pub(crate) struct Parts<'a> {
    pub(crate) header: Header,
    /// 1 to [`MAX_WRAPS`].
    pub(crate) wraps: Vec<Wrapped>,
    /// Ciphertext and tag.
    pub(crate) body: &'a [u8],
}

/// Prints the length only.
impl core::fmt::Debug for SealedRecord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SealedRecord({} bytes)", self.bytes.len())
    }
}

impl SealedRecord {
    /// The encoded record.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether these bytes claim to be a sealed record, of whatever version.
    pub fn is_marked(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }

    /// Parses an encoded record, checking every length.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, &'static str> {
        decode::decode(bytes)?;
        Ok(Self {
            bytes: bytes.to_vec(),
        })
    }

    /// The wrapped keys, in order. Public: ids and ciphertext only.
    pub fn wraps(&self) -> Vec<Wrapped> {
        self.parts().wraps
    }

    /// Whether both seal the same plaintext in the same act: alike but for their wrapped keys, as
    /// after one of two copies was rewrapped.
    pub fn is_same_but_for_wraps(&self, other: &Self) -> bool {
        let (one, two) = (self.parts(), other.parts());
        one.header == two.header && one.body == two.body
    }

    /// The same body with other wrapped keys.
    pub(crate) fn with_wraps(&self, wraps: &[Wrapped]) -> Result<Self, &'static str> {
        let parts = self.parts();
        encode::encode(&parts.header, wraps, parts.body)
    }

    /// Puts a record together around the body that `seal_body` appends, so that a long plaintext is
    /// copied once. The body is `body_len` bytes, tag included.
    pub(crate) fn seal(
        header: &Header,
        wraps: &[Wrapped],
        body_len: usize,
        seal_body: impl FnOnce(Vec<u8>) -> Result<Vec<u8>, Error>,
    ) -> Result<Self, Error> {
        let before = encode::encode_before_body(header, wraps, body_len)
            .map_err(|why| Error::permanent(format!("the KEK provider's answer: {why}")))?;
        let bytes = seal_body(before)?;
        Ok(Self { bytes })
    }

    /// Puts a record together, under the limits of the decoder.
    #[cfg(any(test, feature = "conformance"))]
    pub(crate) fn assemble(
        header: &Header,
        wraps: &[Wrapped],
        body: &[u8],
    ) -> Result<Self, &'static str> {
        encode::encode(header, wraps, body)
    }

    /// The record taken apart.
    pub(crate) fn parts(&self) -> Parts<'_> {
        #[expect(
            clippy::expect_used,
            reason = "a SealedRecord only exists when this parses"
        )]
        decode::decode(&self.bytes).expect("parsed when it was made")
    }
}
