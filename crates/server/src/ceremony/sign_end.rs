//! What is written when a signature ends, in one transaction and before the last reply.

use crate::db::sql;
use halfkey_core::proof_message::ProofOperation;
use halfkey_core::wire::{ActivityRef, ErrorCode, ProofState};
use halfkey_core::{AttemptId, PartyIndex, crash_point};

use super::sign::{Goal, SignContext};
use crate::api_error::ApiError;
use crate::app::App;
use crate::auth::delegate::revoked;
use crate::db::slots::{self, SlotOutcome};
use crate::db::{Entry, Tx, delegations, locks, proofs, wallets};
use crate::freeze;

/// What this process saw of the complete signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Nothing: only the customer has it.
    Nothing,
    /// It was made here, and verifies.
    Made,
    /// The customer sent it, and it verifies; its SHA-256.
    Sent([u8; 32]),
}

/// The signature is made: accounts for it. Fails when the generation was locked in the meantime,
/// and then nothing may leave.
pub(crate) async fn signed(
    app: &App,
    context: &SignContext,
    seen: Seen,
) -> Result<ActivityRef, ApiError> {
    let subject = (context.wallet.wallet, context.wallet.generation);
    if app.pending.holds(&context.caller.environment.id, subject) {
        return Err(locked(app, context).await);
    }
    // A freeze that came while the engine ran: nothing leaves under it.
    if !may_finish_frozen(context)
        && let Err(error) = freeze::check(app, &context.caller, Some(&subject.0)).await
    {
        close_slot(app, context, SlotOutcome::Refused).await;
        return Err(error);
    }
    if !is_allowed(app, context).await? {
        close_slot(app, context, SlotOutcome::Refused).await;
        return Err(revoked());
    }
    let activity = match (context.announced(), &context.opened) {
        // Its entry was written with the opening of the share.
        (Some(_), Some(activity)) => activity.clone(),
        _ => match account(app, context, seen).await? {
            Some(activity) => activity,
            None => return Err(locked(app, context).await),
        },
    };
    if context.uses_slot() {
        app.metrics.slot(SlotOutcome::Signed.as_str());
    }
    app.metrics.signature(context.goal.operation().as_str());
    Ok(activity)
}

/// The proofs of a refresh go on under a freeze for whoever could end it.
const fn may_finish_frozen(context: &SignContext) -> bool {
    use ProofOperation::{Change, Refresh};
    let is_refresh = matches!(
        context.goal,
        Goal::Proof {
            operation: Refresh | Change,
            ..
        }
    );
    is_refresh && context.caller.thaws
}

/// Whether a delegate may have the signature still: a revocation that was answered while it was
/// made is never followed by it. Anybody else may.
async fn is_allowed(app: &App, context: &SignContext) -> Result<bool, ApiError> {
    let Some(delegate) = &context.caller.delegate else {
        return Ok(true);
    };
    let environment = &context.caller.environment.id;
    let mut conn = app.db.read().acquire().await?;
    Ok(delegations::is_live(&mut conn, environment, delegate.id, app.now()).await?)
}

async fn locked(app: &App, context: &SignContext) -> ApiError {
    close_slot(app, context, SlotOutcome::Refused).await;
    ApiError::new(ErrorCode::WalletLocked, "the wallet is locked")
}

/// Closes the slot and writes the entry; `None` when the generation was locked in the meantime.
async fn account(
    app: &App,
    context: &SignContext,
    seen: Seen,
) -> Result<Option<ActivityRef>, ApiError> {
    let environment = &context.caller.environment.id;
    let subject = (context.wallet.wallet, context.wallet.generation);
    let mut tx = app.db.begin().await?;
    // A lock that came up while this waited for its turn.
    if app.pending.holds(environment, subject) {
        return Ok(None);
    }
    if context.uses_slot() && !slots::close_signed(&mut tx, &context.slot_key()).await? {
        if locks::exists(tx.conn(), environment, subject).await? {
            return Ok(None);
        }
        return Err(ApiError::internal("a signature without an open slot"));
    }
    let activity = match &context.goal {
        Goal::Message { .. } => {
            if seen != Seen::Nothing {
                prove_wallet(&mut tx, context).await?;
            }
            let detail = context.goal.detail(context.party).unwrap_or_default();
            tx.record(&entry(context, "signed", &context.caller.actor()).detail(detail))
                .await?
        }
        Goal::Proof {
            operation, attempt, ..
        } => record_proof(&mut tx, context, (*operation, *attempt), seen).await?,
    };
    crash_point("signed.before-commit");
    tx.commit().await?;
    crash_point("signed.after-commit");
    Ok(Some(activity))
}

