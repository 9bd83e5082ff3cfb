//! The request, reply and error types in which the two halves meet.
//!
//! Routes and field names are those of the published system where it has them (`camelCase`); what
//! is Halfkey's own sits beside them. Both JSON and CBOR carry the same types: [`Blob`] is base64
//! in JSON and a byte string in CBOR.

mod activity;
mod auth;
mod backup;
mod blob;
mod ceremony;
mod change;
mod create;
mod delegation;
mod error_body;
mod escrow;
mod export;
mod freeze;
mod identity;
mod recipient;
mod restore;
mod sign;
mod wallet;

pub use activity::ActivityRef;
pub use auth::{AuthenticateReply, EncodedJwts, Scope};
pub use backup::{
    BackupLocationsReply, BackupLocationsRequest, BackupPlace, DropBackupsReply,
    DropBackupsRequest, LocatedBackup, RecoverReply, RecoverRequest, RecoveredShare,
    StoreBackupReply, StoreBackupRequest,
};
pub use blob::Blob;
pub use ceremony::{CeremonyMessage, CeremonyOpen, CeremonyReply, CeremonyRound};
pub use change::{ChangeOperation, ChangeRequest, ShareProofBody};
pub use create::{
    AbortReply, AttemptReply, AttemptState, CommitReply, CommitRequest, CreateRequest,
    CreatedWallet, ImportedKey, ProveRequest,
};
pub use delegation::{
    DelegationInfo, DelegationKey, DelegationKeyReply, DelegationKeysReply, DelegationsReply,
    DeliverShareReply, DeliverShareRequest, EncryptedDelegatedPayload, Event, EventsReply,
    NewestDelegationKey, RegisterDelegationKey, RevokeManyReply, RevokeManyRequest, RevokeOneReply,
    RevokedWallet, WALLET_API_KEY, WalletKeyScope,
};
pub use error_body::{ErrorBody, ErrorCode};
pub use escrow::{ESCROW_FORMAT, EscrowFile, EscrowKeysReply, EscrowReply};
pub use export::ExportRequest;
pub use freeze::{
    Freeze, FreezeReply, FreezeRequest, FreezesReply, RevokeOthersReply, UnfreezeRequest,
};
pub use identity::IdentityReply;
pub use recipient::{AddRecipientRequest, ExportRecipient, RecipientReply, RecipientsReply};
pub use restore::{FallBackReply, FallBackRequest, RestoreEpoch};
pub use sign::{Operation, SignMessageRequest, SignedReply};
pub use wallet::{KeySharePointer, ListReply, ProofState, WalletReply, WalletState, WalletSummary};

/// Prefix of every route.
pub const API_PREFIX: &str = "/api/v0";

/// Header that makes a mutating call idempotent.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Header that carries the [`crate::RequestId`] both ways.
pub const REQUEST_ID: &str = "x-halfkey-request-id";

/// Media type of CBOR bodies (RFC 8949).
pub const CBOR: &str = "application/cbor";

/// `domain`, then each field behind its length as a big-endian `u16`. No field is longer than that.
fn length_prefixed(domain: &[u8], fields: &[&[u8]]) -> Vec<u8> {
    let mut bytes = domain.to_vec();
    for field in fields {
        let length = u16::try_from(field.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(field);
    }
    bytes
}
