//! Whether both halves of a wallet still match: a proof ceremony, not a comparison of notes.

use std::sync::Arc;

use halfkey_core::proof_message::ProofOperation;
use halfkey_core::wire::{ErrorCode, WalletState, WalletSummary};
use halfkey_core::{Generation, PartyIndex};
use halfkey_mpc::KeyShare;
use halfkey_vault::{Error as VaultError, Purpose, RecordName, Versioned};

use super::row::{GenerationRow, GenerationState, StateRow};
use super::{WalletStore, chain_of};
use crate::{Error, Result, prove};

/// How a wallet stands, after a try.
#[derive(Debug)]
#[non_exhaustive]
pub enum Health {
    /// Every pair of parties made a signature just now, from shares opened by a real unwrap.
    Signs,
    /// It does not sign as it stands, and what is needed to mend it is there.
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
        Ok(self.check_row(&row).await)
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
            Ok(Some(row)) if row.value.generations.iter().any(|one| one.committed) => {
                let address = row.value.account_address.clone();
                if is_known(&address) {
                    return Checked::Known;
                }
                Checked::Tried(address, self.check_row(&row).await)
            }
            Ok(_) => Checked::NeverActive,
            Err(error) => Checked::Tried(name.to_string(), of_failure(error)),
        }
    }

    async fn check_row(&self, row: &Versioned<StateRow>) -> Health {
        let state = &row.value;
        let locked = |one: &&GenerationRow| one.state == GenerationState::Locked && one.committed;
        let Some(generation) = state.active() else {
            return match state.generations.iter().find(locked) {
                Some(one) => Health::Locked {
                    why: format!("this half locked generation {}", one.generation),
                },
                None => Health::Lost {
                    why: "this half has no active generation".to_owned(),
                },
            };
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
        let shares = match self.open_active(&row.value, generation).await {
            Opened::All(shares) => shares,
            Opened::Some(opened, error) => {
                return self.partly(row, generation, opened, error).await;
            }
        };
        match prove::prove(&self.client, &shares, ProofOperation::Prove).await {
            Ok(()) => Health::Signs,
            Err(error) => of_failure(self.keep_lock(row, error).await),
        }
    }

    /// Not every active record opens: what else is there?
    async fn partly(
        &self,
        row: &Versioned<StateRow>,
        generation: &GenerationRow,
        opened: usize,
        error: Error,
    ) -> Health {
        if is_outage(&error) {
            return Health::Unchecked(Box::new(error));
        }
        // The record of the attempt is a copy of the active one.
        if self
            .open_all(&row.value, generation, Purpose::Proof)
            .await
            .is_ok()
        {
            return Health::Recoverable {
                why: format!("an active record does not open ({error}); its copy does"),
            };
        }
        if opened > 0 {
            return Health::Recoverable {
                why: format!("one customer share does not open ({error}): replace it"),
            };
        }
        let backups = self.client.key_shares(&row.value.account_address).await;
        match backups {
            Ok(backups) if !backups.is_empty() => Health::Recoverable {
                why: format!("no share opens here ({error}); the provider has backups"),
            },
            Ok(_) => Health::Lost {
                why: format!("no share of the wallet opens: {error}"),
            },
            Err(outage) => Health::Unchecked(Box::new(outage)),
        }
    }

    /// Every active share, by a real unwrap from its active name.
    async fn open_active(&self, row: &StateRow, generation: &GenerationRow) -> Opened {
        let mut shares: Vec<Arc<KeyShare>> = Vec::new();
        let mut failed = None;
        for party in PartyIndex::customers(row.scheme_of(generation)) {
            match self.open_one(row, generation, *party, Purpose::Proof).await {
                Ok(share) => shares.push(share),
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            None => Opened::All(shares),
            Some(error) => Opened::Some(shares.len(), error),
        }
    }
}

enum Checked {
    Tried(String, Health),
    Known,
    /// Nobody was given its address.
    NeverActive,
}

enum Opened {
    All(Vec<Arc<KeyShare>>),
    /// How many opened, and why another did not.
    Some(usize, Error),
}

fn is_outage(error: &Error) -> bool {
    !matches!(
        error,
        Error::Vault(
            VaultError::Corrupt { .. } | VaultError::NotFound(_) | VaultError::Environment { .. },
        ) | Error::ShareDamaged
            | Error::VaultState(_)
    )
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
