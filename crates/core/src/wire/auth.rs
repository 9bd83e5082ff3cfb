use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ParseError;

/// Reply of `POST /environments/{env}/waas/authenticate`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticateReply {
    /// `ok`.
    pub message: String,
    /// The short-lived session token.
    pub encoded_jwts: EncodedJwts,
}

/// The session token under both published names.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EncodedJwts {
    /// The token.
    pub jwt: String,
    /// The same token.
    pub minified_jwt: String,
}

crate::redacted_debug!(AuthenticateReply, EncodedJwts);

/// What an API token may do (custody rule 28: destructive operations have scopes of their own).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Scope {
    /// Create wallets, prove and commit them.
    #[serde(rename = "wallet.create")]
    Create,
    /// Sign.
    #[serde(rename = "wallet.sign")]
    Sign,
    /// Look up and list.
    #[serde(rename = "wallet.read")]
    Read,
}

impl Scope {
    /// What a token gets when nothing else is asked for.
    pub const DEFAULT: [Self; 3] = [Self::Create, Self::Sign, Self::Read];

    /// The name in tokens and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "wallet.create",
            Self::Sign => "wallet.sign",
            Self::Read => "wallet.read",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::DEFAULT
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or(ParseError::new(
                "scope",
                "wallet.create, wallet.sign or wallet.read",
            ))
    }
}
