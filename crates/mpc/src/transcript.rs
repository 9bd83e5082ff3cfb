//! Domain-separated, length-prefixed hashing: two different lists of fields never give one hash.

use hmac::digest::Update;
use sha2::{Digest, Sha256};

/// Feeds one field, prefixed with its length as a big-endian `u64`.
pub(crate) fn absorb(hash: &mut impl Update, field: &[u8]) {
    // A `usize` is at most 64 bits on every platform Rust supports.
    let length = u64::try_from(field.len()).unwrap_or(u64::MAX);
    hash.update(&length.to_be_bytes());
    hash.update(field);
}

/// SHA-256 over a domain and any number of fields.
pub(crate) struct Transcript(Sha256);

impl Transcript {
    /// An empty transcript of `domain`.
    pub(crate) fn new(domain: &'static str) -> Self {
        let mut hash = Sha256::new();
        absorb(&mut hash, domain.as_bytes());
        Self(hash)
    }

    /// The transcript with one more field.
    pub(crate) fn field(mut self, field: &[u8]) -> Self {
        absorb(&mut self.0, field);
        self
    }

    /// The transcript with one `u32` per index, as one field.
    pub(crate) fn indices(self, indices: &[u32]) -> Self {
        let bytes: Vec<u8> = indices
            .iter()
            .flat_map(|index| index.to_be_bytes())
            .collect();
        self.field(&bytes)
    }

    /// The hash.
    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_run_into_each_other() {
        let hash = |fields: &[&[u8]]| {
            fields
                .iter()
                .fold(Transcript::new("test"), |t, field| t.field(field))
                .finish()
        };
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
        assert_ne!(hash(&[b"abc"]), hash(&[b"abc", b""]));
        assert_ne!(Transcript::new("a").finish(), Transcript::new("b").finish());
    }
}
