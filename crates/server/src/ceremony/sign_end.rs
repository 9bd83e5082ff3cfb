//! What is written when a signature ends, in one transaction and before the last reply.

use halfkey_core::crash_point;
use halfkey_core::proof_message::ProofOperation;
use halfkey_core::wire::{ActivityRef, ErrorCode, ProofState};

use super::sign::{Goal, SignContext};
use crate::api_error::ApiError;
use crate::app::App;
use crate::db::slots::{self, SlotOutcome};
use crate::db::{Entry, Tx, locks, proofs, wallets};

/// The signature is made: accounts for it. `verified` says that this process saw the complete
/// signature and that it verifies. Fails when the generation was locked in the meantime, and then
/// nothing may leave.
pub(crate) async fn signed(
    app: &App,
    context: &SignContext,
    verified: bool,
) -> Result<ActivityRef, ApiError> {
    let environment = &context.caller.environment.id;
    let subject = (context.wallet.wallet, context.wallet.generation);
    let mut tx = app.db.begin().await?;
    let locked = app.pending_locks.holds(environment, subject)
        || (context.uses_slot() && locks::exists(tx.conn(), environment, subject).await?);
    if locked {
        drop(tx);
        close_slot(app, context, SlotOutcome::Refused).await;
        return Err(ApiError::new(
            ErrorCode::WalletLocked,
            "the wallet is locked",
        ));
    }
    if context.uses_slot()
        && !slots::close(&mut tx, &context.slot_key(), SlotOutcome::Signed).await?
    {
        return Err(ApiError::internal("a signature without an open slot"));
    }
    let activity = match &context.goal {
        Goal::Message { operation, summary } => {
            let detail = serde_json::json!({
                "operation": operation.as_str(),
                "party": context.party,
                "summary": summary,
            });
            if verified {
                prove_wallet(&mut tx, context).await?;
            }
            tx.record(&entry(context, "signed", &context.caller.actor()).detail(detail))
                .await?
        }
        Goal::Proof { operation, .. } => record_proof(&mut tx, context, *operation).await?,
    };
    crash_point("signed.before-commit");
    tx.commit().await?;
    crash_point("signed.after-commit");
    if context.uses_slot() {
        app.metrics.slot(SlotOutcome::Signed.as_str());
    }
    app.metrics.signature(context.goal.operation().as_str());
    Ok(activity)
}

async fn record_proof(
    tx: &mut Tx,
    context: &SignContext,
    operation: ProofOperation,
) -> Result<ActivityRef, sqlx::Error> {
    let environment = &context.caller.environment.id;
    let of = (context.wallet.wallet, context.wallet.attempt);
    proofs::insert(tx, environment, of, context.party, operation).await?;
    if operation == ProofOperation::Prove {
        prove_wallet(tx, context).await?;
    }
    let detail = serde_json::json!({ "operation": operation.as_str(), "party": context.party });
    tx.record(&entry(context, "attempt.proven", &context.caller.actor()).detail(detail))
        .await
}

/// The shares of an active wallet were presented again in a later call (custody rule 8).
async fn prove_wallet(tx: &mut Tx, context: &SignContext) -> Result<(), sqlx::Error> {
    if context.wallet.proof == ProofState::Proven {
        return Ok(());
    }
    let environment = &context.caller.environment.id;
    if wallets::mark_proven(tx, environment, context.wallet.wallet).await? {
        tx.record(&entry(context, "wallet.proven", &context.caller.actor()))
            .await?;
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
/// open and counts as lost when this process ends, which is the safe side.
pub(crate) async fn close_slot(app: &App, context: &SignContext, outcome: SlotOutcome) {
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
