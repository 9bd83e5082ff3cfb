//! Refresh, reshare and replacement of a stored wallet's shares: the new generation is written
//! beside the active one, read back, proven and committed before anything of the old one moves
//! (custody rules 6 to 12).

use core::borrow::Borrow;
use std::sync::Arc;

use halfkey_core::crash_point::crash_point;
use halfkey_core::wire::ChangeOperation;
use halfkey_core::{AttemptId, Generation, PartyIndex, ThresholdSignatureScheme, WalletProperties};
use halfkey_mpc::KeyShare;
use halfkey_vault::guard::HighWater;
use halfkey_vault::{Error as VaultError, Expect, Purpose, RecordName, Versioned};

use super::create::left_pending;
use super::row::{GenerationRow, GenerationState, PartyRow, StateRow};
use super::{WalletStore, chain_of};
use crate::change::{self, ChangeSpec};
use crate::to_the_end::to_the_end;
use crate::{Error, Result};

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changed {
    /// The wallet's properties; the address is what it was.
    pub properties: WalletProperties,
    /// The generation that signs now.
    pub generation: Generation,
    /// The one before, which does not any more.
    pub before: Generation,
}

impl WalletStore {
    /// New shares for the same parties: same key, same address, next generation. Ends a lock.
    ///
    /// With `compromised` every earlier generation is shredded on both sides instead of being kept
    /// for the other half's horizon: then a restored half cannot be healed any more (custody rule
    /// 10).
    ///
    /// # Errors
    /// [`Error::LeftPending`] when the new shares are stored and [`Self::resume`] can go on; any
    /// other error leaves the active generation as it was.
    pub async fn refresh(&self, address: &str, compromised: bool) -> Result<Changed> {
        let wanted = Wanted {
            operation: ChangeOperation::Refresh,
            scheme: None,
            lost: None,
            compromised,
        };
        self.change(address, wanted).await
    }

    /// New shares for another scheme: `TWO_OF_TWO` to `TWO_OF_THREE` or back. Same key, same
    /// address. Once a wallet was `TWO_OF_THREE` the customer alone can sign for ever (custody rule
    /// 2).
    ///
    /// # Errors
    /// As [`Self::refresh`]; [`Error::InvalidArgument`] when the wallet has that scheme already.
    pub async fn reshare(
        &self,
        address: &str,
        scheme: ThresholdSignatureScheme,
    ) -> Result<Changed> {
        let wanted = Wanted {
            operation: ChangeOperation::Reshare,
            scheme: Some(scheme),
            lost: None,
            compromised: false,
        };
        self.change(address, wanted).await
    }

    /// New shares for a `TWO_OF_THREE` wallet of which `lost` has none any more. Whoever finds the
    /// lost share can still use it with another of its generation: if it may have been seen, move
    /// the funds.
    ///
    /// # Errors
    /// As [`Self::refresh`].
    pub async fn replace_share(&self, address: &str, lost: PartyIndex) -> Result<Changed> {
        let wanted = Wanted {
            operation: ChangeOperation::ReplaceShare,
            scheme: None,
            lost: Some(lost),
            compromised: false,
        };
        self.change(address, wanted).await
    }

    /// Goes to its end whether or not the caller waits: a change that stops halfway only leaves
    /// more to settle.
    async fn change(&self, address: &str, wanted: Wanted) -> Result<Changed> {
        let (store, address) = (self.clone(), address.to_owned());
        to_the_end(async move {
            match store.change_now(&address, wanted).await {
                Err(error) => {
                    store.fall_back(&address, error).await?;
                    store.change_now(&address, wanted).await
                }
                changed => changed,
            }
        })
        .await
    }

