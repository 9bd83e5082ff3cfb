//! Signatures that did not verify with nobody provably at fault: three under one generation end it
//! (custody rule 14).

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use halfkey_core::{CeremonyId, EnvironmentId, Generation, WalletId};
use halfkey_mpc::ShareHeader;

use super::misbehaviour;
use crate::{Error, WalletClient};

/// From here on it is a cheat.
pub(crate) const LIMIT: u32 = 3;

pub(crate) const CHECK: &str = "three signatures that do not verify";

type Key = (EnvironmentId, WalletId, Generation);

/// Process-wide, as the locks are.
static COUNTS: LazyLock<Mutex<HashMap<Key, u32>>> = LazyLock::new(Mutex::default);

/// Whether `error` is one to count. Only OT state can leak by it.
pub(crate) const fn is_suspect(error: &Error) -> bool {
    matches!(
        error,
        Error::BadSignature | Error::Ceremony(halfkey_mpc::Error::Suspect)
    )
}

/// Counts a suspect; the third locks the generation in this process. Others pass unchanged.
pub(crate) fn count(
    client: &WalletClient,
    header: &ShareHeader,
    ceremony: CeremonyId,
    error: Error,
) -> Error {
    if !header.key_type.uses_ot() || !is_suspect(&error) {
        return error;
    }
    let key = (header.environment.clone(), header.wallet, header.generation);
    let count = {
        let mut counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key).or_default();
        *count = count.saturating_add(1);
        *count
    };
    if count < LIMIT {
        return error;
    }
    misbehaviour::lock(client, header, ceremony, CHECK)
}
