use serde::{Deserialize, Serialize};

use crate::Fault;

/// Body of every error reply. `error` is text for people; `code` is for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// What went wrong, without secrets or internals.
    pub error: String,
    /// The stable code.
    pub code: ErrorCode,
    /// Who has to act.
    pub fault: Fault,
    /// The request this answers, as it stands in the provider's log.
    pub request_id: String,
    /// More for programs, depending on the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<serde_json::Value>,
}

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal => $status:literal),+ $(,)?) => {
        /// Stable error codes of the HTTP API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* #[serde(rename = $text)] $name,)+
            /// A code of a newer version.
            #[serde(other, rename = "unrecognised")]
            Unrecognised,
        }

        impl ErrorCode {
            /// The code as text.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                    Self::Unrecognised => "unrecognised",
                }
            }

            /// The HTTP status it goes with.
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$name => $status,)+
                    Self::Unrecognised => 500,
                }
            }
        }
    };
}

error_codes! {
    /// The body or a parameter cannot be read.
    InvalidRequest = "invalid_request" => 400,
    /// The chain is not one this provider knows.
    UnknownChain = "unknown_chain" => 400,
    /// No token, or one that is not valid.
    Unauthenticated = "unauthenticated" => 401,
    /// The API token or session token has expired.
    TokenExpired = "token_expired" => 401,
    /// The token's scopes do not cover the operation.
    ScopeMissing = "scope_missing" => 403,
    /// Not there, or another environment's.
    NotFound = "not_found" => 404,
    /// The body is larger than allowed.
    BodyTooLarge = "body_too_large" => 413,
    /// The ceremony reference is used, expired or never was.
    CeremonyGone = "ceremony_gone" => 409,
    /// A different message came at a step already taken; the ceremony was aborted.
    CeremonyConflict = "ceremony_conflict" => 409,
    /// Same idempotency key, other body.
    IdempotencyMismatch = "idempotency_mismatch" => 422,
    /// A message of the ceremony is malformed, badly MACed or out of place (benign).
    CeremonyRefused = "ceremony_refused" => 422,
    /// The generation named is not the active one.
    StaleGeneration = "stale_generation" => 409,
    /// The wallet is pending: prove and commit it first.
    WalletNotActive = "wallet_not_active" => 409,
    /// The wallet is locked after proven cheating.
    WalletLocked = "wallet_locked" => 423,
    /// The wallet or its environment is frozen.
    Frozen = "frozen" => 423,
    /// The wallet signs again only after a complete refresh.
    NeedsCompleteRefresh = "needs_complete_refresh" => 423,
    /// The attempt was aborted; it can never be committed.
    AttemptAborted = "attempt_aborted" => 409,
    /// The attempt has no proof for every pair yet.
    ProofMissing = "proof_missing" => 409,
    /// The provider's share has to be in the customer's escrow before the commit, and the commit
    /// does not acknowledge it.
    EscrowUnacknowledged = "escrow_unacknowledged" => 409,
    /// The address already belongs to a wallet.
    WalletExists = "wallet_exists" => 409,
    /// The operation has to be started by a proof under the active generation, which is not there.
    StartUnproven = "start_unproven" => 409,
    /// The wallet was locked so often that its lock is final: export the key and sweep the funds.
    LockFinal = "lock_final" => 423,
    /// So many generations are kept for the other half's horizon that no other may follow yet.
    TooManyChanges = "too_many_changes" => 409,
    /// The generation must never be used again.
    GenerationBurnt = "generation_burnt" => 409,
    /// The shares of the generation were shredded at the end of the horizon, or never were here.
    GenerationGone = "generation_gone" => 410,
    /// The provider's operator has not let the wallet fall back to that generation.
    RecoverNotApproved = "recover_not_approved" => 403,
    /// The provider was not restored since the generation that the wallet would fall back from.
    NotRestored = "not_restored" => 409,
    /// The export names no recipient that is on the environment's list and past its delay.
    RecipientRefused = "recipient_refused" => 403,
    /// The delegation this wallet key belongs to was revoked.
    DelegationRevoked = "delegation_revoked" => 403,
    /// The delegation does not go with another one, or with the wallet as it is.
    DelegationConflict = "delegation_conflict" => 409,
    /// The bytes have no meaning the provider can tell, and blind signing is off.
    BlindSigningDenied = "blind_signing_denied" => 403,
    /// The caller's context or digest does not agree with the bytes.
    PayloadMismatch = "payload_mismatch" => 422,
    /// The payload is of a kind that must never be signed here.
    PayloadRefused = "payload_refused" => 422,
    /// The message proves that the sender cheated; the wallet is locked.
    PeerMisbehaved = "peer_misbehaved" => 403,
    /// A limit on live ceremonies, open slots or requests; see `Retry-After`.
    TooManyRequests = "too_many_requests" => 429,
    /// The provider is shutting down or its store does not answer; see `Retry-After`.
    Unavailable = "unavailable" => 503,
    /// A bug of the provider's; the request id finds it in the log.
    Internal = "internal" => 500,
}