    #[tracing::instrument(level = "debug", skip_all, fields(address))]
    async fn change_now(&self, address: &str, wanted: Wanted) -> Result<Changed> {
        if !self.vault.can_open() {
            return Err(Error::CannotOpen);
        }
        self.check_vaults(wanted.scheme.unwrap_or_default())?;
        self.pin().await?;
        let row = self.free_row(address).await?;
        let state = &row.value;
        let current = current(state)?.clone();
        let mark = self.mark(state, &current).await?;
        self.check_kept(state, &current, wanted.compromised)?;
        let scheme = wanted.scheme.unwrap_or(state.scheme);
        if wanted.operation == ChangeOperation::Reshare && scheme == state.scheme {
            return Err(Error::InvalidArgument(format!(
                "the wallet is {scheme} already"
            )));
        }
        self.check_escrow_key(scheme).await?;
        let shares = self
            .contributions(state, &current, wanted.lost, scheme)
            .await?;
        let is_locked =
            current.state == GenerationState::Locked || self.is_locked(state, &current).await?;
        let theirs = self.client.lookup(&state.account_address).await?;
        let spec = ChangeSpec {
            operation: wanted.operation,
            scheme,
            lost: wanted.lost,
            compromised: wanted.compromised,
            backup_horizon: Some(self.options.backup_horizon),
            generation: next_generation(state, theirs.next_generation, mark),
            // Either half's lock is enough: no OT ceremony runs under it.
            is_locked: is_locked || theirs.state != halfkey_core::wire::WalletState::Active,
        };
        crash_point("change.before_ceremony");
        let made = match change::run(&self.client, &shares, &spec).await {
            Ok(made) => made,
            Err(error) => return Err(self.keep_lock(&row, error).await),
        };
        crash_point("change.after_ceremony");
        let staged = self.stage_change(&row, &made, wanted.compromised).await?;
        let attempt = staged.1;
        if let Err(error) = self.finish(&staged.0).await {
            return Err(match error {
                Error::PeerMisbehaved { .. }
                | Error::LockNotStored { .. }
                | Error::AttemptAborted(_) => error,
                source => left_pending(attempt, source),
            });
        }
        let row = self.row(state.chain, &state.account_address).await?;
        self.finish_burning(&row).await?;
        Ok(Changed {
            properties: row.value.properties(),
            generation: spec.generation,
            before: current.generation,
        })
    }

    /// No more than so many generations are kept: the row holds them all, and each is a share that
    /// a thief of the vault gets (custody rule 9). A lock must have a way out, and shredding what
    /// is kept is one.
    fn check_kept(&self, row: &StateRow, current: &GenerationRow, compromised: bool) -> Result<()> {
        let (kept, limit) = (row.kept().count(), self.options.kept_generations);
        if kept < limit || compromised || current.state == GenerationState::Locked {
            return Ok(());
        }
        Err(Error::TooManyChanges { kept, limit })
    }

    /// The wallet's row with nothing pending: an earlier change whose shares were never stored is
    /// ended for good. They were in that process's memory alone, and if it still runs, its commit
    /// is refused and nothing is lost.
    async fn free_row(&self, address: &str) -> Result<Versioned<StateRow>> {
        let chain = chain_of(address);
        let row = self.row(chain, address).await?;
        let was_active = row.value.generations.iter().any(|one| one.committed);
        if let Some(pending) = row.value.in_state(GenerationState::Pending)
            && was_active
            && !self.is_stored(pending).await?
        {
            let attempt = pending.attempt;
            self.give_up(&row, pending)
                .await
                .map_err(|source| left_pending(attempt, source))?;
        }
        self.settled_row(address).await
    }

    /// The wallet's row, after whatever an earlier change left pending was settled.
    pub(super) async fn settled_row(&self, address: &str) -> Result<Versioned<StateRow>> {
        let chain = chain_of(address);
        let row = self.row(chain, address).await?;
        let pending = row.value.in_state(GenerationState::Pending);
        let Some(attempt) = pending.map(|one| one.attempt) else {
            return Ok(row);
        };
        self.settle(row, self.options.abort_after)
            .await
            .map_err(|source| left_pending(attempt, source))?;
        let row = self.row(chain, address).await?;
        match row.value.in_state(GenerationState::Pending) {
            Some(pending) => Err(left_pending(
                pending.attempt,
                Error::InvalidArgument("resume or abort that attempt first".to_owned()),
            )),
            None => Ok(row),
        }
    }

