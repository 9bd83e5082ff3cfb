//! Whether both halves of a wallet still match: a proof ceremony, not a comparison of notes.

use std::sync::Arc;

use halfkey_core::Generation;
use halfkey_core::proof_message::ProofOperation;
use halfkey_core::wire::{ErrorCode, WalletState, WalletSummary};
use halfkey_mpc::KeyShare;
use halfkey_vault::{Purpose, RecordName, Versioned};

use super::open::is_of_the_record;
use super::row::{GenerationRow, GenerationState, StateRow};
use super::{WalletStore, chain_of};
use crate::{Error, Result, prove};

/// How a wallet stands, after a try.
#[derive(Debug)]
#[non_exhaustive]
pub enum Health {
    /// Every pair of parties made a signature just now, from shares opened by a real unwrap.
    Signs,
    /// It does not sign as it stands, or by one of two records only, and what is needed to mend it
    /// is there.
    Recoverable {
        /// What is wrong and what mends it.
        why: String,
    },
    /// The two halves are at different generations.
    Stale {
        /// Ours.
        ours: Generation,
        /// The provider's.
        theirs: Generation,
    },
    /// One half has locked it; a refresh ends that.
    Locked {
        /// Which half, and why.
        why: String,
    },
    /// One half is gone and nothing here brings it back.
    Lost {
        /// Which.
        why: String,
    },
    /// It could not be told now: a back-end did not answer.
    Unchecked(Box<Error>),
}

impl Health {
    /// `signs`, `recoverable`, `stale`, `locked`, `lost` or `unchecked`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Signs => "signs",
            Self::Recoverable { .. } => "recoverable",
            Self::Stale { .. } => "stale",
            Self::Locked { .. } => "locked",
            Self::Lost { .. } => "lost",
            Self::Unchecked(_) => "unchecked",
        }
    }
}

/// One page of a check over the whole store.
#[derive(Debug)]
pub struct CheckedPage {
    /// Addresses in their chain's display form, in the order of their records, and how they stand.
    pub wallets: Vec<(String, Health)>,
    /// Pass it to the next call; absent when the store was walked to its end.
    pub next: Option<String>,
    /// Wallets that the caller wanted left out.
    pub skipped: u64,
}

impl WalletStore {
    /// Tries one wallet: opens every share, makes a proof with each pair of parties, and says what
    /// came of it. Moves nothing.
    ///
    /// # Errors
    /// [`Error::WalletNotFound`] when this store never had an active wallet of this address.
    #[tracing::instrument(level = "debug", skip_all, fields(address))]
    pub async fn check(&self, address: &str) -> Result<Health> {
        self.pin().await?;
        let row = self.row(chain_of(address), address).await?;
        if was_active(&row.value) {
            return Ok(self.check_row(&row).await);
        }
        let unfinished = self.check_unfinished(&row.value).await;
        unfinished.ok_or(Error::WalletNotFound)
    }

    /// Tries the next `limit` wallets of the store, after `after` (what the last page returned),
    /// leaving out the addresses that `is_known` says were checked before.
    ///
    /// # Errors
    /// When the vault tier cannot be listed.
    pub async fn check_page(
        &self,
        after: Option<&str>,
        limit: usize,
        is_known: impl Fn(&str) -> bool,
    ) -> Result<CheckedPage> {
        self.pin().await?;
        let prefix = format!("{}wallet:", self.options.prefix);
        let mut after = after.map(RecordName::new).transpose()?;
        let (mut wallets, mut skipped) = (Vec::new(), 0_u64);
        loop {
            let page = self.vault.list_names(&prefix, after.as_ref(), 1000).await?;
            for name in &page.names {
                if wallets.len() >= limit {
                    let next = after.map(|name| name.as_str().to_owned());
                    return Ok(CheckedPage {
                        wallets,
                        next,
                        skipped,
                    });
                }
                if name.as_str().ends_with("/state") {
                    match self.check_name(name, &is_known).await {
                        Checked::Tried(address, health) => wallets.push((address, health)),
                        Checked::Known => skipped = skipped.saturating_add(1),
                        Checked::NeverActive => {}
                    }
                }
                after = Some(name.clone());
            }
            match page.next {
                Some(next) => after = Some(next),
                None => {
                    return Ok(CheckedPage {
                        wallets,
                        next: None,
                        skipped,
                    });
                }
            }
        }
    }

    async fn check_name(&self, name: &RecordName, is_known: impl Fn(&str) -> bool) -> Checked {
        match self.read_row(name).await {
            Ok(Some(row)) => {
                let address = row.value.account_address.clone();
                if is_known(&address) {
                    return Checked::Known;
                }
                if was_active(&row.value) {
                    return Checked::Tried(address, self.check_row(&row).await);
                }
                match self.check_unfinished(&row.value).await {
                    Some(health) => Checked::Tried(address, health),
                    None => Checked::NeverActive,
                }
            }
            Ok(None) => Checked::NeverActive,
            Err(error) => Checked::Tried(name.to_string(), of_failure(error)),
        }
    }

    /// A row that never had an active generation, of a wallet that the provider knows as active
    /// under the very attempt that is pending here: a recovery, or the end of a create, that did
    /// not come to its end. `None` when nobody was ever given its address.
    async fn check_unfinished(&self, row: &StateRow) -> Option<Health> {
        let pending = row.in_state(GenerationState::Pending)?;
        match self.client.lookup(&row.account_address).await {
            Ok(theirs) if is_theirs(&theirs, pending) => Some(Health::Recoverable {
                why:
                    "the provider has the wallet as active, this half does not yet: resume it, or \
                      recover it again"
                        .to_owned(),
            }),
            Ok(_) | Err(Error::WalletNotFound) => None,
            Err(error) => Some(Health::Unchecked(Box::new(error))),
        }
    }

