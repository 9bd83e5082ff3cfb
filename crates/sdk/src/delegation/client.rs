//! Signing as a delegate: with the share and the wallet's API key of a delivery, and no token.

use core::fmt;

use alloy_consensus::transaction::SignableTransaction;
use alloy_consensus::{Signed, TxEnvelope};
use alloy_dyn_abi::TypedData;
use alloy_eips::eip7702::{Authorization, SignedAuthorization};
use alloy_primitives::Signature as EvmSignature;
use halfkey_core::{SecretString, ServerKeyShare, WalletProperties};

use crate::{EvmWalletClient, Result, SvmWalletClient, WalletClient, WalletClientOpts};

/// Construction options for [`DelegatedWalletClient`].
#[derive(Clone)]
#[non_exhaustive]
pub struct DelegatedWalletClientOpts {
    /// Where the provider is, and everything else about the connection.
    pub client: WalletClientOpts,
    /// The wallet's API key, as it came out of a delivery.
    pub wallet_api_key: SecretString,
}

impl fmt::Debug for DelegatedWalletClientOpts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DelegatedWalletClientOpts")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl DelegatedWalletClientOpts {
    /// Options for this environment with everything else at its default.
    pub fn new(environment_id: impl Into<String>, wallet_api_key: impl Into<SecretString>) -> Self {
        Self::with_client(WalletClientOpts::new(environment_id), wallet_api_key)
    }

    /// The same over connection options of one's own.
    pub fn with_client(client: WalletClientOpts, wallet_api_key: impl Into<SecretString>) -> Self {
        Self {
            client,
            wallet_api_key: wallet_api_key.into(),
        }
    }

    /// Where the provider is. Plain `http` is accepted for loopback only.
    #[must_use]
    pub fn base_api_url(mut self, url: impl Into<String>) -> Self {
        self.client = self.client.base_api_url(url);
        self
    }
}

/// Signs for one wallet with its API key, which is the whole credential. Nothing else is open to a
/// delegate: no other wallet, no export, no change of shares.
#[derive(Debug, Clone)]
pub struct DelegatedWalletClient {
    inner: WalletClient,
}

impl DelegatedWalletClient {
    /// A client that can sign at once. Makes no connection.
    ///
    /// # Errors
    /// As [`WalletClient::new`].
    pub fn new(opts: DelegatedWalletClientOpts) -> Result<Self> {
        let inner = WalletClient::new_delegated(opts.client, opts.wallet_api_key)?;
        Ok(Self { inner })
    }

    /// The environment.
    pub fn environment_id(&self) -> &str {
        self.inner.environment_id()
    }
}

/// Signs with a delegated EVM wallet; as [`EvmWalletClient`].
#[derive(Debug, Clone, Copy)]
pub struct DelegatedEvmWalletClient<'a> {
    inner: EvmWalletClient<'a>,
}

impl<'a> DelegatedEvmWalletClient<'a> {
    /// EVM operations over `delegated`.
    pub const fn new(delegated: &'a DelegatedWalletClient) -> Self {
        Self {
            inner: EvmWalletClient::new(&delegated.inner),
        }
    }

    /// Signs a text as EIP-191 `personal_sign`: `0x` and 130 hex digits.
    ///
    /// # Errors
    /// As [`EvmWalletClient::sign_message`]; the provider's `delegation_revoked`, `token_expired`,
    /// `scope_missing` and `stale_generation` once the delegation does not hold any more.
    pub async fn sign_message(
        &self,
        wallet_properties: &WalletProperties,
        external_server_key_shares: &[ServerKeyShare],
        message: &str,
    ) -> Result<String> {
        let shares = external_server_key_shares;
        self.inner
            .sign_message(wallet_properties, shares, message)
            .await
    }

    /// Signs bytes as EIP-191 `personal_sign`.
    ///
    /// # Errors
    /// As [`Self::sign_message`].
    pub async fn sign_message_bytes(
        &self,
        wallet_properties: &WalletProperties,
        external_server_key_shares: &[ServerKeyShare],
        message: &[u8],
    ) -> Result<String> {
        let shares = external_server_key_shares;
        self.inner
            .sign_message_bytes(wallet_properties, shares, message)
            .await
    }

    /// Signs EIP-712 typed data with its structure: `0x` and 130 hex digits.
    ///
    /// # Errors
    /// As [`Self::sign_message`].
    pub async fn sign_typed_data(
        &self,
        wallet_properties: &WalletProperties,
        external_server_key_shares: &[ServerKeyShare],
        typed_data: &TypedData,
    ) -> Result<String> {
        let shares = external_server_key_shares;
        self.inner
            .sign_typed_data(wallet_properties, shares, typed_data)
            .await
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
        let shares = external_server_key_shares;
        self.inner
            .sign_transaction(wallet_properties, shares, tx)
            .await
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
        self.inner
            .sign_transaction_to_hex(wallet_properties, shares, tx)
            .await
    }

    /// Signs an EIP-7702 authorization. Needs the scope `sign.authorization`, which no delegate has
    /// by default.
    ///
    /// # Errors
    /// As [`Self::sign_message`].
    pub async fn sign_authorization(
        &self,
        wallet_properties: &WalletProperties,
        external_server_key_shares: &[ServerKeyShare],
        authorization: Authorization,
    ) -> Result<SignedAuthorization> {
        let shares = external_server_key_shares;
        self.inner
            .sign_authorization(wallet_properties, shares, authorization)
            .await
    }
}

/// Signs with a delegated Solana wallet; as [`SvmWalletClient`].
#[derive(Debug, Clone, Copy)]
pub struct DelegatedSvmWalletClient<'a> {
    inner: SvmWalletClient<'a>,
}

impl<'a> DelegatedSvmWalletClient<'a> {
    /// Solana operations over `delegated`.
    pub const fn new(delegated: &'a DelegatedWalletClient) -> Self {
        Self {
            inner: SvmWalletClient::new(&delegated.inner),
        }
    }

    /// Signs a text; the base58 form of the 64-byte signature.
    ///
    /// # Errors
    /// As [`SvmWalletClient::sign_message`] and [`DelegatedEvmWalletClient::sign_message`].
    pub async fn sign_message(
        &self,
        wallet_properties: &WalletProperties,
        external_server_key_shares: &[ServerKeyShare],
        message: &str,
    ) -> Result<String> {
        let shares = external_server_key_shares;
        self.inner
            .sign_message(wallet_properties, shares, message)
            .await
    }

    /// Signs bytes that are no transaction message.
    ///
    /// # Errors
    /// As [`Self::sign_message`].
    pub async fn sign_message_bytes(
        &self,
        wallet_properties: &WalletProperties,
        external_server_key_shares: &[ServerKeyShare],
        message: &[u8],
    ) -> Result<String> {
        let shares = external_server_key_shares;
        self.inner
            .sign_message_bytes(wallet_properties, shares, message)
            .await
    }

    /// Signs a transaction message; the base58 form of the 64-byte signature.
    ///
    /// # Errors
    /// As [`Self::sign_message`].
    pub async fn sign_transaction(
        &self,
        wallet_properties: &WalletProperties,
        external_server_key_shares: &[ServerKeyShare],
        message_bytes: &[u8],
    ) -> Result<String> {
        let shares = external_server_key_shares;
        self.inner
            .sign_transaction(wallet_properties, shares, message_bytes)
            .await
    }
}
