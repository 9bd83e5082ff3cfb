//! The copies under the active names: what may take the place of what stands there.

use halfkey_core::crash_point::crash_point;
use halfkey_mpc::KeyShare;
use halfkey_vault::{
    Error as VaultError, Expect, Purpose, RecordName, SealedRecord, Vault, Versioned,
};

use super::WalletStore;
use super::row::{GenerationRow, PartyRow, StateRow};
use crate::{Error, Result};

/// What stands under a party's active name, for a generation that is to stand there.
enum Standing {
    /// The generation's own share already.
    Own,
    /// Nothing, an earlier generation's share, or what does not open: what a write must find.
    Free(Expect),
}

impl WalletStore {
    /// Refuses a generation that could not be made the active one: asked before its commit, so that
    /// the provider never commits what this half cannot use. The shares of `generation` were just
    /// opened from their own records.
    pub(super) async fn check_can_activate(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
    ) -> Result<()> {
        self.check_not_below_mark(row, generation).await?;
        for party in &generation.parties {
            self.standing(row, generation, party, false).await?;
        }
        Ok(())
    }

    /// Copies the records of a generation to the active names: in the place of an earlier
    /// generation, or of any other where the wallet falls back.
    pub(super) async fn copy_to_active(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
        falls_back: bool,
    ) -> Result<()> {
        // An older row must not put its shares in the place of later ones.
        self.check_not_below_mark(row, generation).await?;
        for party in &generation.parties {
            let from = RecordName::new(&*party.record)?;
            let to = RecordName::active_share(&self.options.prefix, &row.address, party.party)?;
            // Of a changed wallet the generation before stands there; its own record stays.
            let standing = self.standing(row, generation, party, falls_back).await?;
            let Standing::Free(expect) = standing else {
                continue;
            };
            match self.vault_of(party.party).copy(&from, &to, expect).await {
                Ok(_) => {}
                // Another process was first: fine if it wrote the same.
                Err(VaultError::Conflict(_)) => {
                    match self.standing(row, generation, party, falls_back).await? {
                        Standing::Own => {}
                        Standing::Free(_) => return Err(holds_another(&to)),
                    }
                }
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

    /// Tells what stands under a party's active name by what it was sealed for: the same
    /// environment, wallet and party, and a generation that the row names. What opens as none of
    /// them is damaged, and the record of the attempt, which opens, takes its place.
    ///
    /// # Errors
    /// [`Error::VaultState`] for a share of a later generation, and whatever keeps it from being
    /// told.
    async fn standing(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
        party: &PartyRow,
        falls_back: bool,
    ) -> Result<Standing> {
        let vault = self.vault_of(party.party);
        let name = RecordName::active_share(&self.options.prefix, &row.address, party.party)?;
        let found = match vault.get_row(&name).await {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Standing::Free(Expect::Absent)),
            Err(VaultError::Corrupt { .. }) => return Ok(Standing::Free(Expect::Any)),
            Err(error) => return Err(error.into()),
        };
        let replaceable = Standing::Free(Expect::Rev(found.rev));
        let Ok(record) = SealedRecord::from_bytes(&found.value) else {
            return Ok(replaceable);
        };
        // Most often it is a copy of a record that still stands: then nothing needs to be opened.
        if is_copy_of(vault, party, &record).await? {
            return Ok(Standing::Own);
        }
        for (one, of) in entries_of(row, party) {
            let may_go = falls_back || one.generation < generation.generation;
            if may_go && is_copy_of(vault, of, &record).await? {
                return Ok(replaceable);
            }
        }
        for (one, of) in entries_of(row, party) {
            if !self.opens_as(row, one, of, &record).await? {
                continue;
            }
            return if one.attempt == generation.attempt {
                Ok(Standing::Own)
            } else if falls_back || one.generation < generation.generation {
                Ok(replaceable)
            } else {
                Err(holds_another(&name))
            };
        }
        tracing::warn!(record = %name, "it does not open: another copy of the share replaces it");
        Ok(replaceable)
    }

    /// Whether it is that party's share of that generation.
    async fn opens_as(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
        party: &PartyRow,
        record: &SealedRecord,
    ) -> Result<bool> {
        let (ctx, access) = (
            row.share_ctx(generation, party),
            self.access(Purpose::Resume),
        );
        let vault = self.vault_of(party.party);
        match vault.open(&ctx, record, &access).await {
            Ok(plaintext) => Ok(KeyShare::decode(&plaintext)
                .is_ok_and(|share| row.describes(generation, party, share.header()))),
            // The number of its key's term may be what is damaged.
            Err(VaultError::Corrupt { .. } | VaultError::UnknownTerm { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// The generations that gave this party a share, and where.
fn entries_of<'a>(
    row: &'a StateRow,
    party: &PartyRow,
) -> impl Iterator<Item = (&'a GenerationRow, &'a PartyRow)> {
    let wanted = party.party;
    row.generations.iter().flat_map(move |one| {
        let parties = one.parties.iter().filter(move |of| of.party == wanted);
        parties.map(move |of| (one, of))
    })
}

/// Whether it is the record of that entry, perhaps rewrapped since one was copied from the other.
async fn is_copy_of(vault: &Vault, entry: &PartyRow, record: &SealedRecord) -> Result<bool> {
    let stored = match vault.get_row(&RecordName::new(&*entry.record)?).await {
        Ok(stored) => stored,
        Err(VaultError::Corrupt { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let parse = |row: Versioned<Vec<u8>>| SealedRecord::from_bytes(&row.value).ok();
    Ok(stored
        .and_then(parse)
        .is_some_and(|stored| stored.is_same_but_for_wraps(record)))
}

fn holds_another(name: &RecordName) -> Error {
    Error::VaultState(format!("{name} holds another record"))
}
