//! BIP-32 derivation paths of non-hardened indices.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ParseError;

/// A path of non-hardened BIP-32 child indices below the wallet's root, at most 10 deep.
///
/// A threshold key has no hardened children (that would need the whole private key), so indices of
/// 2³¹ and above cannot be expressed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<u32>", into = "Vec<u32>")]
pub struct DerivationPath(Vec<u32>);

const FORM: &str = "at most 10 indices below 2147483648";

impl DerivationPath {
    pub(crate) const fn from_indices(indices: Vec<u32>) -> Self {
        Self(indices)
    }

    /// The child indices, from the root down.
    pub fn indices(&self) -> &[u32] {
        &self.0
    }
}

impl TryFrom<Vec<u32>> for DerivationPath {
    type Error = ParseError;

    fn try_from(indices: Vec<u32>) -> Result<Self, ParseError> {
        if indices.len() > 10 || indices.iter().any(|index| *index >= 1 << 31) {
            return Err(ParseError::new("derivation path", FORM));
        }
        Ok(Self(indices))
    }
}

impl From<DerivationPath> for Vec<u32> {
    fn from(path: DerivationPath) -> Self {
        path.0
    }
}

/// `m/44/60/0/0/0`; `m` alone is the root.
impl fmt::Display for DerivationPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("m")?;
        self.0.iter().try_for_each(|index| write!(f, "/{index}"))
    }
}

impl FromStr for DerivationPath {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut parts = text.split('/');
        if parts.next() != Some("m") {
            return Err(ParseError::new("derivation path", "m/44/60/0/0/0"));
        }
        parts
            .map(|part| {
                part.parse()
                    .map_err(|_| ParseError::new("derivation path", FORM))
            })
            .collect::<Result<Vec<u32>, _>>()?
            .try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_rejects_hardened_and_deep() {
        assert!(DerivationPath::try_from(vec![1 << 31]).is_err());
        assert!(DerivationPath::try_from(vec![0; 11]).is_err());
        assert!("m/44'/60".parse::<DerivationPath>().is_err());
        let path: DerivationPath = "m/44/60/0/0/0".parse().unwrap();
        assert_eq!(path.to_string(), "m/44/60/0/0/0");
    }
}
