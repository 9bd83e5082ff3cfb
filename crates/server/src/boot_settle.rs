//! What a new boot settles for those before it: slots nobody will close, locks that could not be
//! written.

use std::io::ErrorKind;

use halfkey_core::{EnvironmentId, Generation, WalletId};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::db::locks::{self, LockKind};
use crate::db::{Entry, Tx, slots};
use crate::provider_dir::{ProviderDir, read_if_there, write_durably};

/// Lost slots of one generation before it needs a complete refresh, and before a warning.
const LOST_LIMIT: u64 = 16;
const LOST_WARNING: u64 = 8;

/// A lock that the database did not take, kept in a file until it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UnwrittenLock {
    pub(crate) environment: EnvironmentId,
    pub(crate) wallet: WalletId,
    pub(crate) generation: Generation,
    pub(crate) reason: String,
}

/// Replaces the file; without locks there is none.
pub(crate) fn keep_unwritten(dir: &ProviderDir, locks: &[UnwrittenLock]) -> Result<(), Error> {
    if locks.is_empty() {
        return settled(dir);
    }
    let bytes = serde_json::to_vec(locks).map_err(|_| Error::Bug("locks are JSON"))?;
    write_durably(&dir.unwritten_locks(), &bytes)
}

/// The locks in the file stand in the database now.
pub(crate) fn settled(dir: &ProviderDir) -> Result<(), Error> {
    match std::fs::remove_file(dir.unwritten_locks()) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error::io("remove the file of unwritten locks")(error))
        }
        _ => Ok(()),
    }
}

/// Settles everything, in the transaction of the boot.
pub(crate) async fn settle(tx: &mut Tx, dir: &ProviderDir, boot: &[u8; 16]) -> Result<(), Error> {
    write_kept_locks(tx, dir).await?;
    Ok(settle_slots(tx, boot).await?)
}

async fn write_kept_locks(tx: &mut Tx, dir: &ProviderDir) -> Result<(), Error> {
    let path = dir.unwritten_locks();
    let Some(bytes) = read_if_there(&path)? else {
        return Ok(());
    };
    let kept: Vec<UnwrittenLock> = serde_json::from_slice(&bytes).map_err(|_| {
        let why = "it is not a list of locks".to_owned();
        Error::SealedFile { path, why }
    })?;
    for lock in kept {
        let subject = (lock.wallet, lock.generation);
        let kind = LockKind::Locked;
        if locks::insert(tx, &lock.environment, subject, kind, &lock.reason).await? {
            let detail = serde_json::json!({
                "generation": lock.generation, "reason": lock.reason,
            });
            let entry = Entry::new(&lock.environment, "wallet.locked", "provider");
            tx.record(&entry.wallet(lock.wallet).detail(detail)).await?;
        }
    }
    Ok(())
}

/// Slots of dead boots are lost; too many lost ones end a generation (custody rule 14).
async fn settle_slots(tx: &mut Tx, boot: &[u8; 16]) -> Result<(), sqlx::Error> {
    if slots::settle_lost(tx, boot).await? == 0 {
        return Ok(());
    }
    for (environment, wallet, generation, lost) in
        slots::lost_at_least(tx.conn(), LOST_WARNING).await?
    {
        tracing::warn!(%environment, %wallet, %generation, lost, "slots lost by crashes");
        if lost < LOST_LIMIT {
            continue;
        }
        let reason = format!("{lost} signing ceremonies were lost to crashes");
        let kind = LockKind::NeedsCompleteRefresh;
        if locks::insert(tx, &environment, (wallet, generation), kind, &reason).await? {
            let detail = serde_json::json!({ "generation": generation, "lost": lost });
            let entry = Entry::new(&environment, "wallet.needs_complete_refresh", "provider");
            tx.record(&entry.wallet(wallet).detail(detail)).await?;
        }
    }
    Ok(())
}
