//! Ids that only the provider uses.

use core::fmt;
use core::str::FromStr;

use halfkey_core::ParseError;
use halfkey_core::random::{RngCore as _, os_rng};

/// An API token's public id; the subject of the sessions made with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenId([u8; 16]);

impl TokenId {
    pub(crate) fn generate() -> Self {
        Self(random_id())
    }

    pub(crate) const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// 32 hex digits.
impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for TokenId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| ParseError::new("token id", "32 hexadecimal digits"))?;
        Ok(Self(bytes))
    }
}

/// 16 random bytes, for ids that must not be guessed or repeat.
pub(crate) fn random_id() -> [u8; 16] {
    let mut bytes = [0; 16];
    os_rng().fill_bytes(&mut bytes);
    bytes
}
