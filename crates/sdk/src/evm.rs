//! EVM wallets.

use alloy_consensus::transaction::SignableTransaction;
use alloy_consensus::{Signed, TxEnvelope};
use alloy_dyn_abi::TypedData;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_eips::eip7702::{Authorization, SignedAuthorization};
use alloy_primitives::Signature as EvmSignature;
use halfkey_chain::WirePayload;
use halfkey_core::{ChainName, ServerKeyShare, ThresholdSignatureScheme, WalletProperties};

use crate::backup;
use crate::keygen::{self, CreateOptions};
use crate::sign::{share, verify};
use crate::{PendingWallet, PrivateKey, Result, WalletClient, prove};

pub(crate) mod payload;
mod settle;

pub(crate) use settle::sign_or_settle;

/// Creates EVM wallets and signs with them. Stateless: every call takes the wallet's properties and
/// shares.
#[derive(Debug, Clone, Copy)]
pub struct EvmWalletClient<'a> {
    inner: &'a WalletClient,
}

impl<'a> EvmWalletClient<'a> {
    /// EVM operations over `inner`.
    pub const fn new(inner: &'a WalletClient) -> Self {
        Self { inner }
    }

    /// Creates a wallet and activates it at once as `unproven` (custody rule 8); `WalletStore` or
    /// [`Self::create_wallet_account_pending`] do better. The properties carry the EIP-55 address.
    ///
    /// With `back_up_to_provider` the shares are first encrypted under `password`, on this side,
    /// and stored with the provider; the properties say where. `password` may be the text of a
    /// [`crate::RecoveryKey`].
    ///
    /// # Errors
    /// [`crate::Error::PasswordRequired`] and [`crate::Error::PasswordRefused`] before keygen.
    /// [`crate::Error::NotActivated`] carries the shares when a step after keygen fails, the
    /// backup among them.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn create_wallet_account(
        &self,
        threshold_signature_scheme: ThresholdSignatureScheme,
        password: Option<String>,
        back_up_to_provider: bool,
    ) -> Result<(WalletProperties, Vec<ServerKeyShare>)> {
        let backup = backup::wanted(self.inner, password, back_up_to_provider)?;
        let options = CreateOptions::default();
        self.create_wallet_account_pending(threshold_signature_scheme, &options)
            .await?
            .back_up_and_activate(backup)
            .await
    }

    /// Creates a wallet that does not sign yet: store its shares, prove them, then activate it.
    ///
    /// # Errors
    /// As keygen fails; afterwards nothing is lost without an error that carries the shares.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn create_wallet_account_pending(
        &self,
        threshold_signature_scheme: ThresholdSignatureScheme,
        options: &CreateOptions,
    ) -> Result<PendingWallet> {
        let scheme = threshold_signature_scheme;
        let generated = keygen::keygen(self.inner, ChainName::Evm, scheme, options, None).await?;
        PendingWallet::new(self.inner, generated)
    }

    /// Makes a wallet of a key made elsewhere: the provider never sees it, and the OT state is new.
    /// Otherwise as [`Self::create_wallet_account_pending`]. Needs an API token with the scope
    /// `wallet.import`; drop the key as soon as the wallet is stored.
    ///
    /// # Errors
    /// [`crate::Error::InvalidArgument`] for a key of another chain; the provider's
    /// `wallet_exists` when the address belongs to a wallet already.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn import_private_key(
        &self,
        threshold_signature_scheme: ThresholdSignatureScheme,
        key: &PrivateKey,
        options: &CreateOptions,
    ) -> Result<PendingWallet> {
        let scheme = threshold_signature_scheme;
        let chain = ChainName::Evm;
        let generated = keygen::import(self.inner, chain, scheme, options, key).await?;
        PendingWallet::new(self.inner, generated)
    }

    /// Shows the provider that the shares of an active wallet were stored: marks it `proven`
    /// (custody rule 8). Takes all of the customer's shares, as they were loaded again.
    ///
    /// # Errors
    /// As signing.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn prove(
        &self,
        wallet_properties: &WalletProperties,
        external_server_key_shares: &[ServerKeyShare],
    ) -> Result<()> {
        let shares = external_server_key_shares;
        prove::prove_active(self.inner, ChainName::Evm, wallet_properties, shares).await
    }

    /// Signs a text as EIP-191 `personal_sign`. `0x` and 130 hex digits: r, s, v (27 or 28).
    ///
    /// # Errors
    /// See [`crate::Error`]; nothing that does not verify is ever returned.
    pub async fn sign_message(
        &self,
        wallet_properties: &WalletProperties,
        external_server_key_shares: &[ServerKeyShare],
        message: &str,
    ) -> Result<String> {
        let bytes = message.as_bytes();
        self.sign_message_bytes(wallet_properties, external_server_key_shares, bytes)
            .await
    }

    /// Signs bytes as EIP-191 `personal_sign`; see [`Self::sign_message`].
    ///
    /// # Errors
    /// As [`Self::sign_message`]. 32 bytes look like a hash and count as blind (custody rule 19).
    pub async fn sign_message_bytes(
        &self,
        wallet_properties: &WalletProperties,
        external_server_key_shares: &[ServerKeyShare],
        message: &[u8],
    ) -> Result<String> {
        let payload = payload::message(message)?;
        let shares = external_server_key_shares;
        Ok(hex_signature(
            &self.sign(wallet_properties, shares, &payload).await?,
        ))
    }

    /// Signs EIP-712 typed data, sending its structure along with the digest. `0x` and 130 hex
    /// digits.
    ///
    /// # Errors
    /// As [`Self::sign_message`]; [`crate::Error::Payload`] when the types do not fit the data.
    pub async fn sign_typed_data(
        &self,
        wallet_properties: &WalletProperties,
        external_server_key_shares: &[ServerKeyShare],
        typed_data: &TypedData,
    ) -> Result<String> {
        let payload = payload::typed_data(typed_data)?;
        let shares = external_server_key_shares;
        Ok(hex_signature(
            &self.sign(wallet_properties, shares, &payload).await?,
        ))
    }

    /// Signs any unsigned alloy transaction.
    ///
    /// # Errors
    /// As [`Self::sign_message`].
    pub async fn sign_transaction<T>(
        &self,
        wallet_properties: &WalletProperties,
        external_server_key_shares: &[ServerKeyShare],
        tx: T,
    ) -> Result<Signed<T>>
    where
        T: SignableTransaction<EvmSignature>,
    {
        let payload = payload::transaction(&tx)?;
        let shares = external_server_key_shares;
        let signature = self.sign(wallet_properties, shares, &payload).await?;
        Ok(tx.into_signed(signature))
    }

    /// Signs a transaction and encodes it for `eth_sendRawTransaction`, `0x` and hex.
    ///
    /// # Errors
    /// As [`Self::sign_message`].
    pub async fn sign_transaction_to_hex<T>(
        &self,
        wallet_properties: &WalletProperties,
        external_server_key_shares: &[ServerKeyShare],
        tx: T,
    ) -> Result<String>
    where
        T: SignableTransaction<EvmSignature>,
        TxEnvelope: From<Signed<T>>,
    {
        let shares = external_server_key_shares;
        let signed = self.sign_transaction(wallet_properties, shares, tx).await?;
        let envelope: TxEnvelope = signed.into();
        Ok(format!("0x{}", hex::encode(envelope.encoded_2718())))
    }

    /// Signs an EIP-7702 authorization: lets `authorization.address` act as the wallet's code.
    ///
    /// # Errors
    /// As [`Self::sign_message`]. Chain id 0 (valid on every chain) is refused by default.
    pub async fn sign_authorization(
        &self,
        wallet_properties: &WalletProperties,
        external_server_key_shares: &[ServerKeyShare],
        authorization: Authorization,
    ) -> Result<SignedAuthorization> {
        let payload = payload::authorization(&authorization)?;
        let shares = external_server_key_shares;
        let signature = self.sign(wallet_properties, shares, &payload).await?;
        Ok(authorization.into_signed(signature))
    }

    pub(crate) async fn sign(
        &self,
        properties: &WalletProperties,
        shares: &[ServerKeyShare],
        payload: &WirePayload,
    ) -> Result<EvmSignature> {
        let share = share::one(self.inner, ChainName::Evm, properties, shares).await?;
        let signature = sign_or_settle(self.inner, &share, shares, payload).await?;
        verify::evm(&signature)
    }
}

/// `0x`, r, s, v with v 27 or 28.
pub(crate) fn hex_signature(signature: &EvmSignature) -> String {
    format!("0x{}", hex::encode(signature.as_bytes()))
}
