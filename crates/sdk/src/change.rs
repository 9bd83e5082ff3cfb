//! The customer's side of refresh, reshare and replacement: start proof, ceremony, and new shares
//! that nothing has been committed of.

use core::time::Duration;
use std::sync::Arc;

use ed25519_dalek::VerifyingKey;
use halfkey_core::proof_message::ProofOperation;
use halfkey_core::random::os_rng;
use halfkey_core::wire::{
    Blob, CeremonyOpen, ChangeOperation, ChangeRequest, CreatedWallet, ShareProofBody,
};
use halfkey_core::{
    AttemptId, CeremonyId, Generation, PartyIndex, ShareSetId, ThresholdSignatureScheme,
};
use halfkey_mpc::{
    Change, KeyShare, Keygen, KeygenParams, NextShares, ShareProofContext, prove_share,
};

use crate::ceremony::{self, Class, Opening, OpeningBody, Table};
use crate::client::Credential;
use crate::transport::Retry;
use crate::{Error, Result, WalletClient, prove};

mod bare;

/// What shall become of the shares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChangeSpec {
    pub(crate) operation: ChangeOperation,
    /// Of the new shares.
    pub(crate) scheme: ThresholdSignatureScheme,
    pub(crate) lost: Option<PartyIndex>,
    pub(crate) compromised: bool,
    /// How far back this half can be restored.
    pub(crate) backup_horizon: Option<Duration>,
    /// The new generation.
    pub(crate) generation: Generation,
    /// Either half has locked the old one: it starts by a proof of knowledge, not by a signature.
    pub(crate) is_locked: bool,
}

/// Makes the new shares, one per customer party of the new scheme, in their order. `shares` are the
/// old ones of every customer party that puts one in. The provider holds its half as staged beside
/// the active generation; a failure leaves nothing but that.
pub(crate) async fn run(
    client: &WalletClient,
    shares: &[Arc<KeyShare>],
    spec: &ChangeSpec,
) -> Result<Vec<KeyShare>> {
    let first = shares.first().ok_or(Error::NoShare)?;
    let header = first.header();
    let identity = client.provider_identity().await?;
    let next = NextShares {
        operation: spec.operation,
        scheme: spec.scheme,
        lost: spec.lost,
        generation: spec.generation,
        attempt: AttemptId::generate(&mut os_rng()),
        share_set: match spec.operation {
            ChangeOperation::Refresh => header.share_set,
            _ => ShareSetId::generate(&mut os_rng()),
        },
        ceremony: CeremonyId::generate(&mut os_rng()),
    };
    let change = Change::new(first, &next)?;
    let operation = spec.operation.start_proof();
    let share_proof = start(client, first, operation, spec.is_locked, next.attempt).await?;
    let table = parties(&change, shares, &identity)?;
    let opening = opening(client, first, spec, &next, share_proof)?;
    let ended = ceremony::exchange(client, opening, table)
        .await
        .map_err(|stop| stop.error)?;
    let made: Vec<KeyShare> = ended.outputs.into_iter().map(|(_, share)| share).collect();
    let created = ended
        .last
        .created
        .ok_or(Error::Protocol("the change ended without a generation"))?;
    client.note_epoch(created.restore_epoch);
    check(first, &next, &created, &made)?;
    Ok(made)
}

/// Shows that the caller holds a share of the active generation (custody rules 7 and 28).
pub(crate) async fn start(
    client: &WalletClient,
    share: &Arc<KeyShare>,
    operation: ProofOperation,
    is_locked: bool,
    attempt: AttemptId,
) -> Result<Option<ShareProofBody>> {
    let header = share.header();
    if !is_locked || !header.key_type.uses_ot() {
        prove::prove_start(client, share, operation, attempt).await?;
        return Ok(None);
    }
    let context = ShareProofContext {
        environment: header.environment.clone(),
        wallet: header.wallet,
        generation: header.generation,
        attempt,
        operation,
        party: header.party,
    };
    let proof = prove_share(share, &context, &mut os_rng())?;
    Ok(Some(ShareProofBody {
        party: header.party,
        proof: Blob(proof.to_vec()),
    }))
}

fn parties(
    change: &(KeygenParams, Change),
    shares: &[Arc<KeyShare>],
    identity: &VerifyingKey,
) -> Result<Table<Keygen>> {
    let party = |party: &PartyIndex| {
        let old = shares.iter().find(|one| one.header().party == *party);
        let old = old.map(|old| &**old);
        Keygen::customer_change(change.clone(), *party, old, identity, os_rng())
            .map(|run| (*party, run))
    };
    let parties: core::result::Result<Vec<_>, _> = PartyIndex::customers(change.0.scheme)
        .iter()
        .map(party)
        .collect();
    Ok(Table::new(Class::Keygen, parties?))
}

fn opening(
    client: &WalletClient,
    share: &KeyShare,
    spec: &ChangeSpec,
    next: &NextShares,
    share_proof: Option<ShareProofBody>,
) -> Result<Opening> {
    let header = share.header();
    let body = ChangeRequest {
        operation: spec.operation,
        new_threshold_signature_scheme: spec.scheme,
        lost: spec.lost,
        new_generation: next.generation,
        new_attempt_id: next.attempt,
        share_set_id: next.share_set,
        compromised: spec.compromised,
        backup_horizon_ms: spec
            .backup_horizon
            .map(|horizon| u64::try_from(horizon.as_millis()).unwrap_or(u64::MAX)),
        share_proof,
        ceremony: CeremonyOpen {
            ceremony_id: next.ceremony,
            generation: header.generation,
            attempt_id: header.attempt,
            messages: Vec::new(),
        },
    };
    let route = match spec.operation {
        ChangeOperation::Refresh => "refresh",
        _ => "reshare",
    };
    Ok(Opening {
        path: client.route(&[&header.wallet.to_string(), route])?,
        body: OpeningBody::Change(Box::new(body)),
        idempotency_key: None,
        // A repeat is byte-identical, and the provider keeps the reply to it (custody rule 18).
        retry: Retry::Idempotent,
        by: Credential::ApiToken,
    })
}

/// The new shares must be what was asked for, and of the same key.
fn check(
    old: &KeyShare,
    next: &NextShares,
    created: &CreatedWallet,
    made: &[KeyShare],
) -> Result<()> {
    let fits = |share: &KeyShare| {
        let (header, before) = (share.header(), old.header());
        header.wallet == before.wallet
            && header.environment == before.environment
            && header.group_public_key == before.group_public_key
            && header.derivation_path == before.derivation_path
            && share.account_public_key() == old.account_public_key()
            && header.scheme == next.scheme
            && header.generation == next.generation
            && header.attempt == next.attempt
            && header.share_set == next.share_set
            && header.custody_origin == created.custody_origin
    };
    let named = created.wallet_id == old.header().wallet
        && created.attempt_id == next.attempt
        && created.generation == next.generation;
    if named && made.iter().all(fits) {
        Ok(())
    } else {
        Err(Error::Protocol(
            "the provider describes another generation than was made",
        ))
    }
}