async fn record_proof(
    tx: &mut Tx,
    context: &SignContext,
    (operation, attempt): (ProofOperation, AttemptId),
    seen: Seen,
) -> Result<ActivityRef, ApiError> {
    let environment = &context.caller.environment.id;
    let of = (context.wallet.wallet, attempt);
    let mut hash = None;
    if let Seen::Sent(signature) = seen {
        // Each proof is a signature of its own: one pair's is no proof of another.
        if proofs::is_used(tx.conn(), environment, of, &signature).await? {
            let message = "that signature has proven something already";
            return Err(ApiError::new(ErrorCode::CeremonyRefused, message));
        }
        hash = Some(signature);
    }
    proofs::insert(tx, environment, of, context.party, operation, hash).await?;
    if operation == ProofOperation::Prove {
        prove_wallet(tx, context).await?;
    }
    let detail = serde_json::json!({ "operation": operation.as_str(), "party": context.party });
    let actor = context.caller.actor();
    let entry = entry(context, "attempt.proven", &actor)
        .attempt(attempt)
        .detail(detail);
    Ok(tx.record(&entry).await?)
}

/// This party's share of an active wallet was presented again in a later call. Once that holds for
/// every customer party the wallet is proven (custody rules 3 and 8).
async fn prove_wallet(tx: &mut Tx, context: &SignContext) -> Result<(), sql::Error> {
    let SignContext { wallet, party, .. } = context;
    if wallet.proof == ProofState::Proven {
        return Ok(());
    }
    let environment = &context.caller.environment.id;
    let of = (wallet.wallet, wallet.attempt);
    proofs::insert(tx, environment, of, *party, ProofOperation::Prove, None).await?;
    for customer in PartyIndex::customers(wallet.scheme) {
        let mut seen = false;
        for operation in [ProofOperation::Create, ProofOperation::Prove] {
            seen |= proofs::has(tx.conn(), environment, of, *customer, operation).await?;
        }
        if !seen {
            return Ok(());
        }
    }
    if wallets::mark_proven(tx, environment, wallet.wallet).await? {
        let actor = context.caller.actor();
        tx.record(&entry(context, "wallet.proven", &actor)).await?;
    }
    Ok(())
}

fn entry<'a>(context: &'a SignContext, kind: &'a str, actor: &'a str) -> Entry<'a> {
    Entry::new(&context.caller.environment.id, kind, actor)
        .wallet(context.wallet.wallet)
        .attempt(context.wallet.attempt)
        .request(context.caller.request)
}

/// Ends the slot, if there is one, without a signature. If the store fails just now the slot stays
/// open and counts as lost when this process ends, which is the safe side. A one-round signature
/// that was announced is taken back in the log; if that fails the log has one too many.
pub(crate) async fn close_slot(app: &App, context: &SignContext, outcome: SlotOutcome) {
    if context.announced().is_some() {
        let actor = context.caller.actor();
        let refused = entry(context, "signed.refused", &actor);
        if let Err(error) = app.db.record(&refused).await {
            tracing::error!(wallet = %context.wallet.wallet, %error, "refusal is not in the log");
        }
        return;
    }
    if !context.uses_slot() {
        return;
    }
    let closed = async {
        let mut tx = app.db.begin().await?;
        slots::close(&mut tx, &context.slot_key(), outcome).await?;
        tx.commit().await
    };
    match closed.await {
        Ok(()) => app.metrics.slot(outcome.as_str()),
        Err(error) => tracing::error!(wallet = %context.wallet.wallet, %error, "slot stays open"),
    }
}
