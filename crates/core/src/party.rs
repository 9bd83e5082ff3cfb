//! The one table that maps roles to party indices.
//!
//! The provider is always party 1, so that a reshare between schemes never renumbers it; the
//! customer's parties are 2 and, in `TWO_OF_THREE`, 3. Both engines use these indices as they are
//! (DKLs23: `u8`; FROST: the `u16` identifier of the same number). None is ever 0.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{ParseError, ThresholdSignatureScheme};

/// A holder of a key share, by its 1-based index in the engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct PartyIndex(u8);

/// Which side a party belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The service that runs the other half.
    Provider,
    /// The customer's backend.
    Customer,
}

impl PartyIndex {
    /// The provider's party.
    pub const PROVIDER: Self = Self(1);
    /// The customer's first party, present in every scheme.
    pub const CUSTOMER_1: Self = Self(2);
    /// The customer's second party, present in `TWO_OF_THREE`.
    pub const CUSTOMER_2: Self = Self(3);

    /// The index as the engines want it.
    pub const fn as_u8(self) -> u8 {
        self.0
    }

    /// The side this party belongs to.
    pub const fn role(self) -> Role {
        if self.0 == 1 {
            Role::Provider
        } else {
            Role::Customer
        }
    }

    /// Every party of `scheme`, ascending.
    pub const fn all(scheme: ThresholdSignatureScheme) -> &'static [Self] {
        match scheme {
            ThresholdSignatureScheme::TwoOfTwo => &[Self::PROVIDER, Self::CUSTOMER_1],
            ThresholdSignatureScheme::TwoOfThree => {
                &[Self::PROVIDER, Self::CUSTOMER_1, Self::CUSTOMER_2]
            }
        }
    }

    /// The customer's parties of `scheme`, ascending.
    pub const fn customers(scheme: ThresholdSignatureScheme) -> &'static [Self] {
        match scheme {
            ThresholdSignatureScheme::TwoOfTwo => &[Self::CUSTOMER_1],
            ThresholdSignatureScheme::TwoOfThree => &[Self::CUSTOMER_1, Self::CUSTOMER_2],
        }
    }

    /// Whether this party exists in `scheme`.
    pub fn is_in(self, scheme: ThresholdSignatureScheme) -> bool {
        Self::all(scheme).contains(&self)
    }
}

impl TryFrom<u8> for PartyIndex {
    type Error = ParseError;

    fn try_from(index: u8) -> Result<Self, ParseError> {
        if (1..=3).contains(&index) {
            Ok(Self(index))
        } else {
            Err(ParseError::new("party index", "1, 2 or 3"))
        }
    }
}

impl From<PartyIndex> for u8 {
    fn from(party: PartyIndex) -> Self {
        party.0
    }
}

impl fmt::Display for PartyIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_what_stored_shares_rely_on() {
        use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
        let numbers = |list: &[PartyIndex]| list.iter().map(|p| p.as_u8()).collect::<Vec<_>>();
        assert_eq!(numbers(PartyIndex::all(TwoOfTwo)), [1, 2]);
        assert_eq!(numbers(PartyIndex::all(TwoOfThree)), [1, 2, 3]);
        assert_eq!(numbers(PartyIndex::customers(TwoOfThree)), [2, 3]);
        assert_eq!(PartyIndex::PROVIDER.role(), Role::Provider);
        assert!(!PartyIndex::CUSTOMER_2.is_in(TwoOfTwo));
    }

    #[test]
    fn party_index_rejects_zero_and_four() {
        assert!(PartyIndex::try_from(0).is_err());
        assert!(PartyIndex::try_from(4).is_err());
        assert!(serde_json::from_str::<PartyIndex>("0").is_err());
    }
}
