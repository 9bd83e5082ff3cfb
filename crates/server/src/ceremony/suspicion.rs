//! Ceremonies that ended without a valid signature and nobody provably at fault: three of one
//! generation lock it (custody rule 14).

use crate::db::sql;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::lock;
use super::running::dispose_all;
use super::table::Cell;
use crate::api_error::ApiError;
use crate::app::App;
use crate::boot_settle::{SUSPECT_LIMIT, suspicion_reason};
use crate::db::slots::{self, SlotKey, SlotOutcome};

/// Counts this ceremony against its generation. When the store does not take it now it stays
/// pending: as an open slot it would only ever count as lost, of which there may be many more.
pub(crate) async fn after_suspicion(
    app: &Arc<App>,
    cell: Option<&Cell>,
    slot: &SlotKey,
) -> Result<(), ApiError> {
    app.pending.add_suspicion(slot.clone());
    let settled = settle(app, cell, slot).await;
    if settled.is_err() {
        app.pending.keep();
    }
    settled
}

/// Writes what is pending against the generation of `slot`, before another ceremony of it may
/// begin.
pub(crate) async fn settle(
    app: &Arc<App>,
    cell: Option<&Cell>,
    slot: &SlotKey,
) -> Result<(), ApiError> {
    let of = (slot.wallet, slot.generation);
    let pending = app.pending.suspicions_of(&slot.environment, of);
    if !pending.is_empty() && write(app, &pending).await? {
        let others = app.table.kill_wallet(&slot.environment, slot.wallet, cell);
        dispose_all(app, others, SlotOutcome::Refused).await;
    }
    Ok(())
}

/// Writes every suspicion that a failing store kept from being written.
pub(crate) async fn write_pending(app: &Arc<App>) {
    let pending = app.pending.suspicions();
    for slot in &pending {
        if let Err(error) = settle(app, None, slot).await {
            tracing::error!(wallet = %slot.wallet, ?error, "a suspicion cannot be written");
        }
    }
    if !pending.is_empty() {
        app.pending.keep();
    }
}

/// Writes suspicions against one generation. Returns whether it is locked by them now.
async fn write(app: &App, suspicions: &[SlotKey]) -> Result<bool, sql::Error> {
    let Some(slot) = suspicions.first() else {
        return Ok(false);
    };
    let mut tx = app.db.begin().await?;
    let mut closed = 0_u64;
    for suspicion in suspicions {
        if slots::close(&mut tx, suspicion, SlotOutcome::Suspect).await? {
            closed = closed.saturating_add(1);
        }
    }
    let subject = (slot.wallet, slot.generation);
    let suspects = slots::suspects(tx.conn(), &slot.environment, subject).await?;
    let mut locked = false;
    if suspects >= SUSPECT_LIMIT {
        locked = lock::insert(&mut tx, slot, &suspicion_reason(suspects)).await?;
    }
    tx.commit().await?;
    app.pending.remove_suspicions(suspicions);
    app.advance_anchor().await;
    for _ in 0..closed {
        app.metrics.slot(SlotOutcome::Suspect.as_str());
    }
    if locked {
        app.metrics.wallets_locked.fetch_add(1, Ordering::Relaxed);
    }
    Ok(suspects >= SUSPECT_LIMIT)
}
