//! What the database did not take just then: locks and suspicions. They hold in this process, stand
//! in files for the next one, and are written as soon as the store answers (custody rules 13, 14).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use halfkey_core::{DelegationId, EnvironmentId, Generation, WalletId};

use crate::Error;
use crate::boot_settle::{self, UnwrittenLock};
use crate::db::slots::SlotKey;
use crate::provider_dir::ProviderDir;

/// A generation of a wallet.
pub(crate) type Subject = (EnvironmentId, WalletId, Generation);

/// Locks and suspicions that are not in the database.
#[derive(Debug)]
pub(crate) struct Pending {
    dir: ProviderDir,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    locks: HashMap<Subject, (String, Option<DelegationId>)>,
    /// Slots that ended as `suspect`.
    suspicions: Vec<SlotKey>,
}

impl Pending {
    pub(crate) fn new(dir: ProviderDir) -> Self {
        Self {
            dir,
            inner: Mutex::default(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lock, and the delegate at fault where it is one.
    pub(crate) fn add_lock(
        &self,
        subject: Subject,
        reason: String,
        delegation: Option<DelegationId>,
    ) {
        self.inner().locks.insert(subject, (reason, delegation));
    }

    pub(crate) fn remove_lock(&self, subject: &Subject) {
        self.inner().locks.remove(subject);
    }

    pub(crate) fn locks(&self) -> Vec<UnwrittenLock> {
        let inner = self.inner();
        let all = inner.locks.iter().map(
            |((environment, wallet, generation), (reason, delegation))| UnwrittenLock {
                environment: environment.clone(),
                wallet: *wallet,
                generation: *generation,
                reason: reason.clone(),
                delegation: *delegation,
            },
        );
        all.collect()
    }

    /// Whether this generation is locked although the database does not say so yet.
    pub(crate) fn holds(&self, environment: &EnvironmentId, of: (WalletId, Generation)) -> bool {
        let subject = (environment.clone(), of.0, of.1);
        self.inner().locks.contains_key(&subject)
    }

    pub(crate) fn add_suspicion(&self, slot: SlotKey) {
        self.inner().suspicions.push(slot);
    }

    pub(crate) fn remove_suspicions(&self, written: &[SlotKey]) {
        self.inner()
            .suspicions
            .retain(|slot| !written.contains(slot));
    }

    /// Every suspicion, of whichever wallet.
    pub(crate) fn suspicions(&self) -> Vec<SlotKey> {
        self.inner().suspicions.clone()
    }

    /// The suspicions against this generation.
    pub(crate) fn suspicions_of(
        &self,
        environment: &EnvironmentId,
        of: (WalletId, Generation),
    ) -> Vec<SlotKey> {
        let mut slots = self.suspicions();
        slots.retain(|slot| {
            slot.environment == *environment && (slot.wallet, slot.generation) == of
        });
        slots
    }

    /// Keeps in the files what the database did not take.
    pub(crate) fn keep(&self) {
        let report = |kept: Result<(), Error>| {
            if let Err(error) = kept {
                tracing::error!(%error, "what was not written cannot be kept in a file either");
            }
        };
        report(boot_settle::keep_locks(&self.dir, &self.locks()));
        report(boot_settle::keep_suspicions(&self.dir, &self.suspicions()));
    }
}
