//! At most so many OT ceremonies of one wallet at a time; more wait a while (custody rule 14).
//!
//! The slot table is what counts across nodes; these permits keep a node from asking in vain.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use halfkey_core::WalletId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The permits of every wallet that has ceremonies.
#[derive(Debug)]
pub(crate) struct WalletPermits {
    per_wallet: usize,
    wait: Duration,
    wallets: Mutex<HashMap<WalletId, Weak<Semaphore>>>,
}

/// One permit; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct WalletPermit {
    _permit: OwnedSemaphorePermit,
}

impl WalletPermits {
    pub(crate) fn new(per_wallet: u64, wait: Duration) -> Self {
        let per_wallet = usize::try_from(per_wallet).unwrap_or(usize::MAX);
        let per_wallet = per_wallet.min(Semaphore::MAX_PERMITS);
        Self {
            per_wallet,
            wait,
            wallets: Mutex::default(),
        }
    }

    /// A permit of this wallet, or `None` when none came free in time.
    pub(crate) async fn acquire(&self, wallet: WalletId) -> Option<WalletPermit> {
        let semaphore = self.semaphore(wallet);
        let permit = tokio::time::timeout(self.wait, semaphore.acquire_owned()).await;
        permit
            .ok()?
            .ok()
            .map(|permit| WalletPermit { _permit: permit })
    }

    fn semaphore(&self, wallet: WalletId) -> Arc<Semaphore> {
        let mut wallets = self.wallets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(semaphore) = wallets.get(&wallet).and_then(Weak::upgrade) {
            return semaphore;
        }
        // A permit keeps its semaphore alive, so only wallets without ceremonies are forgotten.
        wallets.retain(|_, semaphore| semaphore.strong_count() > 0);
        let semaphore = Arc::new(Semaphore::new(self.per_wallet));
        wallets.insert(wallet, Arc::downgrade(&semaphore));
        semaphore
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn acquire_counts_per_wallet_and_takes_permits_back() {
        let permits = WalletPermits::new(2, Duration::ZERO);
        let (a, b) = (WalletId::from_bytes([1; 16]), WalletId::from_bytes([2; 16]));
        let first = permits.acquire(a).await;
        let second = permits.acquire(a).await;
        assert!(first.is_some() && second.is_some());
        assert!(permits.acquire(a).await.is_none());
        assert!(permits.acquire(b).await.is_some());
        drop(first);
        assert!(permits.acquire(a).await.is_some());
    }
}