    async fn check_row(&self, row: &Versioned<StateRow>) -> Health {
        let state = &row.value;
        let locked = |one: &&GenerationRow| one.state == GenerationState::Locked && one.committed;
        let Some(generation) = state.active() else {
            if let Some(one) = state.generations.iter().find(locked) {
                let why = format!("this half locked generation {}", one.generation);
                return Health::Locked { why };
            }
            let why = "this half has no active generation".to_owned();
            return self.by_backup(&state.account_address, why).await;
        };
        match self.is_locked(state, generation).await {
            Ok(false) => {}
            Ok(true) => {
                return Health::Locked {
                    why: format!("this half locked generation {}", generation.generation),
                };
            }
            Err(error) => return Health::Unchecked(Box::new(error)),
        }
        if let Err(error) = self.check_high_water(state, generation).await {
            return of_failure(error);
        }
        let theirs = match self.client.lookup(&state.account_address).await {
            Ok(theirs) => theirs,
            Err(Error::WalletNotFound) => {
                return Health::Lost {
                    why: "the provider does not know the wallet: restore its database".to_owned(),
                };
            }
            Err(error) => return Health::Unchecked(Box::new(error)),
        };
        self.check_against(row, generation, &theirs).await
    }

    /// Both halves have the wallet: opens ours and tries.
    async fn check_against(
        &self,
        row: &Versioned<StateRow>,
        generation: &GenerationRow,
        theirs: &WalletSummary,
    ) -> Health {
        if matches!(
            theirs.state,
            WalletState::Locked | WalletState::NeedsCompleteRefresh
        ) {
            let why = theirs.state_reason.clone().unwrap_or_default();
            return Health::Locked {
                why: format!("the provider locked it: {why}"),
            };
        }
        if (theirs.generation, theirs.attempt_id) != (generation.generation, generation.attempt) {
            return Health::Stale {
                ours: generation.generation,
                theirs: theirs.generation,
            };
        }
        let (shares, bad) = match self.open_copies(&row.value, generation).await {
            Ok(opened) => opened,
            Err(error) => return Health::Unchecked(Box::new(error)),
        };
        let bad = bad.join("; ");
        if shares.len() < generation.parties.len() {
            if !shares.is_empty() {
                return Health::Recoverable {
                    why: format!("one customer share does not open ({bad}): replace it"),
                };
            }
            let why = format!("no share of the wallet opens here: {bad}");
            return self.by_backup(&row.value.account_address, why).await;
        }
        match prove::prove(&self.client, &shares, ProofOperation::Prove).await {
            Ok(()) if bad.is_empty() => Health::Signs,
            Ok(()) => Health::Recoverable {
                why: format!(
                    "it signs, but one of two records of a share does not open ({bad}): a refresh \
                     replaces both"
                ),
            },
            Err(error) => of_failure(self.keep_lock(row, error).await),
        }
    }

    /// What is not here comes from a backup that the provider itself keeps, or not at all.
    async fn by_backup(&self, address: &str, why: String) -> Health {
        match self.provider_backups(address).await {
            Ok(0) => Health::Lost {
                why: format!("{why}; the provider keeps no backup of it"),
            },
            Ok(backups) => Health::Recoverable {
                why: format!("{why}; the provider keeps {backups} of its backups: recover it"),
            },
            Err(Error::WalletNotFound) => Health::Lost {
                why: format!("{why}, and the provider does not know the wallet"),
            },
            Err(outage) => Health::Unchecked(Box::new(outage)),
        }
    }

    /// Every share by a real unwrap, of both its records: each party's that opens, and what is
    /// wrong with those that do not.
    ///
    /// # Errors
    /// When it cannot be told now.
    async fn open_copies(
        &self,
        row: &StateRow,
        generation: &GenerationRow,
    ) -> Result<(Vec<Arc<KeyShare>>, Vec<String>)> {
        let (mut shares, mut bad) = (Vec::new(), Vec::new());
        for party in &generation.parties {
            let mut found = None;
            for name in self.names_of(row, generation, party)? {
                let opened = self.open_share(row, generation, party, &name, Purpose::Proof);
                match opened.await {
                    Ok(share) => found = Some(share),
                    Err(error) if is_of_the_record(&error) => bad.push(error.to_string()),
                    Err(error) => return Err(error),
                }
            }
            shares.extend(found);
        }
        Ok((shares, bad))
    }
}

/// Whether the provider has committed what is pending here.
fn is_theirs(theirs: &WalletSummary, pending: &GenerationRow) -> bool {
    theirs.attempt_id == pending.attempt
        && !matches!(theirs.state, WalletState::Pending | WalletState::Aborted)
}

/// Whether anybody was ever given its address by this store.
fn was_active(row: &StateRow) -> bool {
    row.generations.iter().any(|one| one.committed)
}

enum Checked {
    Tried(String, Health),
    Known,
    /// Nobody was given its address.
    NeverActive,
}

/// What a failed try says of the wallet.
fn of_failure(error: Error) -> Health {
    let theirs = matches!(
        error.api_code(),
        Some(ErrorCode::WalletLocked | ErrorCode::NeedsCompleteRefresh)
    );
    match &error {
        _ if theirs => Health::Locked {
            why: error.to_string(),
        },
        Error::WalletLocked { .. }
        | Error::FellBack { .. }
        | Error::PeerMisbehaved { .. }
        | Error::LockNotStored { .. } => Health::Locked {
            why: error.to_string(),
        },
        // The store was rolled back or damaged: an operator decides (custody rule 11).
        Error::VaultState(_) => Health::Recoverable {
            why: error.to_string(),
        },
        _ => Health::Unchecked(Box::new(error)),
    }
}
