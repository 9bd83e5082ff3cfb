use halfkey_core::Generation;

/// What is wrong with an escrow of the provider's share, or missing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EscrowError {
    /// None is stored here of the generation that the customer's share is of, and none was given.
    #[error("no escrow of generation {0} is here")]
    Missing(Generation),
    /// It is of a generation other than that of the customer's share: the two make no key.
    #[error("it is of generation {escrow}, and your share is of generation {share}")]
    AnotherGeneration {
        /// What the escrow is of.
        escrow: Generation,
        /// What the share is of.
        share: Generation,
    },
    /// It is of another wallet.
    #[error("it is of another wallet")]
    AnotherWallet,
    /// It is of another share than the one that the provider has had since keygen.
    #[error("it is of another share than the provider's")]
    AnotherShare,
    /// It is sealed to another key than the one given.
    #[error("it is sealed to {0}, which is another key than the one given")]
    AnotherKey(String),
    /// It is cut short, was changed, or never was an escrow.
    #[error("it is damaged, or none")]
    Damaged,
    /// The provider has sealed nothing of that generation: its environment has no escrow key in
    /// force, or had none then.
    #[error("the provider has sealed nothing of that generation")]
    NotSealed,
    /// This store wants its escrow sealed to one key, and the provider seals to another or to none.
    #[error("this store requires the escrow key {required}, and the provider seals to {found}")]
    NotAsRequired {
        /// [`crate::StoreOptions::escrow_key`].
        required: String,
        /// What the provider seals to: a key, or "none".
        found: String,
    },
}

impl EscrowError {
    /// The stable name, for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "escrow_missing",
            Self::AnotherGeneration { .. } => "escrow_of_another_generation",
            Self::AnotherWallet => "escrow_of_another_wallet",
            Self::AnotherShare => "escrow_of_another_share",
            Self::AnotherKey(_) => "escrow_of_another_key",
            Self::Damaged => "escrow_damaged",
            Self::NotSealed => "escrow_not_sealed",
            Self::NotAsRequired { .. } => "escrow_not_as_required",
        }
    }
}
