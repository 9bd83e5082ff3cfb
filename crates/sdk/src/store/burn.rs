//! After a compromise nothing of earlier generations stays (custody rule 10).

use halfkey_vault::{
    BindCtx, Error as VaultError, Expect, Purpose, RecordName, SealedRecord, Vault, Versioned,
};

use super::WalletStore;
use super::escrow::{escrow_ctx, escrow_name};
use super::row::{GenerationRow, GenerationState, PartyRow, StateRow};
use crate::{Error, Result};

impl WalletStore {
    /// After a compromise: destroys the records of every burnt generation, then notes in the row
    /// that it is done, so that whoever comes next need not (custody rule 10). Safe to repeat.
    pub(super) async fn finish_burning(&self, row: &Versioned<StateRow>) -> Result<()> {
        let is_due = |one: &GenerationRow| one.burns_earlier;
        if !row.value.active().is_some_and(is_due) {
            return Ok(());
        }
        self.shred_burnt(&row.value).await?;
        let mut done = row.value.clone();
        for one in &mut done.generations {
            one.burns_earlier &= one.state != GenerationState::Active;
            if one.state == GenerationState::Burnt {
                one.shredded.get_or_insert(self.client.clock().now());
            }
        }
        match self.write_row(&done, Expect::Rev(row.rev)).await {
            // Somebody else moved the row: the next one to come finds nothing left to destroy.
            Ok(_) | Err(Error::Vault(VaultError::Conflict(_))) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn shred_burnt(&self, row: &StateRow) -> Result<()> {
        let burnt =
            |one: &&GenerationRow| one.state == GenerationState::Burnt && one.shredded.is_none();
        for generation in row.generations.iter().filter(burnt) {
            self.shred_generation(row, generation).await?;
        }
        Ok(())
    }

    async fn shred_generation(&self, row: &StateRow, generation: &GenerationRow) -> Result<()> {
        if let Some(ctx) = escrow_ctx(row, generation) {
            let name = escrow_name(&self.options.prefix, row, generation)?;
            self.shred(&self.vault, &name, &ctx).await?;
        }
        for party in &generation.parties {
            let ctx = row.share_ctx(generation, party);
            let own = RecordName::new(&*party.record)?;
            let active = RecordName::active_share(&self.options.prefix, &row.address, party.party)?;
            // A party's shares may have lain in the first vault before it had one of its own.
            for vault in core::iter::once(&self.vault).chain(&self.second_vault) {
                self.shred(vault, &own, &ctx).await?;
                if !self.is_live(vault, row, &active, party).await? {
                    self.shred(vault, &active, &ctx).await?;
                }
            }
        }
        Ok(())
    }

    async fn shred(&self, vault: &Vault, name: &RecordName, ctx: &BindCtx) -> Result<()> {
        if let Ok(None) = vault.get_row(name).await {
            return Ok(());
        }
        let access = self.access(Purpose::Change);
        match vault.destroy_of(name, ctx, &access).await {
            Ok(()) | Err(VaultError::NotFound(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the record under an active name is the active generation's. Of a party that left it
    /// is an old one, and so it is in a vault that the party's shares have left, unless that is the
    /// same store under another configuration.
    async fn is_live(
        &self,
        vault: &Vault,
        row: &StateRow,
        active: &RecordName,
        party: &PartyRow,
    ) -> Result<bool> {
        let mut parties = row.active().into_iter().flat_map(|one| &one.parties);
        if !parties.any(|one| one.party == party.party) {
            return Ok(false);
        }
        let own = self.vault_of(party.party);
        if core::ptr::eq(vault, own) {
            return Ok(true);
        }
        let parse = |row: Option<Versioned<Vec<u8>>>| SealedRecord::from_bytes(&row?.value).ok();
        let (here, live) = (vault.get_row(active).await, own.get_row(active).await?);
        Ok(match (parse(here.ok().flatten()), parse(live)) {
            (Some(here), Some(live)) => here.is_same_but_for_wraps(&live),
            // Nothing is destroyed that cannot be told from the live one.
            (_, live) => live.is_none(),
        })
    }
}
