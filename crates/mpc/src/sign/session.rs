//! The session id of a signature: every MAC and every engine message is bound to it.

use halfkey_core::SigningInput;
use sha2::{Digest, Sha256};

use super::{Seat, SignParams};
use crate::envelope::VERSION;
use crate::share::ShareHeader;
use crate::transcript::Transcript;

/// H(version, environment, wallet, share set, generation, attempt, operation, ceremony, input,
/// path, group key, initiator, responder). The provider makes it single-use by the unique slot of
/// its ceremony id (custody rule 14).
pub(crate) fn id(header: &ShareHeader, params: &SignParams, seat: Seat) -> [u8; 32] {
    let (own, counterparty) = (header.party.as_u8(), params.counterparty.as_u8());
    let parties = match seat {
        Seat::Initiator => [own, counterparty],
        Seat::Responder => [counterparty, own],
    };
    let hash = Transcript::new("halfkey-sign-v1")
        .field(&[VERSION])
        .field(header.environment.as_str().as_bytes())
        .field(header.wallet.as_bytes())
        .field(header.share_set.as_bytes())
        .field(&header.generation.0.to_be_bytes())
        .field(header.attempt.as_bytes())
        .field(params.operation.as_str().as_bytes())
        .field(params.ceremony.as_bytes())
        .indices(header.derivation_path.indices())
        .field(&header.group_public_key)
        .field(&parties);
    match &params.input {
        SigningInput::Digest(digest) => hash.field(b"digest").field(digest),
        SigningInput::Message(message) => hash.field(b"message").field(&Sha256::digest(message)),
    }
    .finish()
}
