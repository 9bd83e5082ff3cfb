//! What the provider puts into a change, from the request and its own share.

use halfkey_core::proof_message::ProofOperation;
use halfkey_core::wire::{ChangeRequest, ErrorCode, ShareProofBody};
use halfkey_core::{AttemptId, PartyIndex};
use halfkey_mpc::{
    Change, KeyShare, KeygenParams, NextShares, ShareProofContext, verify_share_proof,
};

use crate::api_error::ApiError;
use crate::auth::Caller;
use crate::ceremony::drive::ceremony_error;
use crate::db::wallets::WalletRow;

/// What both halves must agree on.
pub(super) fn of(body: &ChangeRequest, old: &KeyShare) -> Result<(KeygenParams, Change), ApiError> {
    let next = NextShares {
        operation: body.operation,
        scheme: body.new_threshold_signature_scheme,
        lost: body.lost,
        generation: body.new_generation,
        attempt: body.new_attempt_id,
        share_set: body.share_set_id,
        ceremony: body.ceremony.ceremony_id,
    };
    Change::new(old, &next).map_err(|error| ceremony_error(&error))
}

/// The start of a change or export under a locked generation, where no signature can be made: the
/// customer knows its share (custody rule 7).
pub(crate) fn check_share_proof(
    caller: &Caller,
    wallet: &WalletRow,
    (attempt, operation): (AttemptId, ProofOperation),
    old: &KeyShare,
    proof: &ShareProofBody,
) -> Result<(), ApiError> {
    if !PartyIndex::customers(wallet.scheme).contains(&proof.party) {
        return Err(ApiError::invalid("the proof is of a customer's share"));
    }
    let context = ShareProofContext {
        environment: caller.environment.id.clone(),
        wallet: wallet.wallet,
        generation: wallet.generation,
        attempt,
        operation,
        party: proof.party,
    };
    verify_share_proof(old, &context, &proof.proof.0)
        .map_err(|error| ApiError::new(ErrorCode::StartUnproven, error.to_string()))
}
