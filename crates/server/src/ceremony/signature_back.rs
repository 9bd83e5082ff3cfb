//! The last round of an Ed25519 proof: only the customer obtains a FROST signature, so it sends the
//! 64 bytes back and the provider verifies them (custody rule 7).

use std::sync::Arc;

use ed25519_dalek::{Signature, VerifyingKey};
use halfkey_core::wire::{CeremonyMessage, CeremonyReply, ErrorCode};
use sha2::{Digest as _, Sha256};

use super::running::Stepped;
use super::sign::{Goal, SignContext};
use super::sign_end::{self, Seen};
use super::table::Cell;
use crate::api_error::ApiError;
use crate::app::App;

/// A proof whose signature is awaited.
#[derive(Debug)]
pub(crate) struct SignatureRun {
    pub(crate) context: SignContext,
}

impl SignatureRun {
    /// Takes the signature.
    pub(crate) async fn step(
        self: Box<Self>,
        app: &Arc<App>,
        _cell: &Cell,
        messages: Vec<CeremonyMessage>,
    ) -> Result<Stepped, ApiError> {
        let context = self.context;
        let [message] = messages.as_slice() else {
            return Err(refused(
                "the last round of a proof is one message: the signature",
            ));
        };
        if message.from != context.party || !verifies(&context, &message.body.0) {
            return Err(refused("the signature does not verify"));
        }
        let seen = Seen::Sent(Sha256::digest(&message.body.0).into());
        let activity = sign_end::signed(app, &context, seen).await?;
        Ok(Stepped::Finished(Box::new(CeremonyReply {
            next: None,
            messages: Vec::new(),
            created: None,
            signed: Some(context.signed_reply()),
            activity: Some(activity),
        })))
    }
}

fn verifies(context: &SignContext, signature: &[u8]) -> bool {
    let Goal::Proof { message, .. } = &context.goal else {
        return false;
    };
    let key = <&[u8; 32]>::try_from(context.wallet.account_public_key.as_slice())
        .ok()
        .and_then(|bytes| VerifyingKey::from_bytes(bytes).ok());
    match (key, Signature::from_slice(signature)) {
        (Some(key), Ok(signature)) => key.verify_strict(message, &signature).is_ok(),
        _ => false,
    }
}

fn refused(message: &'static str) -> ApiError {
    ApiError::new(ErrorCode::CeremonyRefused, message)
}
