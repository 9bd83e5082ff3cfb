//! Delegated access: a customer's share and a key of the wallet's own, encrypted for a delegate.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{ActivityRef, Operation};
use crate::{AttemptId, DelegationId, Generation, ParseError, PartyIndex, WalletId};

/// Header that carries a wallet's API key.
pub const WALLET_API_KEY: &str = "x-dyn-wallet-api-key";

/// One encrypted part of a delivery, in the published form. Binary fields are base64url; they are
/// written without padding and read with or without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncryptedDelegatedPayload {
    /// `HYBRID-RSA-AES-256`.
    pub alg: String,
    /// The 12-byte nonce.
    pub iv: String,
    /// The content, encrypted, without its tag.
    pub ct: String,
    /// The 16-byte tag.
    pub tag: String,
    /// The content key, wrapped by RSA-OAEP with SHA-256.
    pub ek: String,
    /// Which recipient key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
}

/// What a wallet's API key may sign, with the share it goes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum WalletKeyScope {
    /// Texts: EIP-191 messages, Solana messages.
    #[serde(rename = "sign.message")]
    Message,
    /// EIP-712 typed data. Token permits are typed data: this can move funds.
    #[serde(rename = "sign.typed_data")]
    TypedData,
    /// Transactions.
    #[serde(rename = "sign.transaction")]
    Transaction,
    /// EIP-7702 authorizations, which let other code act as the wallet.
    #[serde(rename = "sign.authorization")]
    Authorization,
    /// Bytes whose meaning cannot be told, where the environment allows that at all.
    #[serde(rename = "sign.blind")]
    Blind,
}

impl WalletKeyScope {
    /// Every scope.
    pub const ALL: [Self; 5] = [
        Self::Message,
        Self::TypedData,
        Self::Transaction,
        Self::Authorization,
        Self::Blind,
    ];

    /// What a key gets when nothing else is asked for.
    pub const DEFAULT: [Self; 3] = [Self::Message, Self::TypedData, Self::Transaction];

    /// The name in requests and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Message => "sign.message",
            Self::TypedData => "sign.typed_data",
            Self::Transaction => "sign.transaction",
            Self::Authorization => "sign.authorization",
            Self::Blind => "sign.blind",
        }
    }

    /// What an operation needs; `None` for one that no delegate ever does.
    pub const fn for_operation(operation: Operation) -> Option<Self> {
        match operation {
            Operation::EvmMessage | Operation::SvmMessage => Some(Self::Message),
            Operation::EvmTypedData => Some(Self::TypedData),
            Operation::EvmTransaction | Operation::SvmTransaction => Some(Self::Transaction),
            Operation::EvmAuthorization => Some(Self::Authorization),
            Operation::Blind => Some(Self::Blind),
            Operation::Proof => None,
        }
    }
}

impl fmt::Display for WalletKeyScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for WalletKeyScope {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or(ParseError::new(
                "wallet key scope",
                "sign.message, .typed_data, .transaction, .authorization or .blind",
            ))
    }
}

/// Body of `POST /environments/{env}/waas/delegatedAccess/encryptionPublicKeys`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegisterDelegationKey {
    /// An RSA key of at least 2048 bits, one `PUBLIC KEY` PEM block.
    pub public_key: String,
    /// `RSA-OAEP-256` or `HYBRID-RSA-AES-256`: the same scheme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// `external`, a key made elsewhere: the only kind there is here.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// A delegate's public key, as the provider keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DelegationKey {
    /// The PEM block.
    pub public_key: String,
    /// The id in envelopes: the first 32 hex digits of the fingerprint.
    pub kid: String,
    /// `HYBRID-RSA-AES-256`.
    pub alg: String,
    /// `external`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `sha256:` and SHA-256 of the `SubjectPublicKeyInfo`: compare it with the delegate's own.
    #[serde(default)]
    pub fingerprint: String,
    /// `active` or `revoked`.
    pub status: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
}

/// Reply of `GET …/delegatedAccess/encryptionPublicKeys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelegationKeysReply {
    /// Newest first.
    pub keys: Vec<DelegationKey>,
}

