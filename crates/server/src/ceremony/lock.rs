//! Locks after cheating (custody rules 13 and 14): durable before anything is answered, and every
//! concurrent session of the wallet ends.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use halfkey_core::wire::ErrorCode;
use halfkey_core::{EnvironmentId, Generation, WalletId, crash_point};

use super::running::dispose_all;
use super::table::Cell;
use crate::api_error::ApiError;
use crate::app::App;
use crate::boot_settle::{self, UnwrittenLock};
use crate::db::locks::{self, LockKind};
use crate::db::slots::{self, SlotKey, SlotOutcome};
use crate::db::{Entry, Tx};
use crate::provider_dir::ProviderDir;

/// A generation with this many ceremonies whose signature did not verify is locked.
const SUSPECT_LIMIT: u64 = 3;

type Subject = (EnvironmentId, WalletId, Generation);

/// Locks that could not be written: the store failed just then. They hold in this process, stand in
/// a file for the next one, and are written as soon as the store answers.
#[derive(Debug)]
pub(crate) struct PendingLocks {
    dir: ProviderDir,
    locks: Mutex<HashMap<Subject, String>>,
}

impl PendingLocks {
    pub(crate) fn new(dir: ProviderDir) -> Self {
        Self {
            dir,
            locks: Mutex::default(),
        }
    }

    fn locks(&self) -> MutexGuard<'_, HashMap<Subject, String>> {
        self.locks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, subject: Subject, reason: String) {
        self.locks().insert(subject, reason);
    }

    fn remove(&self, subject: &Subject) {
        self.locks().remove(subject);
    }

    fn all(&self) -> Vec<UnwrittenLock> {
        let locks = self.locks();
        let all = locks.iter().map(
            |((environment, wallet, generation), reason)| UnwrittenLock {
                environment: environment.clone(),
                wallet: *wallet,
                generation: *generation,
                reason: reason.clone(),
            },
        );
        all.collect()
    }

    /// Keeps in the file what the database did not take.
    fn keep(&self) {
        if let Err(error) = boot_settle::keep_unwritten(&self.dir, &self.all()) {
            tracing::error!(%error, "unwritten locks cannot be kept in a file either");
        }
    }

    /// Whether this generation is locked although the database does not say so yet.
    pub(crate) fn holds(&self, environment: &EnvironmentId, of: (WalletId, Generation)) -> bool {
        self.locks()
            .contains_key(&(environment.clone(), of.0, of.1))
    }
}

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
    app.pending_locks.add(subject.clone(), reason.clone());
    let written = write_lock(app, slot, Some(SlotOutcome::Failed), &reason).await;
    let others = app.table.kill_wallet(&slot.environment, slot.wallet, cell);
    dispose_all(app, others, SlotOutcome::Refused).await;
    match written {
        Ok(()) => {
            app.pending_locks.remove(&subject);
            let payload = serde_json::json!({
                "walletId": slot.wallet, "generation": slot.generation,
            });
            let message = "the message proves cheating: the wallet is locked";
            ApiError::new(ErrorCode::PeerMisbehaved, message).with_payload(payload)
        }
        // Nothing is told about the check until the lock is in the database.
        Err(error) => {
            app.pending_locks.keep();
            ApiError::unavailable(error)
        }
    }
}

/// A ceremony ended without a valid signature and nobody provably at fault. Returns whether the
/// generation is locked now.
pub(crate) async fn after_suspicion(
    app: &Arc<App>,
    cell: Option<&Cell>,
    slot: &SlotKey,
) -> Result<bool, ApiError> {
    let subject = (slot.wallet, slot.generation);
    let mut tx = app.db.begin().await?;
    slots::close(&mut tx, slot, SlotOutcome::Suspect).await?;
    let suspects = slots::suspects(tx.conn(), &slot.environment, subject).await?;
    let lock = suspects >= SUSPECT_LIMIT;
    if lock {
        let reason = format!("{suspects} signatures did not verify");
        insert(&mut tx, slot, &reason).await?;
    }
    tx.commit().await?;
    app.advance_anchor().await;
    app.metrics.slot(SlotOutcome::Suspect.as_str());
    if lock {
        app.metrics.wallets_locked.fetch_add(1, Ordering::Relaxed);
        let others = app.table.kill_wallet(&slot.environment, slot.wallet, cell);
        dispose_all(app, others, SlotOutcome::Refused).await;
    }
    Ok(lock)
}

/// Writes the locks that a failing store kept from being written.
pub(crate) async fn write_pending(app: &App) {
    let pending = app.pending_locks.all();
    if pending.is_empty() {
        return;
    }
    for lock in pending {
        let UnwrittenLock {
            environment,
            wallet,
            generation,
            reason,
        } = lock;
        let ceremony = halfkey_core::CeremonyId::from_bytes([0; 16]);
        let slot = SlotKey {
            environment,
            wallet,
            generation,
            ceremony,
        };
        match write_lock(app, &slot, None, &reason).await {
            Ok(()) => app
                .pending_locks
                .remove(&(slot.environment, wallet, generation)),
            Err(error) => tracing::error!(%wallet, %error, "a lock cannot be written"),
        }
    }
    app.pending_locks.keep();
}

async fn write_lock(
    app: &App,
    slot: &SlotKey,
    outcome: Option<SlotOutcome>,
    reason: &str,
) -> Result<(), sqlx::Error> {
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

async fn insert(tx: &mut Tx, slot: &SlotKey, reason: &str) -> Result<(), sqlx::Error> {
    let subject = (slot.wallet, slot.generation);
    if locks::insert(tx, &slot.environment, subject, LockKind::Locked, reason).await? {
        let detail = serde_json::json!({ "generation": slot.generation, "reason": reason });
        let entry = Entry::new(&slot.environment, "wallet.locked", "provider");
        tx.record(&entry.wallet(slot.wallet).detail(detail)).await?;
    }
    Ok(())
}
