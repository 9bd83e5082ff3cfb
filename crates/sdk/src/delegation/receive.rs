//! The delegate's side of a delivery.

use halfkey_core::{EnvironmentId, SecretString, ServerKeyShare, WalletProperties};
use halfkey_envelope::{DelegationData, Delivered, EncryptedDelegatedPayload, PrivateKey};

use crate::sign::share;
use crate::{Error, Result};

/// What was in a delivery.
#[derive(Clone)]
pub struct DecryptedWebhookData {
    /// The customer's share. Belongs in a vault tier.
    pub server_key_share: ServerKeyShare,
    /// The key for [`crate::DelegatedWalletClientOpts`]. Belongs in a vault tier.
    pub wallet_api_key: SecretString,
}

halfkey_core::redacted_debug!(DecryptedWebhookData);

/// Decrypts the two parts of a `wallet.delegation.created` webhook with the delegate's RSA private
/// key, PKCS#8 PEM. [`receive_delegation`] also checks that they are of the wallet they are said to
/// be of.
///
/// # Errors
/// [`Error::Envelope`], saying what is wrong and with which part of it.
pub fn decrypt_delegated_webhook_data(
    rsa_private_key_pem: &str,
    encrypted_server_key_share: &EncryptedDelegatedPayload,
    encrypted_wallet_api_key: &EncryptedDelegatedPayload,
) -> Result<DecryptedWebhookData> {
    let key = PrivateKey::from_pem(rsa_private_key_pem)?;
    let Delivered {
        server_key_share,
        wallet_api_key,
    } = Delivered::open(&key, encrypted_server_key_share, encrypted_wallet_api_key)?;
    Ok(DecryptedWebhookData {
        server_key_share,
        wallet_api_key,
    })
}

/// A delegation that can be used.
#[derive(Clone)]
pub struct ReceivedDelegation {
    /// The wallet, as the share itself describes it.
    pub wallet_properties: WalletProperties,
    /// The share and the wallet's API key.
    pub data: DecryptedWebhookData,
    /// The delegation's id, where the provider told it.
    pub delegation_id: Option<String>,
    /// When the wallet's API key ends by itself, RFC 3339, where the provider told it.
    pub expires_at: Option<String>,
}

impl core::fmt::Debug for ReceivedDelegation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ReceivedDelegation")
            .field("wallet_properties", &self.wallet_properties)
            .field("delegation_id", &self.delegation_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Opens a delegation and checks that the share is a customer's, of this environment, and of the
/// wallet and address the delivery names: whoever carried it cannot have put another one in.
///
/// # Errors
/// [`Error::Envelope`]; [`Error::ShareDamaged`], [`Error::ShareOfAnotherEnvironment`] and
/// [`Error::ShareOfAnotherWallet`] for a share that is not the one it should be.
pub fn receive_delegation(
    key: &PrivateKey,
    environment_id: &str,
    delivery: &DelegationData,
) -> Result<ReceivedDelegation> {
    let environment: EnvironmentId = environment_id.parse()?;
    let Delivered {
        server_key_share,
        wallet_api_key,
    } = Delivered::open(
        key,
        &delivery.encrypted_delegated_share,
        &delivery.encrypted_wallet_api_key,
    )?;
    let share = share::decode(&server_key_share)?;
    let header = share.header();
    if header.environment != environment {
        return Err(Error::ShareOfAnotherEnvironment);
    }
    if header.party.role() != halfkey_core::Role::Customer {
        return Err(Error::ShareOfAnotherParty);
    }
    let wallet_properties = share::properties(&share)?;
    let told = halfkey_chain::canonical_address(delivery.chain, &delivery.public_key)?;
    let same = header.wallet == delivery.wallet_id
        && header.chain == delivery.chain
        && halfkey_chain::canonical_address(header.chain, &wallet_properties.account_address)?
            == told;
    if !same {
        return Err(Error::ShareOfAnotherWallet);
    }
    Ok(ReceivedDelegation {
        wallet_properties,
        data: DecryptedWebhookData {
            server_key_share,
            wallet_api_key,
        },
        delegation_id: delivery.delegation_id.clone(),
        expires_at: delivery.expires_at.clone(),
    })
}
