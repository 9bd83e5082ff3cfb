//! Generations that must not be used again in this process (custody rule 13).

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use halfkey_core::{EnvironmentId, Generation, WalletId};
use halfkey_mpc::ShareHeader;

use crate::{Error, LockToken, Result};

type Key = (EnvironmentId, WalletId, Generation);

/// Process-wide on purpose: two clients of one process share the OT state of a wallet.
static LOCKED: LazyLock<Mutex<HashSet<Key>>> = LazyLock::new(Mutex::default);

pub(crate) fn lock(token: &LockToken) {
    let key = (token.environment.clone(), token.wallet, token.generation);
    LOCKED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(key);
}

pub(crate) fn is_locked(
    environment: &EnvironmentId,
    wallet: WalletId,
    generation: Generation,
) -> bool {
    LOCKED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .contains(&(environment.clone(), wallet, generation))
}

pub(crate) fn check(header: &ShareHeader) -> Result<()> {
    if is_locked(&header.environment, header.wallet, header.generation) {
        return Err(Error::WalletLocked {
            generation: header.generation,
        });
    }
    Ok(())
}
