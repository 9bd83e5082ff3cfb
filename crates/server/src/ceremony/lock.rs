//! Locks after proven cheating (custody rule 13): durable before anything is answered, and every
//! concurrent session of the wallet ends.

use crate::db::sql;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use halfkey_core::crash_point;
use halfkey_core::wire::ErrorCode;

use super::running::dispose_all;
use super::table::Cell;
use crate::api_error::ApiError;
use crate::app::App;
use crate::boot_settle::UnwrittenLock;
use crate::db::locks::{self, LockKind};
use crate::db::slots::{self, SlotKey, SlotOutcome};
use crate::db::{Entry, Tx, delegations};
use crate::delegation::{self, Revocation};

/// The peer cheated, with proof: locks the generation durably and ends every other session of the
/// wallet. Returns what to answer.
pub(crate) async fn after_cheating(
    app: &Arc<App>,
    cell: Option<&Cell>,
    slot: &SlotKey,
    what: &str,
) -> ApiError {
    let subject = (slot.environment.clone(), slot.wallet, slot.generation);
    let reason = format!("cheating was proven: {what}");
    // In this process the lock holds from here on, whatever the store does.
    app.pending
        .add_lock(subject.clone(), reason.clone(), slot.delegation);
    let written = write_lock(app, slot, Some(SlotOutcome::Failed), &reason).await;
    let others = app.table.kill_wallet(&slot.environment, slot.wallet, cell);
    dispose_all(app, others, SlotOutcome::Refused).await;
    match written {
        Ok(()) => {
            app.pending.remove_lock(&subject);
            let payload = serde_json::json!({
                "walletId": slot.wallet, "generation": slot.generation,
            });
            let message = "the message proves cheating: the wallet is locked";
            ApiError::new(ErrorCode::PeerMisbehaved, message).with_payload(payload)
        }
        // Nothing is told about the check until the lock is in the database.
        Err(error) => {
            app.pending.keep();
            ApiError::unavailable(error)
        }
    }
}

/// Writes the locks that a failing store kept from being written.
pub(crate) async fn write_pending(app: &App) {
    let pending = app.pending.locks();
    if pending.is_empty() {
        return;
    }
    for lock in pending {
        let UnwrittenLock {
            environment,
            wallet,
            generation,
            reason,
            delegation,
        } = lock;
        let ceremony = halfkey_core::CeremonyId::from_bytes([0; 16]);
        let slot = SlotKey {
            environment,
            wallet,
            generation,
            ceremony,
            delegation,
        };
        match write_lock(app, &slot, None, &reason).await {
            Ok(()) => app
                .pending
                .remove_lock(&(slot.environment, wallet, generation)),
            Err(error) => tracing::error!(%wallet, %error, "a lock cannot be written"),
        }
    }
    app.pending.keep();
}

async fn write_lock(
    app: &App,
    slot: &SlotKey,
    outcome: Option<SlotOutcome>,
    reason: &str,
) -> Result<(), sql::Error> {
    let mut tx = app.db.begin().await?;
    if let Some(outcome) = outcome {
        slots::close(&mut tx, slot, outcome).await?;
    }
    insert(&mut tx, slot, reason).await?;
    crash_point("lock.before-commit");
    tx.commit().await?;
    crash_point("lock.after-commit");
    app.advance_anchor().await;
    if let Some(outcome) = outcome {
        app.metrics.slot(outcome.as_str());
    }
    app.metrics.wallets_locked.fetch_add(1, Ordering::Relaxed);
    tracing::warn!(wallet = %slot.wallet, generation = %slot.generation, reason, "wallet locked");
    Ok(())
}

/// Adds the lock and its activity entry; `false` when the generation was locked before. A delegate
/// who is at fault is named and revoked (custody rule 16).
pub(crate) async fn insert(tx: &mut Tx, slot: &SlotKey, reason: &str) -> Result<bool, sql::Error> {
    let subject = (slot.wallet, slot.generation);
    let environment = &slot.environment;
    let mut at_fault = slots::delegations_at_fault(tx.conn(), environment, subject).await?;
    // One whose slot the store did not take stands in the file only.
    if let Some(id) = slot.delegation.filter(|id| !at_fault.contains(id)) {
        at_fault.push(id);
    }
    let mut reason = reason.to_owned();
    for id in &at_fault {
        for part in [" (by delegation ", &id.to_string(), ")"] {
            reason.push_str(part);
        }
    }
    let added = locks::insert(tx, environment, subject, LockKind::Locked, &reason).await?;
    if added {
        let detail = serde_json::json!({ "generation": slot.generation, "reason": reason });
        let entry = Entry::new(environment, "wallet.locked", "provider");
        tx.record(&entry.wallet(slot.wallet).detail(detail)).await?;
    }
    for id in at_fault {
        if let Some(row) = delegations::by_id(tx.conn(), environment, id).await? {
            let why = Revocation {
                actor: "provider",
                request: None,
                because: "it locked the wallet",
            };
            delegation::revoke(tx, &row, why).await?;
        }
    }
    Ok(added)
}
