//! Putting back into the vault tier what came out of the provider's backup.

use std::sync::Arc;

use halfkey_core::crash_point::crash_point;
use halfkey_core::proof_message::ProofOperation;
use halfkey_core::wire::{ProofState, WalletState};
use halfkey_core::{PartyIndex, WalletProperties};
use halfkey_mpc::KeyShare;
use halfkey_vault::{Error as VaultError, Expect, Purpose, Versioned};

use super::row::{GenerationRow, GenerationState, StateRow};
use super::{WalletStore, chain_of};
use crate::backup::{Extent, Recovery};
use crate::to_the_end::to_the_end;
use crate::{Error, PendingWallet, Result, prove};

/// A wallet whose shares came from the provider's backup.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// The wallet's properties.
    pub properties: WalletProperties,
    /// Whose shares the backup held.
    pub parties: Vec<PartyIndex>,
    /// Whether the wallet made a proof signature with them just now. Not where the provider has it
    /// locked: a refresh ends that.
    pub proven: bool,
    /// Whether the backup lay under the environment id, which protects nothing: back it up again
    /// under a secret, and refresh it with `compromised`.
    pub unprotected: bool,
}

impl WalletStore {
    /// Fetches the wallet's backup from the provider, opens it, and puts the shares where they are
    /// missing or damaged here: all of a vault that is gone, or one record. They are sealed, read
    /// back by a real unwrap and proven with the provider before the wallet counts as active.
    /// Safe to repeat at any point. Records that open are never overwritten.
    ///
    /// # Errors
    /// As [`WalletClient::recover_key_shares`](crate::WalletClient::recover_key_shares);
    /// [`Error::SharesMissing`] when the backup does not hold every share that is missing here;
    /// [`Error::VaultState`] when this store knows of a later generation than the backup's.
    pub async fn recover(&self, address: &str, password: Option<&str>) -> Result<Recovered> {
        let password = password.map(halfkey_core::SecretString::from);
        let (store, address) = (self.clone(), address.to_owned());
        to_the_end(async move {
            let _one_at_a_time = store.recovering.lock().await;
            let password = password.as_ref().map(halfkey_core::SecretString::expose);
            store.recover_now(&address, password).await
        })
        .await
    }

    #[tracing::instrument(level = "debug", skip_all, fields(address))]
    pub(super) async fn recover_now(
        &self,
        address: &str,
        password: Option<&str>,
    ) -> Result<Recovered> {
        self.pin().await?;
        let theirs = self.client.fetch_wallet_metadata(address).await?;
        if !self.can_open(theirs.threshold_signature_scheme) {
            // It could not tell what is damaged, nor read back what it writes.
            return Err(Error::CannotOpen);
        }
        let recovery = Recovery::run(&self.client, &theirs, password, Extent::Enough).await?;
        let shares = recovery.shares();
        let row = self.row_for(address, &recovery, &shares).await?;
        let (row, generation) = self.restore_shares(row, &shares).await?;
        let epoch = self.client.attempt(generation.attempt).await?.restore_epoch;
        if generation.state == GenerationState::Active {
            // Without the mark nothing signs; one that is higher refuses this generation.
            self.raise_high_water(&row.value, &generation, epoch)
                .await?;
        }
        let can_sign = recovery.summary().state == WalletState::Active;
        let proven = self.check_restored(&row, &generation, can_sign).await?;
        if generation.state == GenerationState::Pending {
            let proof = if proven {
                ProofState::Proven
            } else {
                ProofState::Unproven
            };
            self.activate(&row, (generation.attempt, proof), epoch)
                .await?;
        }
        crash_point("recover.after_activation");
        let row = self.row(row.value.chain, address).await?;
        let info = recovery.info();
        self.note_backups(row, &info).await?;
        Ok(Recovered {
            properties: theirs.with_backup_info(info),
            parties: shares.iter().map(|one| one.header().party).collect(),
            proven,
            unprotected: recovery.is_unprotected(),
        })
    }

