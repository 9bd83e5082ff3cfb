//! Backups of the customer's shares: encrypted on this side, kept by the provider (custody rule
//! 29). They reduce a `TWO_OF_TWO` wallet to the strength of the secret that protects them, since
//! the provider holds the other half: a [`RecoveryKey`] is as strong as the key itself, a password
//! is not.

mod blob;
mod bound;
mod kdf;
mod pointers;
mod recover;
mod seal;
mod secret;
mod store;
mod update_password;
mod verify_password;

pub use pointers::WalletOperation;
pub use recover::RecoveredKeyShares;
pub use seal::BackupFormat;
pub use secret::RecoveryKey;

#[cfg(feature = "vault")]
pub(crate) use pointers::Extent;
pub(crate) use pointers::info_of;
#[cfg(feature = "vault")]
pub(crate) use recover::Recovery;
pub(crate) use secret::BackupSecret;
#[cfg(feature = "vault")]
pub(crate) use store::back_up_again;
pub(crate) use store::{back_up, wanted};

#[cfg(test)]
#[expect(clippy::string_slice, reason = "the texts are ASCII")]
mod tests;
