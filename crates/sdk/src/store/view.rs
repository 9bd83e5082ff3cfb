//! What the store knows, for people.

use halfkey_core::wire::{ProofState, WalletSummary};
use halfkey_core::{
    AttemptId, ChainName, CustodyOrigin, Generation, KeyType, ThresholdSignatureScheme, UnixMillis,
    WalletId, WalletProperties,
};

use super::listed::Listed;
use super::row::{GenerationRow, GenerationState, StateRow};
use super::{WalletStore, chain_of};
use crate::{Error, Result};

/// One wallet, as `list` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredWallet {
    /// The address, in its chain's display form.
    pub account_address: String,
    /// The chain.
    pub chain: ChainName,
    /// The provider's id.
    pub wallet: WalletId,
    /// Parties and signers.
    pub scheme: ThresholdSignatureScheme,
    /// How the key signs, and for Ed25519 how it was made.
    pub key_type: KeyType,
    /// `active`, `locked`, `retired`, `burnt` or `aborted`.
    pub state: &'static str,
    /// What the key's history allows anyone to claim.
    pub custody_origin: CustodyOrigin,
    /// Whether the shares were seen again after keygen.
    pub proof: ProofState,
    /// The generation in that state.
    pub generation: Generation,
    /// The attempt that made it.
    pub attempt: AttemptId,
    /// Since when.
    pub generation_since: UnixMillis,
    /// When the wallet was made.
    pub created_at: UnixMillis,
}

/// One wallet, as `show` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WalletView {
    /// What is stored here.
    pub stored: StoredWallet,
    /// The wallet's properties.
    pub properties: WalletProperties,
    /// The root public key, as hex.
    pub public_key: String,
    /// The records that hold its shares.
    pub records: Vec<String>,
    /// Generations under which the provider was caught cheating.
    pub locked_generations: Vec<Generation>,
    /// What a lock means, in words; present where there is one.
    pub lock_note: Option<&'static str>,
    /// What the provider says, where it answered.
    pub provider: Option<WalletSummary>,
    /// Why it is not known what the provider says.
    pub provider_unknown: Option<String>,
}

const LOCK_NOTE: &str = "a lock ends by a refresh: halfkey wallet refresh";

impl WalletStore {
    /// Every wallet of this store that ever had an address, by name of record.
    ///
    /// # Errors
    /// When the vault tier cannot be listed or read; a damaged row only stands beside the others.
    pub async fn list(&self) -> Result<Listed<StoredWallet>> {
        let rows = self.all_rows().await?;
        let mut wallets = Vec::new();
        for row in rows.iter() {
            if let Some(generation) = shown(&row.value) {
                wallets.push(self.stored(&row.value, generation).await?);
            }
        }
        Ok(Listed::new(wallets, rows.unreadable))
    }

    /// One wallet: state, custody origin, proof, generation, locks, records, and what the provider
    /// says about it where it answers.
    ///
    /// # Errors
    /// [`Error::WalletNotFound`] when this store has no such wallet, or it is only pending.
    pub async fn show(&self, address: &str) -> Result<WalletView> {
        let row = self.row(chain_of(address), address).await?.value;
        let generation = shown(&row).ok_or(Error::WalletNotFound)?;
        let stored = self.stored(&row, generation).await?;
        let mut locked_generations = Vec::new();
        for one in &row.generations {
            if one.state == GenerationState::Locked || self.is_locked(&row, one).await? {
                locked_generations.push(one.generation);
            }
        }
        let (provider, provider_unknown) = match self.client.lookup(address).await {
            Ok(summary) => (Some(summary), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Ok(WalletView {
            stored,
            properties: row.properties(),
            public_key: row.public_key.clone(),
            records: generation
                .parties
                .iter()
                .map(|party| party.record.clone())
                .collect(),
            lock_note: (!locked_generations.is_empty()).then_some(LOCK_NOTE),
            locked_generations,
            provider,
            provider_unknown,
        })
    }

    async fn stored(&self, row: &StateRow, generation: &GenerationRow) -> Result<StoredWallet> {
        let locked =
            generation.state == GenerationState::Locked || self.is_locked(row, generation).await?;
        Ok(StoredWallet {
            account_address: row.account_address.clone(),
            chain: row.chain,
            wallet: row.wallet,
            scheme: row.scheme,
            key_type: row.key_type,
            state: if locked {
                "locked"
            } else {
                name(generation.state)
            },
            custody_origin: row.origin(),
            proof: generation.proof,
            generation: generation.generation,
            attempt: generation.attempt,
            generation_since: generation.since,
            created_at: row.created_at,
        })
    }
}

/// The generation that says most about a wallet; none for one that was never committed.
fn shown(row: &StateRow) -> Option<&GenerationRow> {
    use GenerationState::{Active, Burnt, Locked, Retired};
    [Active, Locked, Burnt, Retired]
        .into_iter()
        .find_map(|state| row.in_state(state).filter(|one| one.committed))
}

const fn name(state: GenerationState) -> &'static str {
    match state {
        GenerationState::Pending => "pending",
        GenerationState::Active => "active",
        GenerationState::Retired => "retired",
        GenerationState::Burnt => "burnt",
        GenerationState::Locked => "locked",
        GenerationState::Aborted => "aborted",
    }
}
