//! Signing by address.

use alloy_consensus::transaction::SignableTransaction;
use alloy_consensus::{Signed, TxEnvelope};
use alloy_dyn_abi::TypedData;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_eips::eip7702::{Authorization, SignedAuthorization};
use alloy_primitives::Signature as EvmSignature;
use halfkey_chain::WirePayload;
use halfkey_core::{AttemptId, ChainName, Signature};
use halfkey_vault::Error as VaultError;

use super::{WalletStore, chain_of};
use crate::evm::hex_signature;
use crate::sign::{self, verify};
use crate::to_the_end::to_the_end;
use crate::{Error, Result, evm, svm};

impl WalletStore {
    /// Signs any unsigned alloy transaction with the wallet of `address`.
    ///
    /// # Errors
    /// See [`crate::Error`]. Proven cheating is written into the vault tier before it is returned.
    pub async fn sign_evm_transaction<T>(&self, address: &str, tx: T) -> Result<Signed<T>>
    where
        T: SignableTransaction<EvmSignature>,
    {
        let payload = evm::payload::transaction(&tx)?;
        Ok(tx.into_signed(self.sign_evm(address, &payload).await?))
    }

    /// Signs a transaction and encodes it for `eth_sendRawTransaction`, `0x` and hex.
    ///
    /// # Errors
    /// As [`Self::sign_evm_transaction`].
    pub async fn sign_evm_transaction_to_hex<T>(&self, address: &str, tx: T) -> Result<String>
    where
        T: SignableTransaction<EvmSignature>,
        TxEnvelope: From<Signed<T>>,
    {
        let envelope: TxEnvelope = self.sign_evm_transaction(address, tx).await?.into();
        Ok(format!("0x{}", hex::encode(envelope.encoded_2718())))
    }

    /// Signs bytes as EIP-191 `personal_sign`: `0x` and 130 hex digits.
    ///
    /// # Errors
    /// As [`Self::sign_evm_transaction`].
    pub async fn sign_evm_message(
        &self,
        address: &str,
        message: impl AsRef<[u8]>,
    ) -> Result<String> {
        let payload = evm::payload::message(message.as_ref())?;
        Ok(hex_signature(&self.sign_evm(address, &payload).await?))
    }

    /// Signs EIP-712 typed data with its structure: `0x` and 130 hex digits.
    ///
    /// # Errors
    /// As [`Self::sign_evm_transaction`].
    pub async fn sign_evm_typed_data(
        &self,
        address: &str,
        typed_data: &TypedData,
    ) -> Result<String> {
        let payload = evm::payload::typed_data(typed_data)?;
        Ok(hex_signature(&self.sign_evm(address, &payload).await?))
    }

    /// Signs an EIP-7702 authorization.
    ///
    /// # Errors
    /// As [`Self::sign_evm_transaction`]. Chain id 0 is refused by default.
    pub async fn sign_evm_authorization(
        &self,
        address: &str,
        authorization: Authorization,
    ) -> Result<SignedAuthorization> {
        let payload = evm::payload::authorization(&authorization)?;
        Ok(authorization.into_signed(self.sign_evm(address, &payload).await?))
    }

    /// Signs a Solana transaction message; the base58 form of the 64-byte signature.
    ///
    /// # Errors
    /// As [`crate::SvmWalletClient::sign_transaction`].
    pub async fn sign_svm_transaction(
        &self,
        address: &str,
        message_bytes: &[u8],
    ) -> Result<String> {
        let payload = svm::payload::transaction(message_bytes)?;
        svm::base58(&self.sign_payload(ChainName::Svm, address, &payload).await?)
    }

    /// Signs bytes that are no transaction message; the base58 form of the 64-byte signature.
    ///
    /// # Errors
    /// As [`crate::SvmWalletClient::sign_message`].
    pub async fn sign_svm_message(
        &self,
        address: &str,
        message: impl AsRef<[u8]>,
    ) -> Result<String> {
        let payload = svm::payload::message(message.as_ref())?;
        svm::base58(&self.sign_payload(ChainName::Svm, address, &payload).await?)
    }

    /// Signs any payload of the wallet's chain: what every other method here comes down to. See
    /// [`crate::wire_payload`] for how to make one.
    ///
    /// # Errors
    /// As [`Self::sign_evm_transaction`]; [`crate::Error::InvalidArgument`] when the payload's
    /// `request` is not what its bytes say (custody rule 19).
    pub async fn sign(&self, address: &str, payload: &WirePayload) -> Result<Signature> {
        let chain = chain_of(address);
        let context = Some(&payload.context);
        let found =
            halfkey_chain::classify(chain, &payload.message, payload.is_formatted, context)?;
        if found != payload.request {
            return Err(Error::InvalidArgument(
                "the payload's bytes say otherwise".to_owned(),
            ));
        }
        self.sign_payload(chain, address, payload).await
    }

    pub(crate) async fn sign_evm(
        &self,
        address: &str,
        payload: &WirePayload,
    ) -> Result<EvmSignature> {
        verify::evm(&self.sign_payload(ChainName::Evm, address, payload).await?)
    }

    #[tracing::instrument(level = "debug", skip_all, fields(%chain, address))]
    async fn sign_payload(
        &self,
        chain: ChainName,
        address: &str,
        payload: &WirePayload,
    ) -> Result<Signature> {
        let (mut used, mut has_fallen_back) = (None, false);
        // A change of the wallet's shares may be committed between any two steps of this: then the
        // row says so, and the new shares sign. A wallet that changes all the time has to stop.
        for _ in 0..8 {
            let error = match self.sign_once(chain, address, payload, &mut used).await {
                Err(error) if has_fallen_back => error,
                Err(error) => match self.fall_back(address, error).await {
                    Ok(()) => {
                        has_fallen_back = true;
                        continue;
                    }
                    Err(error) => error,
                },
                signed => return signed,
            };
            if !may_have_changed(&error) {
                return Err(error);
            }
            let now = self.settled_row(address).await?;
            let now = now.value.active().map(|one| one.attempt);
            if now.is_none() || now == used {
                return Err(error);
            }
        }
        Err(Error::VaultState(
            "the wallet's shares change faster than they can be used".to_owned(),
        ))
    }

    /// One try; `used` is told which generation it was made with.
    async fn sign_once(
        &self,
        chain: ChainName,
        address: &str,
        payload: &WirePayload,
        used: &mut Option<AttemptId>,
    ) -> Result<Signature> {
        *used = self.find_row(chain, address).await?.and_then(|row| {
            let active = row.value.active();
            active.map(|one| one.attempt)
        });
        let (row, share) = self.open_for_signing(chain, address).await?;
        *used = Some(share.header().attempt);
        let admitted = sign::admit(&self.client, share.header()).await?;
        let (store, payload) = (self.clone(), payload.clone());
        to_the_end(async move {
            match sign::run(&store.client, &share, &payload, admitted).await {
                Ok(signature) => Ok(signature),
                Err(error) => Err(store.keep_account(&row, share.header(), error).await),
            }
        })
        .await
    }
}

/// Failures that a change committed meanwhile explains; all of them from before anything was
/// signed.
const fn may_have_changed(error: &Error) -> bool {
    matches!(
        error,
        Error::ShareOfAnotherGeneration { .. }
            | Error::VaultState(_)
            | Error::Vault(VaultError::Corrupt { .. } | VaultError::NotFound(_))
    )
}
