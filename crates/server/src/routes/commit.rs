use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Path, State};
use axum::response::Response;
use halfkey_core::proof_message::ProofOperation;
use halfkey_core::wire::{
    AttemptState, CommitReply, CommitRequest, ErrorCode, ProofState, Scope, WalletState,
};
use halfkey_core::{AttemptId, PartyIndex, crash_point};
use sha2::{Digest as _, Sha256};

use super::{attempt_id, change_commit, check_unlocked, escrow, wallet_of};
use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::{Caller, Credential};
use crate::db::attempts::AttemptRow;
use crate::db::idempotency::{self, IdempotencyKey, IdempotencyRow};
use crate::db::wallets::WalletRow;
use crate::db::{Entry, Tx, attempts, proofs, wallets};
use crate::freeze;
use crate::web::Call;

/// `POST …/{wallet}/attempts/{attempt}/commit`: makes the generation the active one. A repeat gets
/// the same reply.
pub(super) async fn commit(
    State(app): State<Arc<App>>,
    Path((env, wallet, attempt)): Path<(String, String, String)>,
    call: Call,
) -> Result<Response, ApiError> {
    // A change was let in by its own scope when it was staged, and its proof is of the new shares.
    let caller = call
        .authorize(&env, Credential::Either, Some(Scope::Create))
        .await?;
    let key = call.idempotency_key()?;
    let decoded = call.decode::<CommitRequest>().await?;
    let attempt = attempt_id(&attempt)?;
    let worker = Arc::clone(&app);
    let unproven = decoded.body.unproven;
    let escrow = decoded.body.escrow.as_deref().map(digest_of).transpose()?;
    let reply = app
        .to_the_end(async move {
            let row = wallet_of(&worker, &caller.environment, &wallet).await?;
            freeze::check_refresh(&worker, &caller, Some(&row.wallet)).await?;
            let wanted = Commit {
                caller,
                row,
                attempt,
                unproven,
                escrow,
            };
            commit_attempt(&worker, &wanted, key).await
        })
        .await?;
    decoded.reply.ok(&reply)
}

/// A commit that was asked for.
pub(super) struct Commit {
    pub(super) caller: Caller,
    pub(super) row: WalletRow,
    pub(super) attempt: AttemptId,
    pub(super) unproven: bool,
    /// The escrow that the customer says it has stored.
    pub(super) escrow: Option<[u8; 32]>,
}

fn digest_of(text: &str) -> Result<[u8; 32], ApiError> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text, &mut digest)
        .map_err(|_| ApiError::invalid("an escrow is acknowledged by 64 hex digits"))?;
    Ok(digest)
}

async fn commit_attempt(
    app: &App,
    wanted: &Commit,
    key: Option<String>,
) -> Result<CommitReply, ApiError> {
    let environment = &wanted.caller.environment.id;
    let mut tx = app.db.begin().await?;
    if let Some(key) = key {
        check_key(&mut tx, wanted, key).await?;
    }
    let attempt = attempts::by_id(tx.conn(), environment, wanted.attempt)
        .await?
        .filter(|attempt| attempt.wallet == Some(wanted.row.wallet))
        .ok_or_else(|| ApiError::not_found("attempt"))?;
    let mut reply = match attempt.state {
        AttemptState::Aborted => {
            let message = "the attempt was aborted: it can never be committed";
            return Err(ApiError::new(ErrorCode::AttemptAborted, message));
        }
        AttemptState::Staged => match change_commit::staged(&mut tx, wanted).await? {
            Some(staged) => change_commit::commit(app, &mut tx, wanted, staged).await?,
            None => commit_staged(app, &mut tx, wanted).await?,
        },
        _ => repeat(wanted, attempt)?,
    };
    crash_point("commit.before-commit");
    tx.commit().await?;
    crash_point("commit.after-commit");
    app.advance_anchor().await;
    let (of, state) = (Some(wanted.row.wallet), AttemptState::Committed);
    reply.attempt = Some(app.attempt_reply(&wanted.caller.environment, wanted.attempt, of, state));
    Ok(reply)
}

