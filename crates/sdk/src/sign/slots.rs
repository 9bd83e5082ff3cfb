//! At most 16 ECDSA ceremonies of one wallet at once in this process: each one that a cheater
//! spoils can leak about one bit before the first lock lands (custody rule 13).

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use halfkey_core::{EnvironmentId, WalletId};
use halfkey_mpc::ShareHeader;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

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
        Err(_) => Err(Error::TooManySignatures),
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

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use halfkey_core::{KeyType, PartyIndex, ThresholdSignatureScheme};
    use halfkey_mpc::test_shares;

    use super::*;
    use crate::{Timeouts, WalletClientOpts};

    #[tokio::test]
    async fn the_seventeenth_ceremony_of_a_wallet_is_refused_by_name_and_others_are_not() {
        let opts = WalletClientOpts::new(test_shares::ENVIRONMENT)
            .base_api_url("http://127.0.0.1:9")
            .timeouts(Timeouts {
                total: Duration::ZERO,
                ..Timeouts::default()
            });
        let client = WalletClient::new(opts).unwrap();
        let (kind, scheme) = (KeyType::EcdsaSecp256k1, ThresholdSignatureScheme::TwoOfTwo);
        let share = test_shares::load(kind, scheme, PartyIndex::CUSTOMER_1).unwrap();
        let mut held = Vec::new();
        for _ in 0..OPEN_AT_ONCE {
            held.push(acquire(&client, share.header()).await.unwrap());
        }
        let error = acquire(&client, share.header()).await.unwrap_err();
        assert_eq!(error.code(), "too_many_signatures");
        assert!(error.is_retryable());
        let mut other = share.header().clone();
        other.wallet = WalletId::from_bytes([9; 16]);
        assert!(acquire(&client, &other).await.unwrap().is_some());
        drop(held.pop());
        assert!(acquire(&client, share.header()).await.unwrap().is_some());
    }
}
