//! Where below a seed a key made elsewhere is.

use core::fmt;
use core::str::FromStr;

use halfkey_core::{ChainName, DerivationPath, ParseError};

/// A BIP-32 path whose indices may be hardened, as other wallets write it: `m/44'/60'/0'/0/0`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyPath(Vec<u32>);

/// Added to a hardened index (BIP-32).
pub(super) const HARDENED: u32 = 1 << 31;
/// 44' (BIP-44).
const PURPOSE: u32 = HARDENED | 0x2C;
const MAX_DEPTH: usize = 16;
const FORM: &str =
    "m and at most 16 indices below 2147483648, ' after a hardened one: m/44'/60'/0'";

impl KeyPath {
    /// Where the first account of nearly every wallet of this chain is: `m/44'/60'/0'/0/0` for EVM,
    /// `m/44'/501'/0'/0'` for Solana.
    pub fn usual(chain: ChainName) -> Self {
        Self(match chain {
            ChainName::Evm => vec![PURPOSE, HARDENED | 0x3C, HARDENED, 0, 0],
            _ => vec![PURPOSE, HARDENED | 0x1F5, HARDENED, HARDENED],
        })
    }

    /// The child indices, from the seed down; a hardened one is 2³¹ or above.
    pub(super) fn indices(&self) -> &[u32] {
        &self.0
    }

    /// The part down to the last hardened index, and what is below: only the second part can be a
    /// wallet's path, since a threshold key has no hardened children.
    pub(super) fn split(&self) -> Result<(&[u32], DerivationPath), ParseError> {
        let hardened = self.0.iter().rposition(|index| *index >= HARDENED);
        let at = hardened.map_or(0, |last| last.saturating_add(1));
        let (above, below) = self.0.split_at(at);
        Ok((above, below.to_vec().try_into()?))
    }
}

impl From<&DerivationPath> for KeyPath {
    fn from(path: &DerivationPath) -> Self {
        Self(path.indices().to_vec())
    }
}

impl TryFrom<KeyPath> for DerivationPath {
    type Error = ParseError;

    fn try_from(path: KeyPath) -> Result<Self, ParseError> {
        path.0.try_into()
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("m")?;
        self.0.iter().try_for_each(|index| {
            let mark = if *index >= HARDENED { "'" } else { "" };
            write!(f, "/{}{mark}", index & !HARDENED)
        })
    }
}

impl FromStr for KeyPath {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        const BAD: ParseError = ParseError::new("key path", FORM);
        let mut parts = text.split('/');
        if parts.next() != Some("m") {
            return Err(BAD);
        }
        let indices = parts.map(|part| {
            let (digits, mark) = match part.strip_suffix(['\'', 'h', 'H']) {
                Some(digits) => (digits, HARDENED),
                None => (part, 0),
            };
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            let index: u32 = digits.parse().map_err(|_| BAD)?;
            if is_number && index < HARDENED {
                Ok(index | mark)
            } else {
                Err(BAD)
            }
        });
        let indices = indices.collect::<Result<Vec<_>, _>>()?;
        if indices.len() > MAX_DEPTH {
            return Err(BAD);
        }
        Ok(Self(indices))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_and_written_as_people_write_it() {
        for (text, written) in [
            ("m", "m"),
            ("m/44'/60'/0'/0/0", "m/44'/60'/0'/0/0"),
            ("m/44h/501H/0'/0'", "m/44'/501'/0'/0'"),
            ("m/2147483647'/2147483647", "m/2147483647'/2147483647"),
        ] {
            assert_eq!(text.parse::<KeyPath>().unwrap().to_string(), written);
        }
        let deep = format!("m{}", "/0'".repeat(17));
        for bad in [
            "",
            "/",
            "44'",
            "m/",
            "m//0",
            "m/'",
            "m/-1",
            "m/+1",
            "m/2147483648",
            "m/1''",
            "m/x",
            "M/0",
            "m/0 ",
            &deep,
        ] {
            bad.parse::<KeyPath>().unwrap_err();
        }
    }

    #[test]
    fn a_path_is_split_below_its_last_hardened_index() {
        let split = |text: &str| {
            let path: KeyPath = text.parse().unwrap();
            let (above, below) = path.split().unwrap();
            (above.len(), below.to_string())
        };
        assert_eq!(split("m/44'/60'/0'/0/7"), (3, "m/0/7".to_owned()));
        assert_eq!(split("m/0/1'/2"), (2, "m/2".to_owned()));
        assert_eq!(split("m/1/2"), (0, "m/1/2".to_owned()));
        assert_eq!(split("m/1'"), (1, "m".to_owned()));
        let deep: KeyPath = format!("m{}", "/0".repeat(11)).parse().unwrap();
        deep.split().unwrap_err();
    }
}
