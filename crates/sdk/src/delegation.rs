//! Delegated access: a customer gives one share of a wallet, and a key of the wallet's own, to a
//! delegate that signs with them until it is revoked (custody rule 31).

mod client;
mod grant;
mod receive;

pub use client::{
    DelegatedEvmWalletClient, DelegatedSvmWalletClient, DelegatedWalletClient,
    DelegatedWalletClientOpts,
};
pub use grant::{DelegationOptions, Recipient};
pub use receive::{
    DecryptedWebhookData, ReceivedDelegation, decrypt_delegated_webhook_data, receive_delegation,
};

pub(crate) use grant::grant;