/// The newest active key, in the published form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewestDelegationKey {
    /// The same as `kid`.
    pub id: String,
    /// The environment.
    pub project_environment_id: String,
    /// The id in envelopes.
    pub kid: String,
    /// `HYBRID-RSA-AES-256`.
    pub alg: String,
    /// The PEM block, base64.
    pub public_key_pem_b64: String,
    /// `active`.
    pub status: String,
    /// `external`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Reply of `GET /sdk/{env}/waas/delegatedAccess/encryptionPublicKey`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelegationKeyReply {
    /// The key.
    pub key: NewestDelegationKey,
    /// `ok`.
    pub message: String,
}

/// Body of `POST /sdk/{env}/waas/{walletId}/delegatedAccess/delivery`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliverShareRequest {
    /// One customer share, encrypted for a registered key that is named in it.
    pub encrypted_delegated_share: EncryptedDelegatedPayload,
    /// Drawn by the customer; the start proof named it.
    pub delegation_id: DelegationId,
    /// The generation the share belongs to.
    pub generation: Generation,
    /// The attempt that made it.
    pub attempt_id: AttemptId,
    /// What the wallet's API key may sign; [`WalletKeyScope::DEFAULT`] when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<WalletKeyScope>,
    /// How long it lasts, in seconds: 30 days when absent, 366 days at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_secs: Option<u64>,
}

/// Reply to a [`DeliverShareRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliverShareReply {
    /// The delegation's id.
    pub delegated_share_delivery_id: DelegationId,
    /// `accepted`: it is durable and waits for the delegate.
    pub status: String,
    /// When the wallet's API key ends by itself, RFC 3339.
    pub expires_at: String,
    /// The activity entry; absent in the reply to a repeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<ActivityRef>,
}

/// One delegation. Its key is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DelegationInfo {
    /// Its id.
    pub delegation_id: DelegationId,
    /// The wallet.
    pub wallet_id: WalletId,
    /// For which registered key.
    pub kid: String,
    /// `active`, `expired`, `ended` (the wallet has other shares now) or `revoked`.
    pub status: String,
    /// Whose share the delegate was sent.
    pub party: PartyIndex,
    /// Of which generation.
    pub generation: Generation,
    /// What its key may sign.
    pub scopes: Vec<WalletKeyScope>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub expires_at: String,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
    /// Why it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_because: Option<String>,
    /// The delegate's share is still one of the active generation: a refresh that keeps nothing has
    /// to follow (custody rule 31).
    pub refresh_outstanding: bool,
}

/// Reply of `GET /environments/{env}/waas/{walletId}/delegatedAccess`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DelegationsReply {
    /// The wallet.
    pub wallet_id: WalletId,
    /// Newest first.
    pub delegations: Vec<DelegationInfo>,
}

/// Body of `POST /environments/{env}/waas/delegatedAccess/revoke`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RevokeManyRequest {
    /// 1 to 100 wallets.
    pub wallet_ids: Vec<String>,
}

/// What became of one wallet of a [`RevokeManyRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RevokedWallet {
    /// As it was asked for.
    pub wallet_id: String,
    /// Whether no delegation of it is live any more.
    pub success: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Reply to a [`RevokeManyRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokeManyReply {
    /// In the order asked for.
    pub results: Vec<RevokedWallet>,
    /// How many were asked for.
    pub total: usize,
    /// How many of them succeeded.
    pub succeeded: usize,
    /// How many did not.
    pub failed: usize,
}

/// Reply of `DELETE /sdk/{env}/waas/{walletId}/delegatedAccess/{shareSetId}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RevokeOneReply {
    /// The wallet.
    pub wallet_id: WalletId,
    /// As it was asked for: a share set's id, or a delegation's.
    pub share_set_id: String,
}

/// One event of an environment, in the published form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Its id: one that came before is a repeat.
    pub event_id: String,
    /// The environment.
    pub environment_id: String,
    /// The environment's name.
    pub environment_name: String,
    /// For example `wallet.delegation.created`.
    pub event_name: String,
    /// Its last part.
    pub event_action: String,
    /// Its first part.
    pub resource_type: String,
    /// When it happened, RFC 3339.
    pub timestamp: String,
    /// What it is about, depending on the name.
    pub data: serde_json::Value,
    /// `userId` and the version of the event's form.
    pub context: serde_json::Value,
}

/// Reply of `GET /environments/{env}/events?cursor=&limit=`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventsReply {
    /// Pass as `cursor` for what comes later: also where nothing came this time.
    pub cursor: String,
    /// One page, oldest first.
    pub data: Vec<Event>,
}
