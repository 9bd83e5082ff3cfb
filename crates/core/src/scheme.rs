//! Threshold schemes, chains and key types.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{DerivationPath, ParseError};

/// How many parties hold shares and how many sign.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ThresholdSignatureScheme {
    /// One customer party and the provider; both sign.
    #[default]
    TwoOfTwo,
    /// Two customer parties and the provider; any two sign. The customer's two shares are a quorum
    /// of their own for ever (custody rule 2).
    TwoOfThree,
}

impl ThresholdSignatureScheme {
    /// Parties in total.
    pub const fn max_signers(self) -> u8 {
        match self {
            Self::TwoOfTwo => 2,
            Self::TwoOfThree => 3,
        }
    }

    /// Parties needed for a signature.
    pub const fn min_signers(self) -> u8 {
        2
    }

    /// The published name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TwoOfTwo => "TWO_OF_TWO",
            Self::TwoOfThree => "TWO_OF_THREE",
        }
    }
}

impl fmt::Display for ThresholdSignatureScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ThresholdSignatureScheme {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "TWO_OF_TWO" => Ok(Self::TwoOfTwo),
            "TWO_OF_THREE" => Ok(Self::TwoOfThree),
            _ => Err(ParseError::new(
                "threshold signature scheme",
                "TWO_OF_TWO or TWO_OF_THREE",
            )),
        }
    }
}

/// A chain a wallet belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[non_exhaustive]
pub enum ChainName {
    /// Ethereum and every chain with its address and transaction formats.
    Evm,
    /// Solana.
    Svm,
}

impl ChainName {
    /// The published name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Evm => "EVM",
            Self::Svm => "SVM",
        }
    }

    /// The path a new wallet gets when the caller names none. For SVM it is recorded but not used:
    /// a dealt Ed25519 wallet has one key.
    pub fn default_path(self) -> DerivationPath {
        match self {
            Self::Evm => DerivationPath::from_indices(vec![44, 60, 0, 0, 0]),
            Self::Svm => DerivationPath::from_indices(vec![44, 501, 0, 0, 0]),
        }
    }
}

impl fmt::Display for ChainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ChainName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "EVM" => Ok(Self::Evm),
            "SVM" => Ok(Self::Svm),
            _ => Err(ParseError::new("chain", "EVM or SVM")),
        }
    }
}

/// How an Ed25519 key comes to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Variant {
    /// The customer's SDK deals a 32-byte seed, so that a standard Solana key can be exported; the
    /// provider never sees it.
    #[default]
    #[serde(rename = "ed25519Exportable")]
    Ed25519Exportable,
    /// Distributed key generation; the key is whole nowhere, and exports as a scalar only.
    #[serde(rename = "ed25519Standard")]
    Ed25519Standard,
}

impl FromStr for Variant {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "ed25519Exportable" => Ok(Self::Ed25519Exportable),
            "ed25519Standard" => Ok(Self::Ed25519Standard),
            _ => Err(ParseError::new(
                "variant",
                "ed25519Exportable or ed25519Standard",
            )),
        }
    }
}

/// What kind of key a share belongs to: decides engine, keygen and signature form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyType {
    /// DKLs23 threshold ECDSA over secp256k1, BIP-32 non-hardened derivation at signing time.
    EcdsaSecp256k1,
    /// FROST Ed25519 with a customer-dealt seed.
    Ed25519Exportable,
    /// FROST Ed25519 from distributed key generation.
    Ed25519Standard,
}

impl KeyType {
    /// The key type of a wallet on `chain`; `variant` only matters for Ed25519 chains.
    pub const fn of(chain: ChainName, variant: Variant) -> Self {
        match (chain, variant) {
            (ChainName::Evm, _) => Self::EcdsaSecp256k1,
            (ChainName::Svm, Variant::Ed25519Exportable) => Self::Ed25519Exportable,
            (ChainName::Svm, Variant::Ed25519Standard) => Self::Ed25519Standard,
        }
    }

    /// Whether signing reuses oblivious-transfer state, so that slots and locks apply (custody 13).
    pub const fn uses_ot(self) -> bool {
        matches!(self, Self::EcdsaSecp256k1)
    }
}