/// `staged` → `committed` (custody rules 6 and 7).
async fn commit_staged(app: &App, tx: &mut Tx, wanted: &Commit) -> Result<CommitReply, ApiError> {
    let Commit {
        caller,
        row,
        attempt,
        unproven,
        escrow,
    } = wanted;
    let environment = &caller.environment.id;
    // Read again under the transaction: a lock may have come in between.
    let row = wallets::by_id(tx.conn(), environment, row.wallet)
        .await?
        .ok_or_else(|| ApiError::not_found("wallet"))?;
    check_unlocked(app, &caller.environment, &row)?;
    let mut proven = true;
    for party in PartyIndex::customers(row.scheme) {
        let of = (row.wallet, *attempt);
        proven &= proofs::has(tx.conn(), environment, of, *party, ProofOperation::Create).await?;
    }
    if !proven && !unproven {
        let message = "not every pair has proven its shares under this attempt";
        return Err(ApiError::new(ErrorCode::ProofMissing, message));
    }
    escrow::check_acknowledged(tx, caller, (*attempt, row.scheme), *escrow).await?;
    let proof = if proven {
        ProofState::Proven
    } else {
        ProofState::Unproven
    };
    let actor = caller.actor();
    let entry = Entry::new(environment, "attempt.committed", &actor)
        .wallet(row.wallet)
        .attempt(*attempt)
        .request(caller.request)
        .detail(serde_json::json!({
            "proof": proof,
            "generation": row.generation,
            "escrow": escrow.map(hex::encode),
        }));
    let activity = tx.record(&entry).await?;
    let committed = attempts::commit(tx, environment, *attempt, proof, &activity).await?;
    let activated = wallets::activate(tx, environment, row.wallet, proof).await?;
    if !committed || !activated {
        return Err(ApiError::internal(
            "a staged attempt did not become committed",
        ));
    }
    app.metrics
        .wallets_committed
        .fetch_add(1, Ordering::Relaxed);
    Ok(CommitReply {
        state: WalletState::Active,
        proof,
        custody_origin: Some(row.origin()),
        account_address: row.address,
        generation: Some(row.generation),
        attempt: None,
        activity,
    })
}

/// What the first commit was answered with.
fn repeat(wanted: &Commit, attempt: AttemptRow) -> Result<CommitReply, ApiError> {
    let (Some(proof), Some(activity)) = (attempt.committed_proof, attempt.settled) else {
        return Err(ApiError::internal("a committed attempt without its entry"));
    };
    Ok(CommitReply {
        state: WalletState::Active,
        proof,
        account_address: wanted.row.address.clone(),
        custody_origin: Some(wanted.row.origin()),
        generation: attempt.generation,
        attempt: None,
        activity,
    })
}

/// Same key, other body: refused (custody rule 26). The row stands in the commit's transaction.
async fn check_key(tx: &mut Tx, wanted: &Commit, key: String) -> Result<(), ApiError> {
    let key = IdempotencyKey {
        environment: wanted.caller.environment.id.clone(),
        subject: wanted.caller.token,
        route: format!("commit/{}/{}", wanted.row.wallet, wanted.attempt),
        key,
    };
    let mut body = vec![u8::from(wanted.unproven)];
    body.extend(wanted.escrow.iter().flatten());
    let body_hash: [u8; 32] = Sha256::digest(body).into();
    match idempotency::find(tx.conn(), &key).await? {
        Some(row) if row.body_hash != body_hash => {
            let message = "the idempotency key was used for another request";
            Err(ApiError::new(ErrorCode::IdempotencyMismatch, message))
        }
        Some(_) => Ok(()),
        None => {
            let outcome = Some("committed".to_owned());
            let row = IdempotencyRow {
                body_hash,
                attempt: wanted.attempt,
                outcome,
            };
            Ok(idempotency::put(tx, &key, &row).await?)
        }
    }
}
