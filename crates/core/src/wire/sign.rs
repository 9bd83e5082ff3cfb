use serde::{Deserialize, Serialize};

use super::CeremonyOpen;
use crate::CustodyOrigin;

/// What the provider decided that the bytes are (custody rule 19).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Operation {
    /// EIP-191 personal message.
    EvmMessage,
    /// EIP-712 typed data with its structure.
    EvmTypedData,
    /// An EVM transaction of any supported type.
    EvmTransaction,
    /// EIP-7702 authorization.
    EvmAuthorization,
    /// A Solana off-chain message that parses as no transaction.
    SvmMessage,
    /// A Solana transaction message.
    SvmTransaction,
    /// A commit proof (custody rule 7).
    Proof,
    /// Bytes or a digest whose meaning cannot be told.
    Blind,
}

impl Operation {
    /// The stable name, for logs, metrics and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EvmMessage => "evm_message",
            Self::EvmTypedData => "evm_typed_data",
            Self::EvmTransaction => "evm_transaction",
            Self::EvmAuthorization => "evm_authorization",
            Self::SvmMessage => "svm_message",
            Self::SvmTransaction => "svm_transaction",
            Self::Proof => "proof",
            Self::Blind => "blind",
        }
    }
}

/// Body of `POST /sdk/{env}/waas/{walletId}/signMessage`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignMessageRequest {
    /// The bytes to be signed, in the published encoding: hex with `0x` for EVM (EIP-191 prefixed
    /// bytes, or an unsigned transaction payload), bare hex for SVM; a bare 32-byte digest when
    /// `is_formatted`.
    pub message: String,
    /// `message` is already a digest.
    #[serde(default)]
    pub is_formatted: bool,
    /// What the caller says it is: `evmMessage`, `evmTypedData`, `evmTransaction`, `eip7702Auth`,
    /// `svmMessage`, `svmTransaction`. May only agree with what the provider finds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<serde_json::Value>,
    /// The ceremony's first messages.
    pub ceremony: CeremonyOpen,
}

/// What the provider says it took part in signing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedReply {
    /// The operation the provider found.
    pub operation: Operation,
    /// What the key's history allows anyone to claim (custody rule 2); absent in replies of older
    /// providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custody_origin: Option<CustodyOrigin>,
}
