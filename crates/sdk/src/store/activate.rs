use halfkey_core::AttemptId;
use halfkey_core::crash_point::crash_point;
use halfkey_core::wire::ProofState;
use halfkey_vault::{Error as VaultError, Expect, RecordName, SealedRecord, Vault, Versioned};

use super::WalletStore;
use super::row::{GenerationRow, GenerationState, PartyRow, StateRow};
use crate::{Error, Result};

impl WalletStore {
    /// Makes the generation of a committed attempt the active one: copies its records to the active
    /// names, writes the high-water mark, moves the row, fills the cache. Idempotent; the row comes
    /// after everything it promises. `epoch` is the provider's restore epoch.
    pub(super) async fn activate(
        &self,
        row: &Versioned<StateRow>,
        (attempt, proof): (AttemptId, ProofState),
        epoch: u64,
    ) -> Result<()> {
        let state = &row.value;
        let found = state.generations.iter().find(|one| one.attempt == attempt);
        let generation = found.ok_or(Error::Bug("activating an attempt that is not in the row"))?;
        self.copy_to_active(state, generation, false).await?;
        self.raise_high_water(state, generation, epoch).await?;
        crash_point("create.after_high_water");
        let mut active = state.clone();
        active.promote(attempt, self.client.clock().now());
        active.prove(attempt, proof);
        match self.write_row(&active, Expect::Rev(row.rev)).await {
            Ok(_) => {}
            Err(Error::Vault(VaultError::Conflict(_))) => {
                // Somebody else settled it: that is fine if they came to the same end.
                let now = self.row(state.chain, &state.account_address).await?;
                if now.value.active().is_none_or(|one| one.attempt != attempt) {
                    return Err(Error::VaultState(
                        "another process changed the row".to_owned(),
                    ));
                }
            }
            Err(error) => return Err(error),
        }
        crash_point("create.after_active_row");
        self.cache.write(&state.address, &active.properties()).await;
        crash_point("create.after_cache");
        Ok(())
    }

    /// In place of an earlier generation, or of any other where the wallet falls back.
    pub(super) async fn copy_to_active(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
        falls_back: bool,
    ) -> Result<()> {
        for party in &generation.parties {
            let from = RecordName::new(&*party.record)?;
            let to = RecordName::active_share(&self.options.prefix, &row.address, party.party)?;
            // Of a changed wallet the generation before stands there; its own record stays.
            let vault = self.vault_of(party.party);
            let expect = match vault.get_row(&to).await? {
                Some(standing) => {
                    let ended = (generation, falls_back);
                    if is_ended(vault, row, ended, (party, &to), &standing).await? {
                        Expect::Rev(standing.rev)
                    } else {
                        Expect::Absent
                    }
                }
                None => Expect::Absent,
            };
            match vault.copy(&from, &to, expect).await {
                Ok(_) => {}
                Err(VaultError::Conflict(_)) => same_record(vault, &from, &to).await?,
                Err(VaultError::NotFound(name)) => {
                    return Err(Error::VaultState(format!(
                        "{name} is missing although its attempt is committed"
                    )));
                }
                Err(error) => return Err(error.into()),
            }
            crash_point("create.after_copy");
        }
        Ok(())
    }

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
        for generation in &row.generations {
            if generation.state != GenerationState::Burnt || generation.shredded.is_some() {
                continue;
            }
            self.shred_generation(generation).await?;
        }
        Ok(())
    }
}

/// Whether what stands under a party's active name is a copy of a generation before `generation`,
/// or of any other where the wallet falls back to it.
async fn is_ended(
    vault: &Vault,
    row: &StateRow,
    (generation, falls_back): (&GenerationRow, bool),
    (party, active_name): (&PartyRow, &RecordName),
    standing: &Versioned<Vec<u8>>,
) -> Result<bool> {
    let standing = SealedRecord::from_bytes(&standing.value).ok();
    let may_go = |one: &&GenerationRow| {
        let is_earlier = one.generation < generation.generation;
        one.committed && (is_earlier || (falls_back && one.attempt != generation.attempt))
    };
    let ended = row.generations.iter().filter(may_go);
    for one in ended.flat_map(|one| &one.parties) {
        if one.party != party.party {
            continue;
        }
        let stored = vault.get_row(&RecordName::new(&*one.record)?).await?;
        let stored = stored.and_then(|row| SealedRecord::from_bytes(&row.value).ok());
        if let (Some(stored), Some(standing)) = (stored, &standing)
            && stored.is_same_but_for_wraps(standing)
        {
            return Ok(true);
        }
    }
    if !falls_back {
        return Ok(false);
    }
    // Of a generation that an older row does not know: its own record is there all the same.
    let Some(standing) = &standing else {
        return Ok(false);
    };
    is_copied(vault, active_name, standing).await
}

/// Whether one of the records below a party's active name holds the same as that name.
async fn is_copied(vault: &Vault, active: &RecordName, standing: &SealedRecord) -> Result<bool> {
    let page = vault.list_names(&format!("{active}/"), None, 1000).await?;
    for name in &page.names {
        let stored = vault.get_row(name).await?;
        let stored = stored.and_then(|row| SealedRecord::from_bytes(&row.value).ok());
        if stored.is_some_and(|stored| stored.is_same_but_for_wraps(standing)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// An earlier try copied it (and one of the two may have been rewrapped since); anything else under
/// that name is not ours to overwrite.
async fn same_record(vault: &Vault, from: &RecordName, to: &RecordName) -> Result<()> {
    let (from, stored) = (vault.get_row(from).await?, vault.get_row(to).await?);
    let record = |row: Option<Versioned<Vec<u8>>>| SealedRecord::from_bytes(&row?.value).ok();
    match (record(from), record(stored)) {
        (Some(from), Some(stored)) if from.is_same_but_for_wraps(&stored) => Ok(()),
        _ => Err(Error::VaultState(format!("{to} holds another record"))),
    }
}
