//! What a new boot settles for those before it: slots nobody will close, locks and suspicions that
//! could not be written.

use crate::db::sql;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use halfkey_core::{CeremonyId, DelegationId, EnvironmentId, Generation, WalletId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::ceremony::lock;
use crate::db::locks::{self, LockKind};
use crate::db::slots::{self, SlotKey, SlotOutcome};
use crate::db::{Entry, Tx};
use crate::provider_dir::{ProviderDir, read_if_there, write_durably};

/// Lost slots of one generation before it needs a complete refresh, and before a warning.
const LOST_LIMIT: u64 = 16;
const LOST_WARNING: u64 = 8;
/// A generation with this many ceremonies whose signature did not verify is locked.
pub(crate) const SUSPECT_LIMIT: u64 = 3;

/// A lock that the database did not take, kept in a file until it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UnwrittenLock {
    pub(crate) environment: EnvironmentId,
    pub(crate) wallet: WalletId,
    pub(crate) generation: Generation,
    pub(crate) reason: String,
    /// Who is at fault, where it is a delegate.
    #[serde(default)]
    pub(crate) delegation: Option<DelegationId>,
}

/// Replaces the file of locks; without any there is no file.
pub(crate) fn keep_locks(dir: &ProviderDir, locks: &[UnwrittenLock]) -> Result<(), Error> {
    keep(&dir.unwritten_locks(), locks)
}

/// Replaces the file of suspicions; without any there is no file.
pub(crate) fn keep_suspicions(dir: &ProviderDir, suspicions: &[SlotKey]) -> Result<(), Error> {
    keep(&dir.unwritten_suspicions(), suspicions)
}

fn keep<T: Serialize>(path: &Path, list: &[T]) -> Result<(), Error> {
    if list.is_empty() {
        return remove(path);
    }
    let bytes = serde_json::to_vec(list).map_err(|_| Error::Bug("the list is JSON"))?;
    write_durably(path, &bytes)
}

fn remove(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error::io("remove the file of what was not written")(error))
        }
        _ => Ok(()),
    }
}

/// The list in a file; empty without one.
fn kept<T: DeserializeOwned>(path: PathBuf) -> Result<Vec<T>, Error> {
    let Some(bytes) = read_if_there(&path)? else {
        return Ok(Vec::new());
    };
    serde_json::from_slice(&bytes).map_err(|_| {
        let why = "it is not a list of what was not written".to_owned();
        Error::SealedFile { path, why }
    })
}

/// What is in the files stands in the database now.
pub(crate) fn settled(dir: &ProviderDir) -> Result<(), Error> {
    remove(&dir.unwritten_locks())?;
    remove(&dir.unwritten_suspicions())
}

/// Settles everything, in the transaction of the boot.
pub(crate) async fn settle(tx: &mut Tx, dir: &ProviderDir, boot: &[u8; 16]) -> Result<(), Error> {
    write_kept_locks(tx, dir).await?;
    // Before the open slots are counted as lost: these are known to be worse.
    write_kept_suspicions(tx, dir).await?;
    Ok(settle_slots(tx, boot).await?)
}

async fn write_kept_locks(tx: &mut Tx, dir: &ProviderDir) -> Result<(), Error> {
    for kept in kept::<UnwrittenLock>(dir.unwritten_locks())? {
        let slot = SlotKey {
            environment: kept.environment,
            wallet: kept.wallet,
            generation: kept.generation,
            ceremony: CeremonyId::from_bytes([0; 16]),
            delegation: kept.delegation,
        };
        lock::insert(tx, &slot, &kept.reason).await?;
    }
    Ok(())
}

async fn write_kept_suspicions(tx: &mut Tx, dir: &ProviderDir) -> Result<(), Error> {
    for slot in kept::<SlotKey>(dir.unwritten_suspicions())? {
        slots::close(tx, &slot, SlotOutcome::Suspect).await?;
        let subject = (slot.wallet, slot.generation);
        let suspects = slots::suspects(tx.conn(), &slot.environment, subject).await?;
        if suspects >= SUSPECT_LIMIT {
            lock::insert(tx, &slot, &suspicion_reason(suspects)).await?;
        }
    }
    Ok(())
}

/// Why a generation with this many suspicions is locked.
pub(crate) fn suspicion_reason(suspects: u64) -> String {
    format!("{suspects} signatures did not verify")
}

/// Slots of dead boots are lost; too many lost ones end a generation (custody rule 14).
async fn settle_slots(tx: &mut Tx, boot: &[u8; 16]) -> Result<(), sql::Error> {
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
