//! The sealed record, format v1.

/// A sealed record: safe to store anywhere.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedRecord {
    bytes: Vec<u8>,
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

    /// Parses an encoded record, checking every length.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_bytes(_bytes: &[u8]) -> Result<Self, &'static str> {
        todo!()
    }
}
