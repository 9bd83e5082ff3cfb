//! [`WalletStore`]: the clients with the storage tiers underneath.

use core::fmt;
use core::time::Duration;
use std::sync::{Arc, Once};

use halfkey_core::random::os_rng;
use halfkey_core::{ChainName, PartyIndex, RequestId, ThresholdSignatureScheme, WalletProperties};
use halfkey_vault::{Access, PropertiesStore, Purpose, ReadThrough, Vault};
use tokio::sync::{Mutex, OnceCell};

use crate::{Error, Result, WalletClient};

mod activate;
mod active_copy;
mod adopt;
mod alias;
mod backup;
mod burn;
mod change;
mod contexts;
mod create;
mod delegate;
mod escrow;
mod export;
mod fall_back;
mod fall_back_to;
mod finish;
mod get_or_create;
mod guard;
mod health;
mod listed;
mod open;
mod options;
mod pin;
mod recover;
mod resume;
mod row;
mod rows;
mod settle;
mod sign;
mod stage;
mod suspects;
mod sweep;
mod view;

pub use change::Changed;
pub use contexts::StoreContexts;
pub use fall_back::PasswordSource;
pub use fall_back_to::FellBack;
pub use health::{CheckedPage, Health};
pub use listed::{Listed, UnreadableRow};
pub use options::StoreOptions;
pub use recover::Recovered;
pub use resume::{PendingEntry, ResumeTarget, Resumed, Settled};
pub use sweep::Swept;
pub use view::{StoredWallet, WalletView};

/// Creates wallets atomically and signs by address.
///
/// A create gives an address only after the share was sealed, written, read back, opened again by a
/// real unwrap, and a proof signature made from it was accepted by the provider (custody rules 7
/// and 8). Whatever stops it halfway leaves a pending entry that [`Self::resume`] settles by the
/// provider's signed word; a stored share is never thrown away.
///
/// Signing opens exactly one customer share, after the lock and the high-water record were checked
/// (custody rules 2, 11 and 13). Clones share everything. A ceremony runs to its end, with whatever
/// lock follows from it, even when the caller drops the future.
#[derive(Clone)]
pub struct WalletStore {
    client: Arc<WalletClient>,
    vault: Vault,
    /// Of the customer's second party, where it has one of its own.
    second_vault: Option<Vault>,
    cache: Arc<ReadThrough<Error>>,
    options: StoreOptions,
    pinned: Arc<OnceCell<()>>,
    /// Whether it was said that both shares of a quorum lie in one vault.
    warned: Arc<Once>,
    /// Where the passwords of the provider's backups come from, should shares be missing here.
    passwords: Option<Arc<dyn PasswordSource>>,
    /// One wallet at a time is put back.
    recovering: Arc<Mutex<()>>,
}

impl fmt::Debug for WalletStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WalletStore")
            .field("client", &self.client)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl WalletStore {
    /// A store over a client, a vault tier and a cache tier. Does nothing yet.
    pub fn new(
        client: Arc<WalletClient>,
        vault: Vault,
        properties: Arc<dyn PropertiesStore>,
        options: StoreOptions,
    ) -> Self {
        Self {
            client,
            vault,
            second_vault: None,
            cache: Arc::new(ReadThrough::new(properties, options.cache_deadline)),
            options,
            pinned: Arc::default(),
            warned: Arc::new(Once::new()),
            passwords: None,
            recovering: Arc::default(),
        }
    }

    /// The same with a vault of its own for the customer's second party: the two shares of a
    /// `TWO_OF_THREE` wallet, which are a quorum, then lie apart (custody rules 2 and 3). Rows,
    /// locks and everything else stay in the first vault. Only the caller knows whether the two
    /// have different stores, keys and operators.
    #[must_use]
    pub fn with_second_vault(mut self, vault: Vault) -> Self {
        self.second_vault = Some(vault);
        self
    }

    /// The same with another [`StoreOptions::takeover_after`].
    #[must_use]
    pub fn with_takeover_after(mut self, patience: Duration) -> Self {
        self.options.takeover_after = patience;
        self
    }

    /// Where the share of this party lies.
    fn vault_of(&self, party: PartyIndex) -> &Vault {
        match &self.second_vault {
            Some(second) if party == PartyIndex::CUSTOMER_2 => second,
            _ => &self.vault,
        }
    }

    /// Whether this process may open every share that a scheme gives the customer.
    fn can_open(&self, scheme: ThresholdSignatureScheme) -> bool {
        PartyIndex::customers(scheme)
            .iter()
            .all(|party| self.vault_of(*party).can_open())
    }

    /// Before a wallet of this scheme is made: refused, or warned of once, where both of its
    /// customer shares would lie in one vault.
    fn check_vaults(&self, scheme: ThresholdSignatureScheme) -> Result<()> {
        if scheme == ThresholdSignatureScheme::TwoOfTwo || self.second_vault.is_some() {
            return Ok(());
        }
        if self.options.require_distinct_vaults {
            return Err(Error::DistinctVaultsRequired);
        }
        self.warned.call_once(|| {
            tracing::warn!(
                "both customer shares of a TWO_OF_THREE wallet lie in one vault: whoever opens it \
                 has the key"
            );
        });
        Ok(())
    }

    /// The client underneath.
    pub const fn client(&self) -> &Arc<WalletClient> {
        &self.client
    }

    /// The properties of an active wallet: from the cache tier, else from the vault tier's row,
    /// else from the provider.
    ///
    /// # Errors
    /// [`Error::WalletNotFound`] when none of them knows the address.
    pub async fn properties(&self, address: &str) -> Result<WalletProperties> {
        let chain = chain_of(address);
        let canonical = halfkey_chain::canonical_address(chain, address)?;
        let belongs = |found: &WalletProperties| {
            let address = halfkey_chain::canonical_address(chain, &found.account_address);
            address.as_ref() == Ok(&canonical)
        };
        let fetch = || self.properties_from_source(chain, address);
        let found = self.cache.get_or_fetch(&canonical, belongs, fetch).await;
        found.map_err(Error::shared)
    }

    /// From the vault tier's row, else from the provider.
    async fn properties_from_source(
        &self,
        chain: ChainName,
        address: &str,
    ) -> Result<WalletProperties> {
        match self.find_row(chain, address).await? {
            Some(row) if row.value.active().is_some() => Ok(row.value.properties()),
            // Pending: there is no address to speak of yet.
            Some(_) => Err(Error::WalletNotFound),
            None => self.client.fetch_wallet_metadata(address).await,
        }
    }

    fn access(&self, purpose: Purpose) -> Access {
        Access {
            actor: self.options.actor.clone(),
            purpose,
            request_id: RequestId::generate(&mut os_rng()),
        }
    }
}

/// The chain an address is written for.
fn chain_of(address: &str) -> ChainName {
    if address.starts_with("0x") {
        ChainName::Evm
    } else {
        ChainName::Svm
    }
}
