use core::fmt;

use halfkey_core::{AttemptId, ServerKeyShare, WalletProperties};
use halfkey_mpc::KeyShare;

use super::Error;
use crate::sign::share;

/// A wallet whose keygen ended well and whose activation did not. The shares in here may be the
/// only copy: store them, then [`crate::PendingWallet::from_shares`] goes on from them.
pub struct Unactivated {
    /// The customer's shares.
    pub shares: Vec<ServerKeyShare>,
    /// Identity of the wallet. Do not fund the address before the wallet is active. It is empty
    /// where the shares' public key gives none.
    pub properties: WalletProperties,
    /// The attempt to prove and commit.
    pub attempt_id: AttemptId,
    /// Why it was not activated.
    pub source: Error,
}

/// Shares fresh from keygen inside an error: whatever is wrong with them, they may be the only ones
/// of an active wallet (custody rule 8).
pub(crate) fn carry<'a>(
    shares: impl Iterator<Item = &'a KeyShare> + Clone,
    source: Error,
) -> Error {
    let Some(first) = shares.clone().next() else {
        return source;
    };
    let header = first.header();
    let properties = share::properties(first).unwrap_or_else(|_| {
        WalletProperties::new(header.chain.as_str(), header.wallet.to_string(), "")
    });
    Error::NotActivated(Box::new(Unactivated {
        shares: shares
            .filter_map(|share| share::encode(share).ok())
            .collect(),
        properties,
        attempt_id: header.attempt,
        source,
    }))
}

impl fmt::Display for Unactivated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "wallet of attempt {} was not activated and its shares are in this error: {}",
            self.attempt_id, self.source
        )
    }
}

impl fmt::Debug for Unactivated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unactivated")
            .field("shares", &self.shares.len())
            .field("attempt_id", &self.attempt_id)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Unactivated {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
