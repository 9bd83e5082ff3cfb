//! What a key's history allows anyone to claim about it (custody rule 2).

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::ParseError;

/// How a key first came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyOrigin {
    /// Distributed key generation: whole nowhere, not even at creation.
    Dkg,
    /// Dealt once inside the customer's SDK.
    Dealt,
    /// Brought by the customer as a whole key.
    Imported,
}

/// One origin plus flags that are only ever added. As JSON a list such as `["dkg","was_2of3"]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct CustodyOrigin {
    origin: KeyOrigin,
    was_2of3: bool,
    exported: bool,
}

impl CustodyOrigin {
    /// A key of this origin with no flags yet.
    pub const fn new(origin: KeyOrigin) -> Self {
        Self {
            origin,
            was_2of3: false,
            exported: false,
        }
    }

    /// How the key first came to be.
    pub const fn origin(self) -> KeyOrigin {
        self.origin
    }

    /// The customer held a quorum at some time.
    pub const fn was_2of3(self) -> bool {
        self.was_2of3
    }

    /// The whole key was exported at some time.
    pub const fn exported(self) -> bool {
        self.exported
    }

    /// The same with the `was_2of3` flag.
    #[must_use]
    pub const fn with_was_2of3(mut self) -> Self {
        self.was_2of3 = true;
        self
    }

    /// The same with the `exported` flag.
    #[must_use]
    pub const fn with_exported(mut self) -> Self {
        self.exported = true;
        self
    }

    /// Whether this may be what became of `earlier`: the same origin, and no flag taken away.
    pub fn admits(self, earlier: Self) -> bool {
        self.origin == earlier.origin
            && (self.was_2of3 || !earlier.was_2of3)
            && (self.exported || !earlier.exported)
    }

    /// The names, origin first.
    pub fn names(self) -> Vec<&'static str> {
        let mut names = vec![match self.origin {
            KeyOrigin::Dkg => "dkg",
            KeyOrigin::Dealt => "dealt",
            KeyOrigin::Imported => "imported",
        }];
        if self.was_2of3 {
            names.push("was_2of3");
        }
        if self.exported {
            names.push("exported");
        }
        names
    }

    /// One byte for binary encodings: bits 0–1 the origin (0 dkg, 1 dealt, 2 imported), bit 2
    /// `was_2of3`, bit 3 `exported`.
    pub const fn to_bits(self) -> u8 {
        let origin = match self.origin {
            KeyOrigin::Dkg => 0,
            KeyOrigin::Dealt => 1,
            KeyOrigin::Imported => 2,
        };
        origin | if self.was_2of3 { 4 } else { 0 } | if self.exported { 8 } else { 0 }
    }

    /// Reads [`Self::to_bits`].
    ///
    /// # Errors
    /// When a bit is set that has no meaning.
    pub const fn from_bits(bits: u8) -> Result<Self, ParseError> {
        let origin = match bits & 3 {
            0 => KeyOrigin::Dkg,
            1 => KeyOrigin::Dealt,
            2 => KeyOrigin::Imported,
            _ => return Err(ORIGIN_FORM),
        };
        if bits & !15 != 0 {
            return Err(ORIGIN_FORM);
        }
        Ok(Self {
            origin,
            was_2of3: bits & 4 != 0,
            exported: bits & 8 != 0,
        })
    }
}

const ORIGIN_FORM: ParseError = ParseError::new(
    "custody origin",
    "exactly one of dkg, dealt, imported, then flags",
);

impl TryFrom<Vec<String>> for CustodyOrigin {
    type Error = ParseError;

    fn try_from(names: Vec<String>) -> Result<Self, ParseError> {
        let mut origin = None;
        let (mut was_2of3, mut exported) = (false, false);
        for name in &names {
            let found = match name.as_str() {
                "dkg" => KeyOrigin::Dkg,
                "dealt" => KeyOrigin::Dealt,
                "imported" => KeyOrigin::Imported,
                "was_2of3" => {
                    was_2of3 = true;
                    continue;
                }
                "exported" => {
                    exported = true;
                    continue;
                }
                _ => return Err(ORIGIN_FORM),
            };
            if origin.replace(found).is_some() {
                return Err(ORIGIN_FORM);
            }
        }
        Ok(Self {
            origin: origin.ok_or(ORIGIN_FORM)?,
            was_2of3,
            exported,
        })
    }
}

impl From<CustodyOrigin> for Vec<String> {
    fn from(origin: CustodyOrigin) -> Self {
        origin.names().into_iter().map(str::to_owned).collect()
    }
}

/// `dkg+was_2of3`.
impl fmt::Display for CustodyOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join("+"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_as_names_and_as_bits() {
        let origin = CustodyOrigin::new(KeyOrigin::Dealt).with_was_2of3();
        let json = serde_json::to_string(&origin).unwrap();
        assert_eq!(json, r#"["dealt","was_2of3"]"#);
        assert_eq!(
            serde_json::from_str::<CustodyOrigin>(&json).unwrap(),
            origin
        );
        assert_eq!(CustodyOrigin::from_bits(origin.to_bits()), Ok(origin));
    }

    #[test]
    fn flags_may_be_added_and_never_taken_away() {
        let dkg = CustodyOrigin::new(KeyOrigin::Dkg);
        let dealt = CustodyOrigin::new(KeyOrigin::Dealt);
        assert!(dkg.admits(dkg));
        assert!(dkg.with_exported().with_was_2of3().admits(dkg));
        assert!(!dkg.admits(dkg.with_exported()));
        assert!(!dkg.admits(dkg.with_was_2of3()));
        assert!(!dealt.admits(dkg));
    }

    #[test]
    fn custody_origin_rejects_none_two_and_unknown() {
        for json in [
            "[]",
            r#"["dkg","dealt"]"#,
            r#"["dkg","blessed"]"#,
            r#"["exported"]"#,
        ] {
            assert!(
                serde_json::from_str::<CustodyOrigin>(json).is_err(),
                "{json}"
            );
        }
        assert!(CustodyOrigin::from_bits(3).is_err());
        assert!(CustodyOrigin::from_bits(16).is_err());
    }
}
