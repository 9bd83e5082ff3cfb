//! Opening shares: by a real unwrap, and only what is needed.

use std::sync::Arc;

use halfkey_core::{ChainName, PartyIndex};
use halfkey_mpc::KeyShare;
use halfkey_vault::{Purpose, RecordName, Versioned};

use super::WalletStore;
use super::row::{GenerationRow, GenerationState, PartyRow, StateRow};
use crate::sign::share;
use crate::{Error, Result};

impl WalletStore {
    /// The one share that a signature by `address` needs (custody rule 2), after lock and
    /// high-water mark were checked.
    pub(super) async fn open_for_signing(
        &self,
        chain: ChainName,
        address: &str,
    ) -> Result<(Versioned<StateRow>, Arc<KeyShare>)> {
        let row = self.row(chain, address).await?;
        let state = &row.value;
        let Some(generation) = state.active() else {
            return Err(not_active(state));
        };
        if self.is_locked(state, generation).await? {
            return Err(Error::WalletLocked {
                generation: generation.generation,
            });
        }
        let wanted = self.signing_party(state);
        if !self.vault.can_open() || !self.vault_of(wanted).can_open() {
            return Err(Error::CannotOpen);
        }
        self.check_high_water(state, generation).await?;
        let party = generation.parties.iter().find(|row| row.party == wanted);
        let party = party.ok_or_else(|| Error::VaultState("the row names no share".to_owned()))?;
        let name = RecordName::active_share(&self.options.prefix, &state.address, party.party)?;
        let share = self
            .open_share(state, generation, party, &name, Purpose::Sign)
            .await?;
        share::belongs(&self.client, chain, &state.properties(), &share)?;
        Ok((row, share))
    }

    pub(super) fn signing_party(&self, row: &StateRow) -> PartyIndex {
        let wanted = self.options.signing_party;
        if PartyIndex::customers(row.scheme).contains(&wanted) {
            wanted
        } else {
            PartyIndex::CUSTOMER_1
        }
    }

    /// Every share of a generation from its staged names, in the order of their parties.
    pub(super) async fn open_all(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
        purpose: Purpose,
    ) -> Result<Vec<Arc<KeyShare>>> {
        let mut shares = Vec::new();
        for party in &generation.parties {
            let name = RecordName::new(&*party.record)?;
            shares.push(
                self.open_share(row, generation, party, &name, purpose)
                    .await?,
            );
        }
        Ok(shares)
    }

    /// One party's share of a generation from the record of its attempt.
    pub(super) async fn open_staged(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
        party: PartyIndex,
        purpose: Purpose,
    ) -> Result<Arc<KeyShare>> {
        let found = generation.parties.iter().find(|one| one.party == party);
        let party = found.ok_or_else(|| Error::VaultState("the row names no share".to_owned()))?;
        let name = RecordName::new(&*party.record)?;
        self.open_share(row, generation, party, &name, purpose)
            .await
    }

    /// One party's share of a generation from its active name.
    pub(super) async fn open_one(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
        party: PartyIndex,
        purpose: Purpose,
    ) -> Result<Arc<KeyShare>> {
        let found = generation.parties.iter().find(|one| one.party == party);
        let party = found.ok_or_else(|| Error::VaultState("the row names no share".to_owned()))?;
        let name = RecordName::active_share(&self.options.prefix, &row.address, party.party)?;
        self.open_share(row, generation, party, &name, purpose)
            .await
    }

    async fn open_share(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
        party: &PartyRow,
        name: &RecordName,
        purpose: Purpose,
    ) -> Result<Arc<KeyShare>> {
        let ctx = row.share_ctx(generation, party);
        let access = self.access(purpose);
        // A proof's shares come from a real unwrap, past every cache (custody rule 7).
        let vault = self.vault_of(party.party);
        let stored = match purpose {
            Purpose::Sign => vault.load_warm(name, &ctx, &access).await?,
            _ => vault.load(name, &ctx, &access).await?,
        };
        let share = KeyShare::decode(&stored.value).map_err(|_| Error::ShareDamaged)?;
        if row.describes(generation, party, share.header()) {
            Ok(Arc::new(share))
        } else {
            Err(Error::VaultState(format!(
                "the share under {name} is not the one it should be"
            )))
        }
    }
}

/// Why a wallet without an active generation does not sign.
fn not_active(row: &StateRow) -> Error {
    if let Some(locked) = row.in_state(GenerationState::Locked) {
        return Error::WalletLocked {
            generation: locked.generation,
        };
    }
    match row.in_state(GenerationState::Pending) {
        Some(pending) => Error::LeftPending {
            attempt: pending.attempt,
            source: Box::new(Error::InvalidArgument(
                "resume it before signing".to_owned(),
            )),
        },
        None => Error::WalletNotFound,
    }
}
