use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ActivityRef;
use crate::ParseError;

/// Reply of `POST /environments/{env}/waas/authenticate`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticateReply {
    /// `ok`.
    pub message: String,
    /// The short-lived session token.
    pub encoded_jwts: EncodedJwts,
    /// The activity entry of the session; absent in replies of older providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<ActivityRef>,
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
    /// Refresh shares: same key, next generation.
    #[serde(rename = "wallet.refresh")]
    Refresh,
    /// Move a wallet to another scheme, or replace a lost customer share.
    #[serde(rename = "wallet.reshare")]
    Reshare,
    /// Bring a key made elsewhere.
    #[serde(rename = "wallet.import")]
    Import,
    /// Take the whole key out.
    #[serde(rename = "wallet.export")]
    Export,
    /// Fall back to an earlier generation of a wallet's shares.
    #[serde(rename = "wallet.recover")]
    Recover,
    /// Store and fetch encrypted backups of the customer's shares.
    #[serde(rename = "wallet.backup")]
    Backup,
    /// Say to which keys exports may go, and to which key shares are sealed in escrow.
    #[serde(rename = "wallet.recipients")]
    Recipients,
    /// Fetch the provider's shares as they are sealed to the escrow key, and have them sealed.
    #[serde(rename = "wallet.escrow")]
    Escrow,
    /// Stop everything: freeze, and revoke every other token.
    #[serde(rename = "wallet.freeze")]
    Freeze,
    /// End a freeze, and refresh shares while it holds.
    #[serde(rename = "wallet.unfreeze")]
    Unfreeze,
    /// Delegate a wallet and revoke that; register the keys of delegates.
    #[serde(rename = "wallet.delegate")]
    Delegate,
    /// Fetch events, among them what delegates are sent; all of that is encrypted for a delegate.
    #[serde(rename = "events.read")]
    Events,
}

impl Scope {
    /// What a token gets when nothing else is asked for, and all that a session token ever carries:
    /// the other scopes need the API token itself (custody rule 28).
    pub const DEFAULT: [Self; 3] = [Self::Create, Self::Sign, Self::Read];

    /// Every scope.
    pub const ALL: [Self; 15] = [
        Self::Create,
        Self::Sign,
        Self::Read,
        Self::Refresh,
        Self::Reshare,
        Self::Import,
        Self::Export,
        Self::Recover,
        Self::Backup,
        Self::Recipients,
        Self::Escrow,
        Self::Freeze,
        Self::Unfreeze,
        Self::Delegate,
        Self::Events,
    ];

    /// The name in tokens and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "wallet.create",
            Self::Sign => "wallet.sign",
            Self::Read => "wallet.read",
            Self::Refresh => "wallet.refresh",
            Self::Reshare => "wallet.reshare",
            Self::Import => "wallet.import",
            Self::Export => "wallet.export",
            Self::Recover => "wallet.recover",
            Self::Backup => "wallet.backup",
            Self::Recipients => "wallet.recipients",
            Self::Escrow => "wallet.escrow",
            Self::Freeze => "wallet.freeze",
            Self::Unfreeze => "wallet.unfreeze",
            Self::Delegate => "wallet.delegate",
            Self::Events => "events.read",
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
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or(ParseError::new(
                "scope",
                "wallet.create, .sign, .read, .refresh, .reshare, .import, .export, .recover, \
                 .backup, .recipients, .escrow, .freeze, .unfreeze or .delegate, or events.read",
            ))
    }
}
