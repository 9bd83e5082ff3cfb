use halfkey_core::{CeremonyId, PartyIndex};
use halfkey_mpc::ShareHeader;

use super::locks;
use crate::{Error, LockToken, WalletClient};

/// Turns a ceremony's proof that the provider cheated into a lock that holds in this process at
/// once (custody rule 13). Other errors pass unchanged.
pub(crate) fn found(
    client: &WalletClient,
    header: &ShareHeader,
    ceremony: CeremonyId,
    error: Error,
) -> Error {
    let Error::Ceremony(halfkey_mpc::Error::PeerMisbehaved { culprit, check }) = error else {
        return error;
    };
    if culprit != PartyIndex::PROVIDER {
        return Error::Bug("the customer's own party failed a check");
    }
    lock(client, header, ceremony, check)
}

/// Locks the generation in this process, and says so.
pub(crate) fn lock(
    client: &WalletClient,
    header: &ShareHeader,
    ceremony: CeremonyId,
    check: &str,
) -> Error {
    let lock = LockToken {
        environment: header.environment.clone(),
        wallet: header.wallet,
        generation: header.generation,
        attempt: header.attempt,
        ceremony,
        check: check.to_owned(),
        at: client.clock().now(),
    };
    locks::lock(&lock);
    let (wallet, generation) = (lock.wallet, lock.generation);
    tracing::error!(%wallet, %generation, check, "the provider cheated");
    Error::PeerMisbehaved {
        lock: Box::new(lock),
    }
}
