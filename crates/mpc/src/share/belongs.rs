//! Whether a share is the one that is meant.

use halfkey_core::{ChainName, EnvironmentId, Generation, PartyIndex, WalletId};

use super::ShareHeader;
use crate::error::ShareError;

/// What a share must be for the call at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedShare {
    /// The environment.
    pub environment: EnvironmentId,
    /// The wallet.
    pub wallet: WalletId,
    /// The party; `None` where any of a side's shares will do.
    pub party: Option<PartyIndex>,
    /// The generation; `None` where the caller does not know the active one.
    pub generation: Option<Generation>,
    /// The chain.
    pub chain: ChainName,
}

impl ExpectedShare {
    pub(super) fn check(&self, header: &ShareHeader) -> Result<(), ShareError> {
        let fields = [
            ("environment", self.environment == header.environment),
            ("wallet", self.wallet == header.wallet),
            (
                "party",
                self.party.is_none_or(|party| party == header.party),
            ),
            (
                "generation",
                self.generation
                    .is_none_or(|number| number == header.generation),
            ),
            ("chain", self.chain == header.chain),
        ];
        match fields.into_iter().find(|(_, same)| !same) {
            Some((what, _)) => Err(ShareError::Mismatch { what }),
            None => Ok(()),
        }
    }
}
