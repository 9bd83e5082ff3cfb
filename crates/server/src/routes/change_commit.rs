//! The commit of a refresh, reshare or replacement: the staged generation becomes the active one
//! and the one before it is kept or shredded (custody rules 3, 6, 7, 9 and 10).

use crate::db::sql;
use std::sync::atomic::Ordering;

use halfkey_core::PartyIndex;
use halfkey_core::proof_message::ProofOperation;
use halfkey_core::wire::{CommitReply, ErrorCode, ProofState, WalletState};

use super::commit::Commit;
use super::{check_unlocked, escrow, staged_wallet};
use crate::api_error::ApiError;
use crate::app::App;
use crate::db::changes::{self, StagedChange};
use crate::db::wallets::WalletRow;
use crate::db::{Entry, Tx, attempts, delegations, escrows, generations, proofs, wallets};

/// A staged change, the wallet as it is and as it would be, all read in the commit's transaction.
pub(super) struct Staged {
    change: StagedChange,
    now: WalletRow,
    next: WalletRow,
}

/// What the attempt has staged; `None` when it makes a new wallet.
pub(super) async fn staged(tx: &mut Tx, wanted: &Commit) -> Result<Option<Staged>, ApiError> {
    let environment = &wanted.caller.environment.id;
    let now = wallets::by_id(tx.conn(), environment, wanted.row.wallet)
        .await?
        .ok_or_else(|| ApiError::not_found("wallet"))?;
    let staged = staged_wallet(tx.conn(), &wanted.caller, &now, wanted.attempt).await?;
    Ok(staged.map(|(change, next)| Staged { change, now, next }))
}

/// `staged` → `committed`. The caller's transaction makes all of it one step.
pub(super) async fn commit(
    app: &App,
    tx: &mut Tx,
    wanted: &Commit,
    staged: Staged,
) -> Result<CommitReply, ApiError> {
    let Staged { change, now, next } = staged;
    let caller = &wanted.caller;
    let environment = &caller.environment.id;
    if wanted.unproven {
        return Err(ApiError::invalid("only a new wallet commits without proof"));
    }
    if change.from != (now.generation, now.attempt) {
        let message = "another change was committed since this one began";
        return Err(ApiError::new(ErrorCode::StaleGeneration, message));
    }
    // Of the new generation: a lock of the old one ends here (custody rule 16).
    check_unlocked(app, &caller.environment, &next)?;
    for party in PartyIndex::customers(next.scheme) {
        let of = (next.wallet, change.attempt);
        if !proofs::has(tx.conn(), environment, of, *party, ProofOperation::Change).await? {
            let message = "not every pair has proven its shares under this attempt";
            return Err(ApiError::new(ErrorCode::ProofMissing, message));
        }
    }
    let made = (change.attempt, next.scheme);
    escrow::check_acknowledged(tx, caller, made, wanted.escrow).await?;
    let actor = caller.actor();
    // A generation that was locked is burnt; one that only needed a refresh may hold good shares.
    let compromised = change.compromised || was_taken_back(tx, wanted, &now).await?;
    let burnt = compromised || now.locked.is_some();
    let entry = Entry::new(environment, "attempt.committed", &actor)
        .wallet(next.wallet)
        .attempt(change.attempt)
        .request(caller.request)
        .detail(serde_json::json!({
            "operation": change.operation.as_str(),
            "generation": next.generation,
            "from": now.generation,
            "scheme": next.scheme.as_str(),
            "custodyOrigin": next.origin(),
            "burnt": burnt,
            "escrow": wanted.escrow.map(hex::encode),
        }));
    let activity = tx.record(&entry).await?;
    let committed = attempts::commit(
        tx,
        environment,
        change.attempt,
        ProofState::Proven,
        &activity,
    )
    .await?;
    generations::end(tx, environment, &now, burnt).await?;
    if !committed || !changes::apply(tx, environment, &change).await? {
        return Err(ApiError::internal(
            "a staged attempt did not become committed",
        ));
    }
    shred(tx, wanted, &change, compromised).await?;
    app.metrics.wallets_changed.fetch_add(1, Ordering::Relaxed);
    Ok(CommitReply {
        state: WalletState::Active,
        proof: ProofState::Proven,
        custody_origin: Some(next.origin()),
        account_address: next.address,
        generation: Some(next.generation),
        attempt: None,
        activity,
    })
}

/// Whether a revoked delegate has a share of the generation: then it is not kept, whatever was
/// asked for (custody rule 31).
async fn was_taken_back(tx: &mut Tx, wanted: &Commit, now: &WalletRow) -> Result<bool, sql::Error> {
    let of = (now.wallet, now.generation);
    delegations::any_revoked(tx.conn(), &wanted.caller.environment.id, of).await
}

/// After a compromise nothing of earlier generations stays (custody rule 10), and otherwise nothing
/// that a revoked delegate has the other half of.
async fn shred(
    tx: &mut Tx,
    wanted: &Commit,
    change: &StagedChange,
    compromised: bool,
) -> Result<(), ApiError> {
    let caller = &wanted.caller;
    let environment = &caller.environment.id;
    let (wallet, active) = (change.wallet, change.attempt);
    let shredded = if compromised {
        generations::shred_ended(tx, environment, wallet, active).await?
    } else {
        generations::shred_taken_back(tx, environment, wallet, active).await?
    };
    // Escrowed shares of a revoked delegate's generation stay: without the escrow key's secret half
    // they are of no use to it.
    let sealed = if compromised {
        escrows::shred_ended(tx, environment, wallet, active).await?
    } else {
        0
    };
    if !compromised && shredded == 0 {
        return Ok(());
    }
    let actor = caller.actor();
    let entry = Entry::new(environment, "shares.shredded", &actor)
        .wallet(wallet)
        .attempt(active)
        .request(caller.request)
        .detail(serde_json::json!({ "shares": shredded, "escrows": sealed }));
    tx.record(&entry).await?;
    Ok(())
}