    /// The row that the shares belong into: the one that is there, else a new one, for which the
    /// backup has to hold every share.
    async fn row_for(
        &self,
        address: &str,
        recovery: &Recovery,
        shares: &[Arc<KeyShare>],
    ) -> Result<Versioned<StateRow>> {
        let chain = chain_of(address);
        let first = shares.first().ok_or(Error::NoShare)?.header();
        let found = self.find_row(chain, address).await?;
        let named = |row: &Versioned<StateRow>| {
            let mut generations = row.value.generations.iter();
            generations.any(|one| one.attempt == first.attempt)
        };
        if let Some(row) = found.as_ref().filter(|row| named(row)) {
            return Ok(row.clone());
        }
        if let Some(party) = recovery.missing().first() {
            return Err(Error::SharesMissing {
                vault: format!(
                    "the vault tier holds none of generation {}",
                    first.generation
                ),
                provider: format!("the provider's backup holds none of party {party}"),
            });
        }
        match found {
            None => {
                let encoded = shares.iter().map(|one| crate::sign::share::encode(one));
                let encoded = encoded.collect::<Result<Vec<_>>>()?;
                let pending = PendingWallet::from_shares(&self.client, &encoded)?;
                let mut row = self.pending_row(&pending)?;
                // By whose doing is forgotten; that it left is not.
                row.exported = recovery.summary().custody_origin.exported();
                self.write_intent(row, Expect::Absent).await
            }
            Some(row) => {
                let mut generations = row.value.generations.iter();
                if generations.any(|one| one.generation >= first.generation) {
                    return Err(Error::VaultState(format!(
                        "the store knows generation {} or a later one as another",
                        first.generation
                    )));
                }
                // An older copy of the store: the generation it never saw is added to it.
                let (next, _) = self.with_pending(&row.value, shares, false)?;
                self.write_intent(next, Expect::Rev(row.rev)).await
            }
        }
    }

    /// The row comes before the records it names, so that whoever comes next knows of them.
    async fn write_intent(&self, row: StateRow, expect: Expect) -> Result<Versioned<StateRow>> {
        crash_point("recover.before_intent");
        let rev = match self.write_row(&row, expect).await {
            Ok(rev) => rev,
            Err(Error::Vault(VaultError::Conflict(_))) => {
                return Err(Error::VaultState(
                    "another process changed the wallet: try again".to_owned(),
                ));
            }
            Err(error) => return Err(error),
        };
        crash_point("recover.after_intent");
        Ok(Versioned { value: row, rev })
    }

    /// Writes what is missing of the shares' generation, and gives it as it stands.
    async fn restore_shares(
        &self,
        row: Versioned<StateRow>,
        shares: &[Arc<KeyShare>],
    ) -> Result<(Versioned<StateRow>, GenerationRow)> {
        let attempt = shares.first().ok_or(Error::NoShare)?.header().attempt;
        let mut generations = row.value.generations.iter();
        let generation = generations.find(|one| one.attempt == attempt).cloned();
        let generation = generation.ok_or(Error::Bug("a row without the generation"))?;
        let is_active = match generation.state {
            GenerationState::Active | GenerationState::Locked => true,
            GenerationState::Pending => false,
            GenerationState::Retired | GenerationState::Burnt | GenerationState::Aborted => {
                return Err(Error::VaultState(format!(
                    "generation {} has ended here, but is the provider's active one",
                    generation.generation
                )));
            }
        };
        for share in shares {
            self.restore_share(&row.value, &generation, share, is_active)
                .await?;
        }
        Ok((row, generation))
    }

    /// Opens every share by a real unwrap and, where it signs at all, makes a signature with each
    /// pair of parties. Whether it did.
    async fn check_restored(
        &self,
        row: &Versioned<StateRow>,
        generation: &GenerationRow,
        can_sign: bool,
    ) -> Result<bool> {
        let state = &row.value;
        let shares = self.open_all(state, generation, Purpose::Backup).await?;
        if !can_sign || self.is_locked(state, generation).await? {
            return Ok(false);
        }
        match prove::prove(&self.client, &shares, ProofOperation::Prove).await {
            Ok(()) => Ok(true),
            Err(error) => Err(self.keep_lock(row, error).await),
        }
    }
}
