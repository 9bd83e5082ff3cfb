//! Why an operation failed, and who is at fault.

use std::sync::Arc;

use halfkey_core::wire::ErrorCode;
use halfkey_core::{AttemptId, Fault, Generation, ParseError};

use crate::LockToken;

mod api_error;
mod code;
mod network;
mod unactivated;

pub use api_error::ApiError;
#[cfg(feature = "vault")]
pub use code::vault_code;
pub use network::{NetworkError, NetworkKind};
pub use unactivated::Unactivated;
pub(crate) use unactivated::carry;

/// Why an operation failed. [`Error::fault`] says who has to act, [`Error::code`] is stable.
///
/// No text quotes a secret, a payload or a reply. Two variants matter more than the others:
/// [`Error::NotActivated`] hands back shares that exist nowhere else, and
/// [`Error::PeerMisbehaved`] carries a lock that a bare caller has to keep.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument that can never work as it stands.
    #[error("{0}")]
    InvalidArgument(String),
    /// Plain HTTP to anything but this machine.
    #[error("refusing plain http to a host that is not loopback; use https")]
    InsecureUrl,
    /// No token was given yet.
    #[error("not authenticated; call authenticate_api_token first")]
    NotAuthenticated,
    /// The provider refused the token.
    #[error("authentication failed: {0}")]
    Authentication(Box<ApiError>),
    /// A backup at the provider was asked for without the password that would protect it, or one
    /// that has a password was to be opened without.
    #[error("a backup at the provider needs a password")]
    PasswordRequired,
    /// A password that everybody knows protects no backup (custody rule 29).
    #[error("the environment id protects no backup: take a password or a recovery key")]
    PasswordRefused,
    /// The password does not open the backup. Of a `v1` or `v2` backup it cannot be told whether it
    /// is damaged instead.
    #[error("the password does not open the backup")]
    WrongPassword,
    /// A backup that is half there, altered, or none.
    #[error("the backup is damaged: {0}")]
    BackupDamaged(&'static str),
    /// A backup whose key would be stretched too little to protect it, or so much that it harms
    /// whoever opens it. Nothing of it was tried.
    #[error("the backup's key derivation is refused: {0}")]
    BackupParameters(&'static str),
    /// A feature this version does not have.
    #[error("not supported: {0}")]
    Unsupported(&'static str),
    /// Nobody holds the part of the wallet properties that the operation needs, or the properties
    /// do not agree with the share.
    #[error("wallet properties do not fit the share: {0}; fetch them again")]
    StaleWalletProperties(&'static str),

    /// No share was given.
    #[error("no key share given")]
    NoShare,
    /// The share cannot be read.
    #[error("key share is damaged or truncated")]
    ShareDamaged,
    /// The share belongs to another environment.
    #[error("key share belongs to another environment")]
    ShareOfAnotherEnvironment,
    /// The share belongs to another wallet.
    #[error("key share belongs to another wallet")]
    ShareOfAnotherWallet,
    /// The share is not one of the customer's parties, or not the party it is stored for.
    #[error("key share belongs to another party")]
    ShareOfAnotherParty,
    /// The share is of a generation that is not the active one.
    #[error("key share is of generation {share}, which is not the active one")]
    ShareOfAnotherGeneration {
        /// The share's generation.
        share: Generation,
    },

    /// As many ceremonies of the wallet as custody rule 13 allows were under way in this process
    /// until the deadline. Nothing was sent.
    #[error("too many signatures of this wallet at once")]
    TooManySignatures,
    /// There is no such wallet in this environment.
    #[error("no such wallet in this environment")]
    WalletNotFound,
    /// The wallet is locked on this side after proven cheating.
    #[error("wallet is locked under generation {generation}; a refresh ends that")]
    WalletLocked {
        /// The locked generation.
        generation: Generation,
    },
    /// The wallet fell back to an earlier generation; only a refresh lets it sign again.
    #[error(
        "wallet fell back to generation {generation} below {high_water}: refresh it before it signs"
    )]
    FellBack {
        /// What it fell back to.
        generation: Generation,
        /// The highest generation it ever had.
        high_water: Generation,
    },
    /// A generation that cannot be fallen back to.
    #[error("generation {generation} cannot be recovered: {why}")]
    NotRecoverable {
        /// The generation asked for.
        generation: Generation,
        /// What speaks against it.
        why: &'static str,
    },
    /// The provider's restore epoch is not above the one this half knows: nothing was restored
    /// since, or an old answer was repeated.
    #[error("restore epoch {told} is not above {known}, which this half knows already")]
    RestoreEpochUsed {
        /// What was told.
        told: u64,
        /// What is known.
        known: u64,
    },
    /// So many earlier generations are kept for the provider's horizon that no other may follow.
    #[error(
        "{kept} of at most {limit} earlier generations are kept for the provider's backup horizon: \
         shred those beyond it (halfkey wallet sweep), or wait until the oldest is"
    )]
    TooManyChanges {
        /// How many are kept.
        kept: usize,
        /// How many may be.
        limit: usize,
    },
    /// The provider proved to have cheated. Never retry; keep the token (custody rule 13).
    #[error("the provider misbehaved: {}; generation {} is locked", .lock.check, .lock.generation)]
    PeerMisbehaved {
        /// What a bare caller has to persist.
        lock: Box<LockToken>,
    },
    /// The lock could not be written to the vault tier; it holds in this process only.
    #[error("the provider misbehaved and the lock could not be stored: {source}")]
    LockNotStored {
        /// What has to be persisted.
        lock: Box<LockToken>,
        /// Why it was not stored.
        source: Box<Error>,
    },
    /// It failed after the customer's last message, so a signature may exist. Sign the same bytes
    /// again; never build a replacement (custody rule 22).
    #[error("outcome unknown for {digest}; sign the same payload again: {source}")]
    OutcomeUnknown {
        /// The digest (ECDSA) or SHA-256 of the message (Ed25519), as hex.
        digest: String,
        /// What happened.
        source: Box<Error>,
    },
    /// The wallet was not activated; its shares are inside (custody rule 8).
    #[error(transparent)]
    NotActivated(Box<Unactivated>),
    /// The wallet's shares are stored, but it is not active yet; resume it.
    #[error("wallet left pending as attempt {attempt}: {source}")]
    LeftPending {
        /// The attempt to resume.
        attempt: AttemptId,
        /// Why it was not finished.
        source: Box<Error>,
    },
    /// Both customer shares of a `TWO_OF_THREE` wallet would lie in one vault, and that is not
    /// wanted.
    #[error("a TWO_OF_THREE wallet needs a vault of its own for each customer party")]
    DistinctVaultsRequired,
    /// This process holds no right to open shares, so another one has to finish.
    #[error("this process may not open shares")]
    CannotOpen,
    /// Another wallet has the alias or idempotency key, or is just being made under it.
    #[error("another wallet has this alias or idempotency key")]
    NameTaken,
    /// The attempt was aborted for good.
    #[error("attempt {0} was aborted")]
    AttemptAborted(AttemptId),
    /// The vault tier holds no share of the wallet, and none came from the provider's backup.
    #[error("no share of the wallet: {vault}; {provider}")]
    SharesMissing {
        /// What is missing in the vault tier.
        vault: String,
        /// What the provider has, and why nothing came of it.
        provider: String,
    },
    /// Something that the vault tier must hold is not there, or is older than what was active.
    #[error("vault tier: {0}")]
    VaultState(String),

    /// The escrow of the provider's share is missing, or does not fit (custody rule 30).
    #[error("escrow: {0}")]
    Escrow(#[from] crate::EscrowError),

    /// The provider's identity was not configured and is not pinned.
    #[error("the provider's identity is not configured; see `halfkey init` on the provider")]
    ProviderIdentityRequired,
    /// The provider is not the one that was configured or pinned.
    #[error("the provider's identity is not the one expected")]
    ProviderIdentityMismatch,
    /// The provider answered with an error.
    #[error(transparent)]
    Api(Box<ApiError>),
    /// The provider could not be reached, or its answer did not arrive.
    #[error(transparent)]
    Network(Box<NetworkError>),
    /// The provider's answer makes no sense.
    #[error("provider's answer: {0}")]
    Protocol(&'static str),
    /// What came out of the ceremony is not a signature by the wallet's key.
    #[error("the signature does not verify against the wallet's address")]
    BadSignature,
    /// A payload that the operation does not sign.
    #[error("payload: {0}")]
    Payload(#[from] halfkey_chain::Error),
    /// A ceremony ended without a result.
    #[error("ceremony: {0}")]
    Ceremony(halfkey_mpc::Error),
    /// A delegation's envelope, or a key for it, that will not do.
    #[error("delegation: {0}")]
    Envelope(#[from] halfkey_envelope::Error),
    /// The storage tiers failed.
    #[cfg(feature = "vault")]
    #[error("vault: {0}")]
    Vault(#[from] halfkey_vault::Error),
    /// Several calls waited for one answer, and this is what it was.
    #[error(transparent)]
    Shared(Arc<Error>),
    /// An invariant of ours does not hold.
    #[error("internal: {0}")]
    Bug(&'static str),
}

impl Error {
    /// The error itself where nobody else waits for it.
    #[cfg(feature = "vault")]
    pub(crate) fn shared(error: Arc<Self>) -> Self {
        Arc::try_unwrap(error).unwrap_or_else(Self::Shared)
    }

    /// Who has to act for the same call to succeed.
    pub fn fault(&self) -> Fault {
        match self {
            Self::PeerMisbehaved { .. } | Self::LockNotStored { .. } => Fault::Peer,
            Self::OutcomeUnknown { source, .. } | Self::LeftPending { source, .. } => {
                source.fault()
            }
            Self::NotActivated(inner) => inner.source.fault(),
            Self::Authentication(api) | Self::Api(api) => api.fault,
            Self::Network(_) | Self::TooManySignatures => Fault::BackendTemporary,
            Self::Ceremony(inner) => inner.fault(),
            Self::Envelope(inner) => inner.fault(),
            #[cfg(feature = "vault")]
            Self::Vault(inner) => inner.fault(),
            Self::Shared(inner) => inner.fault(),
            Self::Bug(_) => Fault::Bug,
            Self::WalletLocked { .. }
            | Self::FellBack { .. }
            | Self::RestoreEpochUsed { .. }
            | Self::AttemptAborted(_)
            | Self::VaultState(_)
            | Self::SharesMissing { .. }
            | Self::Escrow(_)
            | Self::BackupDamaged(_)
            | Self::BackupParameters(_)
            | Self::Protocol(_)
            | Self::BadSignature => Fault::BackendPermanent,
            _ => Fault::Caller,
        }
    }

    /// Whether the unchanged call may succeed later. Never after proven cheating.
    pub fn is_retryable(&self) -> bool {
        self.fault().is_retryable()
    }

    /// The shares that exist nowhere else, where the error, or what it came from, carries any.
    pub fn into_shares(self) -> Option<Vec<halfkey_core::ServerKeyShare>> {
        match self {
            Self::NotActivated(inner) => Some(inner.shares),
            Self::OutcomeUnknown { source, .. } | Self::LeftPending { source, .. } => {
                source.into_shares()
            }
            _ => None,
        }
    }

    /// The lock to persist, where the error, or what it came from, carries one.
    pub fn lock_token(&self) -> Option<&LockToken> {
        match self {
            Self::PeerMisbehaved { lock } | Self::LockNotStored { lock, .. } => Some(lock),
            _ => self.inner().and_then(Self::lock_token),
        }
    }

    /// The lock that no vault tier holds yet: it ends with this process unless the caller keeps it
    /// and gives it to [`crate::WalletStore::restore_lock`] later (custody rule 13).
    #[cfg(feature = "vault")]
    pub fn unstored_lock(&self) -> Option<&LockToken> {
        match self {
            Self::LockNotStored { lock, .. } => Some(lock),
            _ => self.inner().and_then(Self::unstored_lock),
        }
    }

    /// The error that this one only wraps.
    fn inner(&self) -> Option<&Self> {
        match self {
            Self::OutcomeUnknown { source, .. } | Self::LeftPending { source, .. } => Some(source),
            Self::NotActivated(inner) => Some(&inner.source),
            Self::Shared(inner) => Some(inner),
            _ => None,
        }
    }

    /// The provider's own code, where it answered with one.
    pub fn api_code(&self) -> Option<ErrorCode> {
        match self {
            Self::Api(api) | Self::Authentication(api) => Some(api.code),
            _ => self.inner().and_then(Self::api_code),
        }
    }

    /// How long the provider asked to wait, where it did.
    pub fn retry_after(&self) -> Option<core::time::Duration> {
        match self {
            Self::Api(api) | Self::Authentication(api) => api.retry_after,
            Self::Shared(inner) => inner.retry_after(),
            _ => None,
        }
    }
}

impl From<halfkey_mpc::Error> for Error {
    fn from(error: halfkey_mpc::Error) -> Self {
        use halfkey_mpc::error::ShareError;
        match error {
            halfkey_mpc::Error::Share(ShareError::Damaged | ShareError::UnknownVersion(_)) => {
                Self::ShareDamaged
            }
            other => Self::Ceremony(other),
        }
    }
}

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Self {
        Self::InvalidArgument(error.to_string())
    }
}
