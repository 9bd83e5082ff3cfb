//! Identifiers as newtypes, so that one can never be passed for another.

use core::fmt;
use core::str::FromStr;

use rand_core::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};

use crate::ParseError;

/// The environment (the tenant) that a wallet, a token and a KEK belong to: 1 to 64 characters of
/// `a-z`, `A-Z`, `0-9`, `-`, `_`. Halfkey itself draws UUIDs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnvironmentId(String);

impl EnvironmentId {
    /// A fresh random environment id (a version 4 UUID).
    pub fn generate(rng: &mut (impl RngCore + CryptoRng)) -> Self {
        Self(random_uuid(rng).to_string())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EnvironmentId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for EnvironmentId {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if text.is_empty() || text.len() > 64 || !text.bytes().all(allowed) {
            return Err(ParseError::new(
                "environment id",
                "1 to 64 of a-z, A-Z, 0-9, - and _",
            ));
        }
        Ok(Self(text))
    }
}

impl From<EnvironmentId> for String {
    fn from(id: EnvironmentId) -> Self {
        id.0
    }
}

impl fmt::Display for EnvironmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn random_uuid(rng: &mut (impl RngCore + CryptoRng)) -> uuid::Uuid {
    let mut bytes = [0_u8; 16];
    rng.fill_bytes(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// A fresh random id (a version 4 UUID).
            pub fn generate(rng: &mut (impl RngCore + CryptoRng)) -> Self {
                Self(random_uuid(rng))
            }

            /// The id with these 16 bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(uuid::Uuid::from_bytes(bytes))
            }

            /// The id's 16 bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                uuid::Uuid::try_parse(text)
                    .map(Self)
                    .map_err(|_| ParseError::new($what, "a UUID"))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

uuid_id!(
    /// One wallet, as the provider names it.
    WalletId, "wallet id");
uuid_id!(
    /// One party's key share of one share set; stable across storage moves.
    KeyShareId, "key share id");

uuid_id!(
    /// One encrypted backup of one share, as its keeper names it.
    BackupId, "backup id");

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 16]);

        impl $name {
            /// A fresh random 128-bit id.
            pub fn generate(rng: &mut (impl RngCore + CryptoRng)) -> Self {
                let mut bytes = [0_u8; 16];
                rng.fill_bytes(&mut bytes);
                Self(bytes)
            }

            /// The id with these 16 bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The id's 16 bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                let mut bytes = [0_u8; 16];
                hex::decode_to_slice(text, &mut bytes)
                    .map_err(|_| ParseError::new($what, "32 hexadecimal digits"))?;
                Ok(Self(bytes))
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseError;

            fn try_from(text: String) -> Result<Self, ParseError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                hex::encode(id.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut digits = [0_u8; 32];
                hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
                f.write_str(core::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
            }
        }
    };
}

hex_id!(
    /// One try at making the next generation of a wallet's shares (custody rule 6).
    AttemptId, "attempt id");
hex_id!(
    /// One delegation of a wallet to one delegate, drawn by the customer; its start proof names it
    /// as the attempt.
    DelegationId, "delegation id");
hex_id!(
    /// The set of shares drawn together at keygen or reshare, named by the customer.
    ShareSetId, "share set id");
hex_id!(
    /// One run of a ceremony, drawn by the customer and bound into every message of it.
    CeremonyId, "ceremony id");
hex_id!(
    /// One request, for logs and audit events on both sides.
    RequestId, "request id");

/// Counts the refreshes of one wallet. The first generation is 0; numbers are never reused.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_id_rejects_separators_and_controls() {
        for text in ["", "a/b", "a:b", "a b", "ä", "a\n", &"x".repeat(65)] {
            assert!(text.parse::<EnvironmentId>().is_err(), "{text:?}");
        }
        assert!("prod-eu_1".parse::<EnvironmentId>().is_ok());
    }

    #[test]
    fn hex_ids_round_trip_as_text_and_reject_other_lengths() {
        let id = AttemptId::from_bytes([7; 16]);
        assert_eq!(id.to_string().parse::<AttemptId>(), Ok(id));
        assert!("07".parse::<AttemptId>().is_err());
        assert!(serde_json::from_str::<AttemptId>("\"zz\"").is_err());
    }
}