    /// The old shares that are put in: of every customer party that stays and did not lose its own.
    async fn contributions(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
        lost: Option<PartyIndex>,
        scheme: ThresholdSignatureScheme,
    ) -> Result<Vec<Arc<KeyShare>>> {
        let mut shares = Vec::new();
        for party in PartyIndex::customers(row.scheme_of(generation)) {
            if Some(*party) != lost && party.is_in(scheme) {
                let share = self.open_either(row, generation, *party, Purpose::Change);
                shares.push(share.await?);
            }
        }
        Ok(shares)
    }

    /// Writes the new generation into the row as pending, then its shares, sealed and read back.
    async fn stage_change(
        &self,
        row: &Versioned<StateRow>,
        made: &[KeyShare],
        compromised: bool,
    ) -> Result<(Versioned<StateRow>, AttemptId)> {
        let (next, pending) = self.with_pending(&row.value, made, compromised)?;
        crash_point("change.before_intent");
        let rev = match self.write_row(&next, Expect::Rev(row.rev)).await {
            Ok(rev) => rev,
            Err(Error::Vault(VaultError::Conflict(_))) => {
                return Err(Error::VaultState(
                    "another process changed the wallet: try again".to_owned(),
                ));
            }
            Err(error) => return Err(error),
        };
        crash_point("change.after_intent");
        let access = self.access(Purpose::Change);
        for (share, party) in made.iter().zip(&pending.parties) {
            let name = RecordName::new(&*party.record)?;
            let ctx = next.share_ctx(&pending, party);
            self.vault_of(party.party)
                .store(&name, &ctx, &share.encode()?, Expect::Absent, &access)
                .await?;
            crash_point("change.after_sealed_write");
        }
        let row = Versioned { value: next, rev };
        Ok((row, pending.attempt))
    }

    /// The row with a generation of these shares pending beside the others; nothing is written.
    pub(super) fn with_pending<S: Borrow<KeyShare>>(
        &self,
        state: &StateRow,
        made: &[S],
        compromised: bool,
    ) -> Result<(StateRow, GenerationRow)> {
        let first = made.first().ok_or(Error::NoShare)?.borrow().header();
        let mut parties = Vec::new();
        for share in made {
            let header = share.borrow().header();
            let record = RecordName::staged_share(
                &self.options.prefix,
                &state.address,
                header.party,
                header.generation,
                header.attempt,
            )?;
            parties.push(PartyRow {
                party: header.party,
                key_share: header.key_share,
                record: record.as_str().to_owned(),
            });
        }
        let now = self.client.clock().now();
        let mut pending = GenerationRow::pending(first, parties, now);
        pending.burns_earlier = compromised;
        pending.restore_epoch = self.client.noted_epoch();
        let mut next = state.clone();
        next.generations.push(pending.clone());
        Ok((next, pending))
    }
}

#[derive(Clone, Copy)]
struct Wanted {
    operation: ChangeOperation,
    scheme: Option<ThresholdSignatureScheme>,
    lost: Option<PartyIndex>,
    compromised: bool,
}

/// The generation a change starts from: the active one, or the one that was locked.
pub(super) fn current(row: &StateRow) -> Result<&GenerationRow> {
    let locked = |one: &&GenerationRow| one.state == GenerationState::Locked && one.committed;
    row.active()
        .or_else(|| {
            let locked = row.generations.iter().filter(locked);
            locked.max_by_key(|one| one.generation)
        })
        .ok_or(Error::WalletNotFound)
}

/// Above every number either half ever used (custody rule 11).
fn next_generation(
    row: &StateRow,
    theirs: Option<Generation>,
    mark: Option<HighWater>,
) -> Generation {
    let ours = row.generations.iter().map(|one| one.generation).max();
    let mark = mark.map(|mark| mark.generation);
    let ours = ours.max(mark).unwrap_or_default().0.saturating_add(1);
    Generation(ours.max(theirs.unwrap_or_default().0))
}
