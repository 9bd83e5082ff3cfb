//! At most 16 ECDSA ceremonies of one wallet at once in this process: each one that a cheater
//! spoils can leak about one bit before the first lock lands (custody rule 13).

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use halfkey_core::{EnvironmentId, WalletId};
use halfkey_mpc::ShareHeader;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::error::{NetworkError, NetworkKind};
use crate::{Error, Result, WalletClient};

const OPEN_AT_ONCE: usize = 16;

type Slots = HashMap<(EnvironmentId, WalletId), Weak<Semaphore>>;

static SLOTS: LazyLock<Mutex<Slots>> = LazyLock::new(Mutex::default);

/// Waits for a slot until the call's total deadline. Ed25519 keeps no state and needs none.
pub(crate) async fn acquire(
    client: &WalletClient,
    header: &ShareHeader,
) -> Result<Option<OwnedSemaphorePermit>> {
    if !header.key_type.uses_ot() {
        return Ok(None);
    }
    let slots = slots_of(header);
    match timeout(client.transport().total_timeout(), slots.acquire_owned()).await {
        Ok(Ok(permit)) => Ok(Some(permit)),
        Ok(Err(_)) => Err(Error::Bug("the slots of a wallet were closed")),
        Err(_) => Err(Error::Network(Box::new(NetworkError {
            // Nothing was sent, so nothing can have been signed.
            kind: NetworkKind::Connect,
            message: "too many signatures of this wallet at once".to_owned(),
            request_id: String::new(),
        }))),
    }
}

fn slots_of(header: &ShareHeader) -> Arc<Semaphore> {
    let mut all = SLOTS.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (header.environment.clone(), header.wallet);
    if let Some(slots) = all.get(&key).and_then(Weak::upgrade) {
        return slots;
    }
    // Wallets that are not signing right now hold nothing here.
    all.retain(|_, slots| slots.strong_count() > 0);
    let slots = Arc::new(Semaphore::new(OPEN_AT_ONCE));
    all.insert(key, Arc::downgrade(&slots));
    slots
}
