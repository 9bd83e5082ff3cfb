use core::time::Duration;

use halfkey_core::PartyIndex;
use halfkey_mpc::age::Recipient;

/// How a [`super::WalletStore`] works.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// In front of every name in the vault tier; where a store is shared, it names the environment
    /// (custody rule 23). Empty by default.
    pub prefix: String,
    /// Who stands in the audit events of this process.
    pub actor: String,
    /// Which customer party signs. In `TWO_OF_THREE` either of them can.
    pub signing_party: PartyIndex,
    /// How old a pending entry without stored shares must be before a resume aborts it (custody
    /// rule 6): a younger one may belong to a create that is still running, or to shares that an
    /// error handed to the caller.
    pub abort_after: Duration,
    /// How long [`super::WalletStore::get_or_create`] waits for another process that is making the
    /// wallet and has not stored its shares yet; then it ends that attempt and makes its own.
    pub takeover_after: Duration,
    /// How far back this half can be restored: the age of the oldest backup or replica of its
    /// records. Told to the provider with every change, which keeps earlier generations for so long
    /// (custody rule 9).
    pub backup_horizon: Duration,
    /// How many generations of one wallet are kept for the provider's horizon; a change beyond that
    /// is refused until [`super::WalletStore::sweep`] has shredded the oldest.
    pub kept_generations: usize,
    /// Whether a `TWO_OF_THREE` wallet is refused while its customer shares would lie in one vault;
    /// otherwise that is warned of once.
    pub require_distinct_vaults: bool,
    /// The escrow key that `TWO_OF_TWO` wallets must be sealed to (custody rule 30): none is made
    /// or changed while the provider seals to another key or to none. Without one, whatever key the
    /// environment has is taken, also none.
    pub escrow_key: Option<Recipient>,
    /// How long the cache tier may take per call before it is passed over.
    pub cache_deadline: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            actor: "halfkey".to_owned(),
            signing_party: PartyIndex::CUSTOMER_1,
            abort_after: Duration::from_hours(30 * 24),
            takeover_after: Duration::from_secs(30),
            backup_horizon: Duration::from_hours(30 * 24),
            kept_generations: 128,
            require_distinct_vaults: false,
            escrow_key: None,
            cache_deadline: Duration::from_millis(250),
        }
    }
}
