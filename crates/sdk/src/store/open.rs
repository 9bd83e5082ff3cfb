//! Opening shares: by a real unwrap, and only what is needed.

use std::sync::Arc;

use halfkey_core::{ChainName, PartyIndex};
use halfkey_mpc::KeyShare;
use halfkey_vault::{Error as VaultError, Purpose, RecordName, Versioned};

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
        let share = self
            .open_either(state, generation, wanted, Purpose::Sign)
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

    /// Every share of a generation, in the order of their parties.
    pub(super) async fn open_all(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
        purpose: Purpose,
    ) -> Result<Vec<Arc<KeyShare>>> {
        let mut shares = Vec::new();
        for party in &generation.parties {
            let share = self.open_either(row, generation, party.party, purpose);
            shares.push(share.await?);
        }
        Ok(shares)
    }

    /// One party's share of a generation, from whichever of its two records opens: the one of its
    /// attempt, or the copy under the active name, which comes first where it signs.
    ///
    /// # Errors
    /// What is wrong with the record that comes first.
    pub(super) async fn open_either(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
        party: PartyIndex,
        purpose: Purpose,
    ) -> Result<Arc<KeyShare>> {
        let party = party_of(generation, party)?;
        let mut names = self.names_of(row, generation, party)?;
        if purpose == Purpose::Sign {
            names.reverse();
        }
        let mut first = None;
        for name in names {
            match self
                .open_share(row, generation, party, &name, purpose)
                .await
            {
                Ok(share) => {
                    if let Some(error) = &first {
                        tracing::warn!(%error, used = %name, "the share came from its other copy");
                    }
                    return Ok(share);
                }
                Err(error) if is_of_the_record(&error) => first = first.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        Err(first.unwrap_or(Error::Bug("a share without a record")))
    }

    /// Where a party's share of a generation stands: under the name of its attempt, and under the
    /// active one while it is the one that signs, or was until it was locked.
    pub(super) fn names_of(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
        party: &PartyRow,
    ) -> Result<Vec<RecordName>> {
        let mut names = vec![RecordName::new(&*party.record)?];
        let has_copy = matches!(
            generation.state,
            GenerationState::Active | GenerationState::Locked
        );
        if has_copy && generation.committed {
            let prefix = &self.options.prefix;
            names.push(RecordName::active_share(prefix, &row.address, party.party)?);
        }
        Ok(names)
    }

    /// One party's share of a generation from one of [`Self::names_of`].
    pub(super) async fn open_share(
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

/// A party's entry in a generation.
pub(super) fn party_of(generation: &GenerationRow, party: PartyIndex) -> Result<&PartyRow> {
    let found = generation.parties.iter().find(|one| one.party == party);
    found.ok_or_else(|| Error::VaultState("the row names no share".to_owned()))
}

/// Whether the record is what is wrong: nothing that another try or another right would mend.
pub(super) const fn is_of_the_record(error: &Error) -> bool {
    matches!(
        error,
        Error::Vault(
            VaultError::Corrupt { .. }
                | VaultError::NotFound(_)
                | VaultError::UnknownTerm { .. }
                | VaultError::Environment { .. }
        ) | Error::ShareDamaged
            | Error::VaultState(_)
    )
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
