//! What earlier processes left pending.

use halfkey_core::wire::ProofState;
use halfkey_core::{
    AttemptId, ChainName, CustodyOrigin, Generation, ThresholdSignatureScheme, UnixMillis,
    WalletId, WalletProperties,
};
use halfkey_vault::Versioned;

use super::listed::Listed;
use super::row::{GenerationRow, GenerationState, StateRow};
use super::{WalletStore, chain_of};
use crate::{Error, Result};

/// A wallet that is not active yet. It has no address to give out before its attempt is committed
/// (custody rule 8).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingEntry {
    /// The attempt to settle.
    pub attempt: AttemptId,
    /// The provider's id of the wallet.
    pub wallet: WalletId,
    /// The chain.
    pub chain: ChainName,
    /// Parties and signers.
    pub scheme: ThresholdSignatureScheme,
    /// What the key's history allows anyone to claim.
    pub custody_origin: CustodyOrigin,
    /// The generation that is pending.
    pub generation: Generation,
    /// Whether this side has proven its shares.
    pub proof: ProofState,
    /// Since when.
    pub since: UnixMillis,
    /// The provider was caught cheating under it: it can never become active.
    pub locked: bool,
}

/// Which pending wallets to settle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResumeTarget {
    /// Every one of this store.
    All,
    /// The one of this attempt.
    Attempt(AttemptId),
    /// The one of this address.
    Address(String),
}

/// What became of a pending wallet.
#[derive(Debug)]
#[non_exhaustive]
pub enum Settled {
    /// It signs now.
    Active(Box<WalletProperties>),
    /// Its attempt was aborted for good; sealed shares are kept.
    Aborted,
    /// Its shares are not stored, and it is too young to be aborted.
    Pending,
    /// The provider knows nothing of the attempt. The shares are kept: a restored provider may
    /// learn of it again.
    Unknown,
    /// It could not be settled now.
    Failed(Box<Error>),
}

/// One pending wallet and what became of it.
#[derive(Debug)]
pub struct Resumed {
    /// The wallet as it was.
    pub entry: PendingEntry,
    /// What became of it.
    pub settled: Settled,
}

impl WalletStore {
    /// The wallets that are not active yet.
    ///
    /// # Errors
    /// When the vault tier cannot be listed or read; a damaged row only stands beside the others.
    pub async fn pending(&self) -> Result<Listed<PendingEntry>> {
        let rows = self.all_rows().await?;
        let entries = rows.iter().filter_map(|row| entry(&row.value)).collect();
        Ok(Listed::new(entries, rows.unreadable))
    }

    /// Settles pending wallets by the provider's signed word on their attempts: committed ones are
    /// activated here, staged ones are proven and committed, aborted ones are marked so. Can be
    /// repeated at will; one that fails does not stop the others, and neither does a row that
    /// cannot be read.
    ///
    /// An entry whose shares were never stored is aborted only once it is older than
    /// `abort_after`; [`Self::abort`] does it at once.
    ///
    /// # Errors
    /// When the vault tier cannot be read, the provider is not the pinned one, or the target named
    /// does not exist.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn resume(&self, target: ResumeTarget) -> Result<Listed<Resumed>> {
        self.pin().await?;
        let rows = match target {
            ResumeTarget::All => self.all_rows().await?,
            ResumeTarget::Attempt(attempt) => Listed::new(self.row_of(attempt).await?, Vec::new()),
            ResumeTarget::Address(address) => {
                let row = self.row(chain_of(&address), &address).await?;
                Listed::new(vec![row], Vec::new())
            }
        };
        let mut resumed = Vec::new();
        for row in rows.found {
            if let Err(error) = self.finish_burning(&row).await {
                let address = &row.value.account_address;
                tracing::error!(address, %error, "shares of burnt generations are not destroyed");
            }
            let Some(entry) = entry(&row.value) else {
                continue;
            };
            let settled = match self.settle(row, self.options.abort_after).await {
                Ok(settled) => settled,
                Err(error) => Settled::Failed(Box::new(error)),
            };
            resumed.push(Resumed { entry, settled });
        }
        Ok(Listed::new(resumed, rows.unreadable))
    }

    /// Ends a pending attempt on both sides at once. For one whose shares were never stored, or
    /// that is not wanted any more; stored shares are kept, and whoever was handed shares by an
    /// error can do nothing with them afterwards.
    ///
    /// # Errors
    /// When the attempt is not pending here, or the provider cannot be reached.
    #[tracing::instrument(level = "debug", skip_all, fields(%attempt))]
    pub async fn abort(&self, attempt: AttemptId) -> Result<Settled> {
        self.pin().await?;
        let rows = self.row_of(attempt).await?;
        let row = rows.first().ok_or(Error::WalletNotFound)?;
        let named = |one: &&GenerationRow| one.attempt == attempt;
        match row.value.generations.iter().find(named) {
            Some(one) if one.state == GenerationState::Pending => self.give_up(row, one).await,
            _ => Err(Error::InvalidArgument(
                "this attempt is not pending".to_owned(),
            )),
        }
    }

    async fn row_of(&self, attempt: AttemptId) -> Result<Vec<Versioned<StateRow>>> {
        let names = |row: &Versioned<StateRow>| {
            row.value
                .generations
                .iter()
                .any(|one| one.attempt == attempt)
        };
        let mut rows = self.all_rows().await?;
        rows.found.retain(names);
        if rows.found.is_empty() {
            Err(rows.missing())
        } else {
            Ok(rows.found)
        }
    }
}

fn entry(row: &StateRow) -> Option<PendingEntry> {
    let locked = |one: &&GenerationRow| one.state == GenerationState::Locked && !one.committed;
    let generation = row
        .in_state(GenerationState::Pending)
        .or_else(|| row.generations.iter().find(locked))?;
    Some(PendingEntry {
        attempt: generation.attempt,
        wallet: row.wallet,
        chain: row.chain,
        scheme: row.scheme,
        custody_origin: row.custody_origin,
        generation: generation.generation,
        proof: generation.proof,
        since: generation.since,
        locked: generation.state == GenerationState::Locked,
    })
}
