//! One signature: lock, slot, ceremony, verification.

use std::sync::Arc;

use halfkey_chain::WirePayload;
use halfkey_core::random::os_rng;
use halfkey_core::wire::{CeremonyOpen, ErrorCode, SignMessageRequest};
use halfkey_core::{CeremonyId, KeyType, PartyIndex, Signature, SigningInput};
use halfkey_mpc::{KeyShare, ShareHeader, Sign, SignParams};
use sha2::{Digest as _, Sha256};
use tokio::sync::OwnedSemaphorePermit;

use crate::ceremony::{self, Class, Opening, OpeningBody, Stopped, Table};
use crate::client::Credential;
use crate::to_the_end::to_the_end;
use crate::transport::Retry;
use crate::{Error, Result, WalletClient};

pub(crate) mod locks;
pub(crate) mod misbehaviour;
pub(crate) mod share;
pub(crate) mod slots;
pub(crate) mod suspects;
pub(crate) mod verify;

/// The digest, or SHA-256 of the message, as hex: names an unknown outcome.
fn digest(payload: &WirePayload) -> String {
    match &payload.request.input {
        SigningInput::Digest(digest) => hex::encode(digest),
        SigningInput::Message(message) => hex::encode(Sha256::digest(message)),
    }
}

/// Which of the customer's messages is the last; after it the provider may hold a signature.
const fn last_request(key_type: KeyType) -> u32 {
    if key_type.uses_ot() { 2 } else { 1 }
}

/// A place among the ceremonies of a wallet; free again when dropped.
pub(crate) struct Admitted {
    _slot: Option<OwnedSemaphorePermit>,
}

/// Waits until the wallet may have another ceremony, and refuses a locked generation.
pub(crate) async fn admit(client: &WalletClient, header: &ShareHeader) -> Result<Admitted> {
    locks::check(header)?;
    let slot = slots::acquire(client, header).await?;
    // A cheat found while this call waited for its slot.
    locks::check(header)?;
    Ok(Admitted { _slot: slot })
}

/// Signs `payload` with one customer share and the provider. Goes to its end even when the caller
/// leaves: a cheat that was found always locks the generation in this process.
pub(crate) async fn sign(
    client: &WalletClient,
    share: &Arc<KeyShare>,
    payload: &WirePayload,
) -> Result<Signature> {
    let admitted = admit(client, share.header()).await?;
    let (client, share, payload) = (client.clone(), Arc::clone(share), payload.clone());
    to_the_end(async move { run(&client, &share, &payload, admitted).await }).await
}

/// The ceremony of an admitted signature, and its verification. To be run to its end.
#[tracing::instrument(level = "debug", skip_all, fields(
    wallet = %share.header().wallet, operation = payload.request.operation.as_str(),
))]
pub(crate) async fn run(
    client: &WalletClient,
    share: &Arc<KeyShare>,
    payload: &WirePayload,
    admitted: Admitted,
) -> Result<Signature> {
    let header = share.header();
    let params = SignParams {
        ceremony: CeremonyId::generate(&mut os_rng()),
        operation: payload.request.operation,
        input: payload.request.input.clone(),
        counterparty: PartyIndex::PROVIDER,
    };
    let opening = Opening {
        path: client.route(&[&header.wallet.to_string(), "signMessage"])?,
        body: OpeningBody::Sign(SignMessageRequest {
            message: payload.message.clone(),
            is_formatted: payload.is_formatted,
            context: Some(payload.context.clone()),
            ceremony: CeremonyOpen {
                ceremony_id: params.ceremony,
                generation: header.generation,
                attempt_id: header.attempt,
                messages: Vec::new(),
            },
        }),
        idempotency_key: None,
        retry: Retry::Never,
        by: Credential::Session,
    };
    let ceremony = params.ceremony;
    let run = Sign::initiator(Arc::clone(share), params, os_rng())?;
    let table = Table::new(Class::Sign, [(header.party, run)]);
    let ended = ceremony::exchange(client, opening, table)
        .await
        .map_err(|stop| failure(client, share, payload, ceremony, stop))?;
    if let Some(told) = ended.last.signed.and_then(|signed| signed.custody_origin)
        && !told.admits(header.custody_origin)
    {
        tracing::warn!(%told, ours = %header.custody_origin, "the provider tells another custody");
    }
    let signature = ended
        .outputs
        .into_iter()
        .find_map(|(_, signature)| signature);
    let signature = signature.ok_or(Error::Bug("a signature ceremony without a signature"))?;
    verify::against_key(share, &payload.request.input, &signature)
        .map_err(|error| failure(client, share, payload, ceremony, late(error)))?;
    drop(admitted);
    Ok(signature)
}

/// A failure after the whole exchange.
const fn late(error: Error) -> Stopped {
    Stopped {
        error,
        reached: u32::MAX,
    }
}

/// What a stopped signature means to the caller.
fn failure(
    client: &WalletClient,
    share: &KeyShare,
    payload: &WirePayload,
    ceremony: CeremonyId,
    stop: Stopped,
) -> Error {
    let header = share.header();
    let error = misbehaviour::found(client, header, ceremony, stop.error);
    let error = suspects::count(client, header, ceremony, error);
    if matches!(error, Error::PeerMisbehaved { .. }) {
        return error;
    }
    let refused = is_refusal(header.key_type, &error);
    if stop.reached >= last_request(header.key_type) && !refused {
        return unknown(payload, error);
    }
    match error.api_code() {
        Some(ErrorCode::StaleGeneration) => Error::ShareOfAnotherGeneration {
            share: header.generation,
        },
        Some(ErrorCode::NotFound) => Error::WalletNotFound,
        _ => error,
    }
}

/// Custody rule 22.
fn unknown(payload: &WirePayload, source: Error) -> Error {
    Error::OutcomeUnknown {
        digest: digest(payload),
        source: Box::new(source),
    }
}

/// Whether no signature can exist: nothing arrived at the provider, or, for Ed25519, it said no.
/// (There the provider cannot complete a signature by itself. For ECDSA it can, once it has the
/// customer's last message, and an answer is not authenticated: no status proves anything.)
fn is_refusal(key_type: KeyType, error: &Error) -> bool {
    match error {
        Error::Network(inner) => inner.never_sent(),
        Error::Authentication(_) | Error::NotAuthenticated => !key_type.uses_ot(),
        Error::Api(api) => {
            !key_type.uses_ot()
                && !matches!(
                    api.code,
                    ErrorCode::Internal | ErrorCode::Unavailable | ErrorCode::Unrecognised
                )
        }
        _ => false,
    }
}
