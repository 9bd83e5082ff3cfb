//! The provider's share of a `TWO_OF_TWO` wallet in the customer's escrow (custody rule 30).

mod error;
mod keys;
mod rescue;

use ed25519_dalek::{Signature, VerifyingKey};
use halfkey_core::wire::{ESCROW_FORMAT, EscrowFile, EscrowReply};
use halfkey_core::{AttemptId, WalletId};
use halfkey_mpc::{KeyShare, escrow as part};

pub use error::EscrowError;
#[cfg(feature = "vault")]
pub(crate) use rescue::open;
pub use rescue::open_escrow;

use crate::client::Credential;
use crate::transport::Retry;
use crate::{Error, Result, WalletClient};

/// Reads an escrow as it was written to a file (JSON).
///
/// # Errors
/// [`EscrowError::Damaged`] for anything else.
pub fn read_escrow(text: &str) -> Result<EscrowFile> {
    let found: Option<EscrowFile> = serde_json::from_str(text).ok();
    found
        .filter(|one| one.format == ESCROW_FORMAT)
        .ok_or(Error::Escrow(EscrowError::Damaged))
}

impl WalletClient {
    /// The provider's share of a generation, sealed to the environment's escrow key; a repeat gets
    /// the same. Of a generation that is committed it takes an API token with the scope
    /// `wallet.escrow`. Its signature by the provider's identity is checked, and that it is of
    /// `attempt`; [`open_escrow`] checks the rest.
    ///
    /// # Errors
    /// [`EscrowError::NotSealed`] when nothing is sealed of it; otherwise as any call to the
    /// provider.
    pub async fn fetch_escrow(&self, wallet: WalletId, attempt: AttemptId) -> Result<EscrowFile> {
        self.escrow_by(Credential::ApiToken, wallet, attempt).await
    }

    /// The same of an attempt that is about to be committed.
    pub(crate) async fn escrow_to_commit(
        &self,
        wallet: WalletId,
        attempt: AttemptId,
    ) -> Result<EscrowFile> {
        self.escrow_by(Credential::Session, wallet, attempt).await
    }

    async fn escrow_by(
        &self,
        by: Credential,
        wallet: WalletId,
        attempt: AttemptId,
    ) -> Result<EscrowFile> {
        let (wallet_text, attempt_text) = (wallet.to_string(), attempt.to_string());
        let path = self.route(&[&wallet_text, "attempts", &attempt_text, "escrow"])?;
        let empty = serde_json::Map::new();
        let sent = self.post_by(by, &path, &empty, None, Retry::Idempotent);
        let reply: EscrowReply = sent.await.map_err(|error| match error.api_code() {
            Some(halfkey_core::wire::ErrorCode::NotFound) => Error::Escrow(EscrowError::NotSealed),
            _ => error,
        })?;
        let file = reply.escrow;
        verify(&file, &self.provider_identity().await?)?;
        if (file.wallet_id, file.attempt_id) == (wallet, attempt) {
            Ok(file)
        } else {
            Err(Error::Protocol("the escrow is of another attempt"))
        }
    }
}

/// Whether the provider's identity has signed it, label and all.
fn verify(file: &EscrowFile, identity: &VerifyingKey) -> Result<()> {
    if file.format != ESCROW_FORMAT {
        return Err(Error::Protocol("an escrow of an unknown format"));
    }
    let mut signature = [0; 64];
    hex::decode_to_slice(&file.signature, &mut signature)
        .map_err(|_| Error::Protocol("an escrow's signature is not 128 hex digits"))?;
    identity
        .verify_strict(&file.signed_bytes(), &Signature::from_bytes(&signature))
        .map_err(|_| Error::ProviderIdentityMismatch)
}

/// Whether the label is that of the provider's half of `own`: what can be told without opening it.
pub(crate) fn check_label(file: &EscrowFile, own: &KeyShare) -> Result<()> {
    let label = part::label(own)?;
    if file.environment != label.environment || file.wallet_id != label.wallet {
        return Err(EscrowError::AnotherWallet.into());
    }
    if (file.generation, file.attempt_id) != (label.generation, label.attempt) {
        return Err(EscrowError::AnotherGeneration {
            escrow: file.generation,
            share: label.generation,
        }
        .into());
    }
    if file.verifying_share != hex::encode(&label.verifying_share) {
        return Err(EscrowError::AnotherShare.into());
    }
    let chain = own.header().chain;
    let ours = halfkey_chain::address(chain, own.account_public_key())?;
    let canonical = |address: &str| halfkey_chain::canonical_address(chain, address);
    if file.chain_name != chain || canonical(&file.account_address).ok() != canonical(&ours).ok() {
        return Err(EscrowError::AnotherWallet.into());
    }
    Ok(())
}
