//! Solana wallets.

use halfkey_chain::WirePayload;
use halfkey_core::{
    ChainName, ServerKeyShare, Signature, ThresholdSignatureScheme, Variant, WalletProperties,
};

use crate::backup;
use crate::evm::sign_or_settle;
use crate::keygen::{self, CreateOptions};
use crate::sign::share;
use crate::{Error, PendingWallet, PrivateKey, Result, WalletClient, prove};

pub(crate) mod payload;

/// Creates Solana wallets and signs with them. Stateless: every call takes the wallet's properties
/// and shares.
#[derive(Debug, Clone, Copy)]
pub struct SvmWalletClient<'a> {
    inner: &'a WalletClient,
    variant: Variant,
}

impl<'a> SvmWalletClient<'a> {
    /// Solana operations over `inner`; new wallets are exportable.
    pub const fn new(inner: &'a WalletClient) -> Self {
        Self {
            inner,
            variant: Variant::Ed25519Exportable,
        }
    }

    /// The same, making new wallets of this variant.
    #[must_use]
    pub const fn with_variant(mut self, variant: Variant) -> Self {
        self.variant = variant;
        self
    }

    /// Creates a wallet and activates it at once as `unproven` (custody rule 8); `WalletStore` or
    /// [`Self::create_wallet_account_pending`] do better. The properties carry the base58 address.
    ///
    /// With `back_up_to_provider` the shares are first encrypted under `password`, on this side,
    /// and stored with the provider; the properties say where. `password` may be the text of a
    /// [`crate::RecoveryKey`].
    ///
    /// # Errors
    /// [`Error::PasswordRequired`] and [`Error::PasswordRefused`] before keygen.
    /// [`Error::NotActivated`] carries the shares when a step after keygen fails, the backup among
    /// them.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn create_wallet_account(
        &self,
        threshold_signature_scheme: ThresholdSignatureScheme,
        password: Option<String>,
        back_up_to_provider: bool,
    ) -> Result<(WalletProperties, Vec<ServerKeyShare>)> {
        let backup = backup::wanted(self.inner, password, back_up_to_provider)?;
        let options = CreateOptions {
            variant: self.variant,
            ..CreateOptions::default()
        };
        self.create_wallet_account_pending(threshold_signature_scheme, &options)
            .await?
            .back_up_and_activate(backup)
            .await
    }

    /// Creates a wallet that does not sign yet: store its shares, prove them, then activate it. The
    /// variant is the one in `options`.
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
        let generated = keygen::keygen(self.inner, ChainName::Svm, scheme, options, None).await?;
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
        let chain = ChainName::Svm;
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
        prove::prove_active(self.inner, ChainName::Svm, wallet_properties, shares).await
    }

    /// Signs a text; the base58 form of the 64-byte signature.
    ///
    /// # Errors
    /// See [`Error`]; a text whose bytes are a transaction message is refused.
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

    /// Signs bytes; see [`Self::sign_message`].
    ///
    /// # Errors
    /// As [`Self::sign_message`].
    pub async fn sign_message_bytes(
        &self,
        wallet_properties: &WalletProperties,
        external_server_key_shares: &[ServerKeyShare],
        message: &[u8],
    ) -> Result<String> {
        let payload = payload::message(message)?;
        self.sign(wallet_properties, external_server_key_shares, &payload)
            .await
    }

    /// Signs a transaction *message* (`transaction.message.serialize()`), not a whole serialized
    /// transaction. The base58 form of the 64-byte signature, for the wallet's slot.
    ///
    /// # Errors
    /// As [`Self::sign_message`]; [`Error::InvalidArgument`] for anything but a message.
    pub async fn sign_transaction(
        &self,
        wallet_properties: &WalletProperties,
        external_server_key_shares: &[ServerKeyShare],
        message_bytes: &[u8],
    ) -> Result<String> {
        let payload = payload::transaction(message_bytes)?;
        self.sign(wallet_properties, external_server_key_shares, &payload)
            .await
    }

    async fn sign(
        &self,
        properties: &WalletProperties,
        shares: &[ServerKeyShare],
        payload: &WirePayload,
    ) -> Result<String> {
        let share = share::one(self.inner, ChainName::Svm, properties, shares).await?;
        let signature = sign_or_settle(self.inner, &share, shares, payload).await?;
        base58(&signature)
    }
}

/// The signature as Solana's tools print it.
pub(crate) fn base58(signature: &Signature) -> Result<String> {
    match signature {
        Signature::Ed25519(bytes) => Ok(bs58::encode(bytes).into_string()),
        Signature::Ecdsa { .. } => Err(Error::BadSignature),
    }
}
