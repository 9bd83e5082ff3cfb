//! What a `v3` blob is bound to.

use halfkey_core::{AttemptId, EnvironmentId, Generation, KeyShareId, PartyIndex, WalletId};
use halfkey_mpc::{KeyShare, ShareHeader};
use serde::{Deserialize, Serialize};

use super::kdf::Costs;
use crate::{Error, Result};

/// In front of everything that is authenticated but not encrypted.
const DOMAIN: &[u8] = b"halfkey-backup-v3";

/// The share that a blob holds, in clear, so that a foreign one is told before its password is
/// tried. Authenticated with the rest: nobody can relabel a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bound {
    pub(crate) environment: EnvironmentId,
    pub(crate) wallet: WalletId,
    pub(crate) key_share: KeyShareId,
    pub(crate) party: PartyIndex,
    pub(crate) generation: Generation,
    pub(crate) attempt: AttemptId,
}

impl Bound {
    pub(crate) fn of(share: &KeyShare) -> Self {
        Self::of_header(share.header())
    }

    fn of_header(header: &ShareHeader) -> Self {
        Self {
            environment: header.environment.clone(),
            wallet: header.wallet,
            key_share: header.key_share,
            party: header.party,
            generation: header.generation,
            attempt: header.attempt,
        }
    }

    /// The associated data: each field behind its length, as four bytes, big-endian.
    pub(super) fn associated_data(&self, costs: Costs, commitment: &[u8; 32]) -> Vec<u8> {
        let generation = self.generation.0.to_be_bytes();
        let fields: [&[u8]; 11] = [
            DOMAIN,
            self.environment.as_str().as_bytes(),
            self.wallet.as_bytes(),
            self.key_share.as_bytes(),
            &[self.party.as_u8()],
            &generation,
            self.attempt.as_bytes(),
            &costs.memory_kib.to_be_bytes(),
            &costs.passes.to_be_bytes(),
            &costs.lanes.to_be_bytes(),
            commitment,
        ];
        let mut data = Vec::new();
        for field in fields {
            let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
            data.extend_from_slice(&length.to_be_bytes());
            data.extend_from_slice(field);
        }
        data
    }
}

/// Whose backup is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) environment: EnvironmentId,
    pub(crate) wallet: WalletId,
    pub(crate) generation: Generation,
    pub(crate) attempt: AttemptId,
    /// The customer's.
    pub(crate) parties: Vec<PartyIndex>,
}

impl Wanted {
    /// # Errors
    /// Which of them is another's: a blob of another environment, wallet, generation or party.
    pub(crate) fn check(&self, bound: &Bound) -> Result<()> {
        if bound.environment != self.environment {
            return Err(Error::ShareOfAnotherEnvironment);
        }
        if bound.wallet != self.wallet {
            return Err(Error::ShareOfAnotherWallet);
        }
        if !self.parties.contains(&bound.party) {
            return Err(Error::ShareOfAnotherParty);
        }
        if (bound.generation, bound.attempt) != (self.generation, self.attempt) {
            return Err(Error::ShareOfAnotherGeneration {
                share: bound.generation,
            });
        }
        Ok(())
    }
}
