//! The customer's half of Halfkey: stateless wallet clients, and the [`WalletStore`] that keeps
//! their state.
//!
//! The clients hold no wallet state between calls: every operation takes [`WalletProperties`] and
//! [`ServerKeyShare`]s and gives them back. [`WalletStore`] (feature `vault`, on by default) puts
//! the storage tiers underneath: it creates wallets atomically and signs by address.
//!
//! Messages between the customer's own two parties of a `TWO_OF_THREE` wallet never leave the
//! process (custody rule 1); every signature is verified against the wallet's address before it is
//! returned.

mod backup;
mod ceremony;
mod change;
mod client;
mod delegation;
mod error;
mod escrow;
mod evm;
mod export;
mod freeze;
mod identity;
mod import;
mod keygen;
mod lock_token;
mod opts;
mod pending_wallet;
mod prove;
mod seal_hint;
mod sign;
mod svm;
mod to_the_end;
mod transport;

#[cfg(feature = "alloy")]
mod alloy_signer;
#[cfg(feature = "vault")]
mod store;

#[cfg(feature = "alloy")]
pub use alloy_signer::AlloySigner;
#[cfg(feature = "vault")]
pub use store::{
    Changed, CheckedPage, FellBack, Health, Listed, PasswordSource, PendingEntry, Recovered,
    ResumeTarget, Resumed, Settled, StoreContexts, StoreOptions, StoredWallet, Swept,
    UnreadableRow, WalletStore, WalletView,
};

pub use backup::{BackupFormat, RecoveredKeyShares, RecoveryKey, WalletOperation};
pub use client::WalletClient;
pub use delegation::{
    DecryptedWebhookData, DelegatedEvmWalletClient, DelegatedSvmWalletClient,
    DelegatedWalletClient, DelegatedWalletClientOpts, DelegationOptions, ReceivedDelegation,
    Recipient, decrypt_delegated_webhook_data, receive_delegation,
};
#[cfg(feature = "vault")]
pub use error::vault_code;
pub use error::{ApiError, Error, NetworkError, NetworkKind, Unactivated};
pub use escrow::{EscrowError, open_escrow, read_escrow};
pub use evm::EvmWalletClient;
pub use export::SealedKey;
pub use halfkey_mpc::RootKey;
pub use halfkey_mpc::age;
pub use identity::{ProviderIdentity, fingerprint};
pub use import::{KeyPath, Mnemonic, PrivateKey};
pub use keygen::CreateOptions;
pub use lock_token::LockToken;
pub use opts::{BodyFormat, Timeouts, WalletClientOpts};
pub use pending_wallet::PendingWallet;
pub use seal_hint::SealHint;
pub use svm::SvmWalletClient;

pub use halfkey_envelope::{
    DelegationData, EncryptedDelegatedPayload, PrivateKey as DelegationPrivateKey, RecipientKey,
};

pub use alloy_consensus;
pub use alloy_dyn_abi;
pub use alloy_eips;
pub use alloy_primitives;
pub use halfkey_chain::{WirePayload, wire_payload};
pub use halfkey_core::wire::{
    AttemptReply, AttemptState, DelegationInfo, DelegationKey, DeliverShareReply, ErrorCode,
    EscrowFile, EscrowKeysReply, Event, EventsReply, ExportRecipient, Freeze, ListReply,
    RecipientsReply, RevokeManyReply, RevokedWallet, WalletKeyScope, WalletState, WalletSummary,
};
pub use halfkey_core::{
    AttemptId, BackupLocation, BackupLocationInfo, ChainName, CustodyOrigin, EnvironmentId, Fault,
    Generation, KeyShareBackupInfo, PartyIndex, ServerKeyShare, Signature,
    ThresholdSignatureScheme, Variant, WalletId, WalletProperties,
};

/// The result of this crate's operations.
pub type Result<T> = core::result::Result<T, Error>;
