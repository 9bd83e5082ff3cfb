//! What two halves sign, in front of a real Ethereum node and outside judges.

use std::sync::Arc;

use alloy_consensus::TxEip1559;
use alloy_network::{TransactionBuilder as _, TxSigner as _};
use alloy_primitives::{Address, B256, U256};
use alloy_provider::{Provider as _, ProviderBuilder};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_signer::Signer as _;
use halfkey::{AlloySigner, EvmWalletClient, ThresholdSignatureScheme, WalletStore};
use halfkey_testkit::anvil::{Anvil, CHAIN_ID};
use halfkey_testkit::scenarios;

use crate::provider::Provider;
use crate::vaults::Storage;

struct World {
    _provider: Provider,
    store: Arc<WalletStore>,
    address: String,
}

async fn world(scheme: ThresholdSignatureScheme) -> World {
    let provider = Provider::start().await;
    let store = Arc::new(Storage::new().store(&provider.client().await));
    let address = store.create_evm(scheme).await.unwrap().account_address;
    World {
        _provider: provider,
        store,
        address,
    }
}

impl World {
    fn account(&self) -> Address {
        self.address.parse().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_transaction_type_is_mined() {
    let world = world(ThresholdSignatureScheme::TwoOfTwo).await;
    let (store, address) = (&world.store, &world.address);
    let sign = async |payload| store.sign(address, &payload).await.unwrap();
    scenarios::evm::every_transaction_type(world.account(), sign).await;
    scenarios::evm::set_code(world.account(), sign).await;
    // And what the shares after them sign.
    store.refresh(address, false).await.unwrap();
    scenarios::evm::every_transaction_type(world.account(), sign).await;
    store
        .reshare(address, ThresholdSignatureScheme::TwoOfThree)
        .await
        .unwrap();
    scenarios::evm::every_transaction_type(world.account(), sign).await;
    scenarios::evm::set_code(world.account(), sign).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_and_typed_data_convince_outside_judges() {
    let world = world(ThresholdSignatureScheme::TwoOfThree).await;
    let (store, address) = (&world.store, &world.address);
    let sign = async |payload| store.sign(address, &payload).await.unwrap();
    scenarios::evm::message_and_typed_data(world.account(), sign).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_alloy_provider_sends_with_the_signer() {
    let world = world(ThresholdSignatureScheme::TwoOfTwo).await;
    let anvil = Anvil::start();
    anvil
        .set_balance(world.account(), U256::from(10).pow(U256::from(18)))
        .await;
    let signer = AlloySigner::from_store(Arc::clone(&world.store), &world.address).unwrap();
    let chain = ProviderBuilder::new()
        .wallet(signer)
        .connect_http(anvil.url().parse().unwrap());
    let to = Address::repeat_byte(0x55);
    for sent in 1..=2_u64 {
        let request = TransactionRequest::default()
            .with_to(to)
            .with_value(U256::from(7));
        let receipt = chain
            .send_transaction(request)
            .await
            .unwrap()
            .get_receipt()
            .await
            .unwrap();
        assert!(receipt.status());
        assert_eq!(receipt.from, world.account());
        assert_eq!(anvil.balance(to).await, U256::from(7 * sent));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_alloy_signer_carries_payloads_and_no_bare_hash() {
    let provider = Provider::start().await;
    let client = provider.client().await;
    let evm = EvmWalletClient::new(&client);
    let scheme = ThresholdSignatureScheme::TwoOfTwo;
    let (properties, shares) = evm
        .create_wallet_account(scheme, None, false)
        .await
        .unwrap();
    let address: Address = properties.account_address.parse().unwrap();
    let signer = AlloySigner::from_shares(client.clone(), properties, shares).unwrap();
    let signature = signer.sign_message(b"hello").await.unwrap();
    assert_eq!(
        signature.recover_address_from_msg("hello").unwrap(),
        address
    );
    let typed = crate::bare::typed_data();
    let signature = signer.sign_dynamic_typed_data(&typed).await.unwrap();
    let digest = typed.eip712_signing_hash().unwrap();
    assert_eq!(
        signature.recover_address_from_prehash(&digest).unwrap(),
        address
    );
    let error = signer.sign_hash(&B256::ZERO).await.unwrap_err();
    assert!(
        matches!(error, alloy_signer::Error::UnsupportedOperation(_)),
        "{error}"
    );

    // A transaction for another chain is refused before any ceremony.
    let signer = signer.with_chain_id(Some(CHAIN_ID));
    let mut tx = TxEip1559 {
        chain_id: 1,
        ..TxEip1559::default()
    };
    let error = signer.sign_transaction(&mut tx).await.unwrap_err();
    assert!(
        matches!(
            error,
            alloy_signer::Error::TransactionChainIdMismatch { .. }
        ),
        "{error}"
    );
    assert!(!format!("{signer:?}").contains("secret"));
}
