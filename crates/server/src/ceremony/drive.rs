//! Feeding a ceremony one request's messages, and what its errors mean to the caller.

use halfkey_core::wire::{CeremonyMessage, ErrorCode};
use halfkey_core::{PartyIndex, ThresholdSignatureScheme};
use halfkey_mpc::{Action, Ceremony, Error as MpcError};

use crate::api_error::ApiError;

/// Where a ceremony stands after one request.
#[derive(Debug)]
pub(crate) enum Progress<T> {
    /// It waits for more.
    More(Vec<CeremonyMessage>),
    /// It is over.
    Done(Vec<CeremonyMessage>, T),
}

/// Feeds `messages` and collects the reply. CPU-heavy.
pub(crate) fn drive<C: Ceremony>(
    ceremony: &mut C,
    messages: &[CeremonyMessage],
) -> Result<Progress<C::Output>, MpcError> {
    for message in messages {
        ceremony.message(message)?;
    }
    let mut replies = Vec::new();
    loop {
        match ceremony.poll() {
            Action::Send(more) => replies.extend(more),
            Action::Wait => return Ok(Progress::More(replies)),
            Action::Done(output) => return Ok(Progress::Done(replies, output)),
            Action::Failed(error) => return Err(error),
        }
    }
}

/// What a caller is told of a failed ceremony. Proven cheating is dealt with before (custody
/// rule 13).
pub(crate) fn ceremony_error(error: &MpcError) -> ApiError {
    match error {
        MpcError::PeerMisbehaved { .. } => {
            ApiError::new(ErrorCode::PeerMisbehaved, error.to_string())
        }
        MpcError::Refused { .. } | MpcError::Suspect | MpcError::Disagreement(_) => {
            ApiError::new(ErrorCode::CeremonyRefused, error.to_string())
        }
        MpcError::Caller(what) => ApiError::invalid(*what),
        // Our own share, or a bug: nothing the caller could mend.
        _ => ApiError::internal(error),
    }
}

/// Checks that every message is from a customer party of the scheme and for the provider: nothing
/// between the customer's own parties may even come here (custody rule 1).
pub(crate) fn check_parties(
    messages: &[CeremonyMessage],
    scheme: ThresholdSignatureScheme,
) -> Result<(), ApiError> {
    if messages.is_empty() {
        return Err(ApiError::invalid("a round has at least one message"));
    }
    let fits = |message: &CeremonyMessage| {
        message.to == PartyIndex::PROVIDER && PartyIndex::customers(scheme).contains(&message.from)
    };
    if messages.iter().all(fits) {
        return Ok(());
    }
    let message = "every message is from one of the customer's parties to the provider";
    Err(ApiError::new(ErrorCode::CeremonyRefused, message))
}

/// The one customer party that all messages of a signing ceremony are from.
pub(crate) fn single_sender(
    messages: &[CeremonyMessage],
    scheme: ThresholdSignatureScheme,
) -> Result<PartyIndex, ApiError> {
    check_parties(messages, scheme)?;
    let first = messages.first().map(|message| message.from);
    match first {
        Some(party) if messages.iter().all(|message| message.from == party) => Ok(party),
        _ => Err(ApiError::new(
            ErrorCode::CeremonyRefused,
            "one customer party signs at a time",
        )),
    }
}
