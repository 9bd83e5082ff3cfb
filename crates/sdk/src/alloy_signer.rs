//! An alloy signer that carries whole payloads, never bare hashes.

use core::fmt;
use std::sync::Arc;

use alloy_consensus::SignableTransaction;
use alloy_dyn_abi::TypedData;
use alloy_network::{TxSigner, impl_into_wallet};
use alloy_primitives::{Address, B256, ChainId, Signature as EvmSignature};
use alloy_signer::{Error as SignerError, Signer, UnsupportedSignerOperation};
use async_trait::async_trait;
use halfkey_chain::WirePayload;
use halfkey_core::{ServerKeyShare, WalletProperties};

use crate::evm::payload;
use crate::{Error, EvmWalletClient, Result, WalletClient};

/// One EVM wallet as alloy's `Signer` and `TxSigner`, so that
/// `ProviderBuilder::new().wallet(signer)` sends with it.
///
/// Transactions, messages and dynamic typed data are sent to the provider whole, so that it can
/// tell what it signs. `sign_hash`, and everything alloy builds on it (`sign_typed_data` of a
/// static Solidity type), is a bare hash and unsupported; use `sign_dynamic_typed_data`.
///
/// When many transactions are sent at once, give the provider alloy's `CachedNonceManager`: the
/// default one hands out the same nonce twice, and each loser has cost a ceremony.
#[derive(Clone)]
pub struct AlloySigner {
    source: Arc<dyn SignPayload>,
    address: Address,
    chain_id: Option<ChainId>,
}

impl_into_wallet!(AlloySigner);

impl fmt::Debug for AlloySigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlloySigner")
            .field("address", &self.address)
            .field("chain_id", &self.chain_id)
            .finish_non_exhaustive()
    }
}

impl AlloySigner {
    /// A signer over properties and shares that the caller holds. The shares stay in memory as long
    /// as the signer does.
    ///
    /// # Errors
    /// When the properties' address is not an EVM address.
    pub fn from_shares(
        client: WalletClient,
        properties: WalletProperties,
        shares: Vec<ServerKeyShare>,
    ) -> Result<Self> {
        let address = parse_address(&properties.account_address)?;
        let source = Arc::new(FromShares {
            client,
            properties,
            shares,
        });
        Ok(Self {
            source,
            address,
            chain_id: None,
        })
    }

    /// A signer over a [`crate::WalletStore`]: opens the share for each signature.
    ///
    /// # Errors
    /// When `address` is not an EVM address.
    #[cfg(feature = "vault")]
    pub fn from_store(store: Arc<crate::WalletStore>, address: &str) -> Result<Self> {
        let parsed = parse_address(address)?;
        let source = Arc::new(FromStore {
            store,
            address: parsed.to_checksum(None),
        });
        Ok(Self {
            source,
            address: parsed,
            chain_id: None,
        })
    }

    async fn sign(&self, payload: Result<WirePayload>) -> alloy_signer::Result<EvmSignature> {
        let payload = payload.map_err(SignerError::other)?;
        self.source
            .sign_payload(&payload)
            .await
            .map_err(SignerError::other)
    }
}

fn parse_address(text: &str) -> Result<Address> {
    halfkey_chain::canonical_address(halfkey_core::ChainName::Evm, text)?
        .parse()
        .map_err(|_| Error::InvalidArgument("not an EVM address".to_owned()))
}

/// Where a signer gets its signatures from.
#[async_trait]
trait SignPayload: Send + Sync {
    async fn sign_payload(&self, payload: &WirePayload) -> Result<EvmSignature>;
}

struct FromShares {
    client: WalletClient,
    properties: WalletProperties,
    shares: Vec<ServerKeyShare>,
}

#[async_trait]
impl SignPayload for FromShares {
    async fn sign_payload(&self, payload: &WirePayload) -> Result<EvmSignature> {
        EvmWalletClient::new(&self.client)
            .sign(&self.properties, &self.shares, payload)
            .await
    }
}

#[cfg(feature = "vault")]
struct FromStore {
    store: Arc<crate::WalletStore>,
    address: String,
}

#[cfg(feature = "vault")]
#[async_trait]
impl SignPayload for FromStore {
    async fn sign_payload(&self, payload: &WirePayload) -> Result<EvmSignature> {
        self.store.sign_evm(&self.address, payload).await
    }
}

#[async_trait]
impl Signer for AlloySigner {
    async fn sign_hash(&self, _hash: &B256) -> alloy_signer::Result<EvmSignature> {
        Err(SignerError::UnsupportedOperation(
            UnsupportedSignerOperation::SignHash,
        ))
    }

    async fn sign_message(&self, message: &[u8]) -> alloy_signer::Result<EvmSignature> {
        self.sign(payload::message(message)).await
    }

    async fn sign_dynamic_typed_data(
        &self,
        payload: &TypedData,
    ) -> alloy_signer::Result<EvmSignature> {
        self.sign(payload::typed_data(payload)).await
    }

    fn address(&self) -> Address {
        self.address
    }

    fn chain_id(&self) -> Option<ChainId> {
        self.chain_id
    }

    fn set_chain_id(&mut self, chain_id: Option<ChainId>) {
        self.chain_id = chain_id;
    }
}

#[async_trait]
impl TxSigner<EvmSignature> for AlloySigner {
    fn address(&self) -> Address {
        self.address
    }

    async fn sign_transaction(
        &self,
        tx: &mut dyn SignableTransaction<EvmSignature>,
    ) -> alloy_signer::Result<EvmSignature> {
        if let Some(signer) = self.chain_id
            && !tx.set_chain_id_checked(signer)
        {
            let tx = tx.chain_id().unwrap_or_default();
            return Err(SignerError::TransactionChainIdMismatch { signer, tx });
        }
        self.sign(payload::transaction(tx)).await
    }
}
