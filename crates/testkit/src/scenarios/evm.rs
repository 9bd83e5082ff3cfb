//! Ethereum: a real node accepts every type of transaction, and outside judges agree who signed.

mod blob;
mod messages;
mod set_code;

use alloy_consensus::{SignableTransaction, TxEip1559, TxEip2930, TxLegacy};
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex};
use halfkey_chain::evm::UnsignedTransaction;
use halfkey_chain::{WirePayload, verify_signature, wire_payload};
use halfkey_core::wire::Operation;
use halfkey_core::{ChainName, Signature};
use serde_json::{Value, json};

use crate::anvil::{Anvil, CHAIN_ID};
use crate::judge::{self, Question};

pub use messages::{TYPED_DATA, message_and_typed_data};
pub use set_code::set_code;

const GWEI: u128 = 1_000_000_000;
const PAYEE: Address = Address::repeat_byte(0x42);

/// Init code of a contract that answers 42 to everything.
const INIT_CODE: [u8; 19] = hex!("69602a60005260206000f3600052600a6016f3");

/// Legacy (with and without EIP-155), type 1, type 2, a deployment and type 3, each signed, sent to
/// a node of its own, mined, and traced back to `account` by eth-account and ethers.
pub async fn every_transaction_type<S>(account: Address, sign: S)
where
    S: AsyncFn(WirePayload) -> Signature,
{
    let anvil = Anvil::start();
    anvil
        .set_balance(account, U256::from(10).pow(U256::from(20)))
        .await;
    let mut signed = vec![
        send_transfer(&anvil, account, &legacy(Some(CHAIN_ID), 0), &sign).await,
        send_transfer(&anvil, account, &legacy(None, 1), &sign).await,
        send_transfer(&anvil, account, &access_list(2), &sign).await,
        send_transfer(&anvil, account, &fee_market(3), &sign).await,
    ];
    signed.push(deploy(&anvil, account, 4, &sign).await);
    signed.push(blob::send(&anvil, account, 5, &sign).await);
    assert_eq!(anvil.nonce(account).await, 6);

    // A signature over one transaction does not carry another.
    let unsigned = fee_market(6);
    let signature = sign_transaction(account, &unsigned, &sign).await;
    let other = TxEip1559 {
        value: U256::from(2),
        ..unsigned
    };
    let forged = attach(&other.encoded_for_signing(), &signature);
    assert!(
        anvil
            .send_raw_transaction(&forged)
            .await
            .is_err_and(|refused| refused.code != 0)
    );

    let questions: Vec<_> = signed
        .iter()
        .map(|signed| Question::evm_transaction(signed))
        .collect();
    must_all_be(&judge::eth_account(&questions), account);
    must_all_be(&judge::ethers(&questions), account);
}

/// Has one transaction signed, after checking that the payload is found to be one.
pub(crate) async fn sign_transaction<S>(
    account: Address,
    unsigned: &dyn SignableTransaction<alloy_primitives::Signature>,
    sign: &S,
) -> Signature
where
    S: AsyncFn(WirePayload) -> Signature,
{
    let payload = wire_payload::evm_transaction_of(unsigned).unwrap();
    assert_eq!(payload.request.operation, Operation::EvmTransaction);
    must_sign(account, payload, sign).await
}

/// Has a payload signed and checks the signature against the account.
pub(crate) async fn must_sign<S>(account: Address, payload: WirePayload, sign: &S) -> Signature
where
    S: AsyncFn(WirePayload) -> Signature,
{
    let input = payload.request.input.clone();
    let signature = sign(payload).await;
    verify_signature(
        ChainName::Evm,
        &account.to_checksum(None),
        &input,
        &signature,
    )
    .unwrap();
    signature
}

async fn send_transfer<S>(
    anvil: &Anvil,
    account: Address,
    unsigned: &dyn SignableTransaction<alloy_primitives::Signature>,
    sign: &S,
) -> Vec<u8>
where
    S: AsyncFn(WirePayload) -> Signature,
{
    let before = anvil.balance(PAYEE).await;
    let signature = sign_transaction(account, unsigned, sign).await;
    let signed = attach(&unsigned.encoded_for_signing(), &signature);
    let receipt = anvil.must_mine(&signed).await;
    assert_eq!(receipt["from"], json!(account));
    assert_eq!(
        anvil.balance(PAYEE).await.saturating_sub(before),
        unsigned.value()
    );
    signed
}

async fn deploy<S>(anvil: &Anvil, account: Address, nonce: u64, sign: &S) -> Vec<u8>
where
    S: AsyncFn(WirePayload) -> Signature,
{
    let unsigned = deployment(nonce);
    let signature = sign_transaction(account, &unsigned, sign).await;
    let signed = attach(&unsigned.encoded_for_signing(), &signature);
    let receipt = anvil.must_mine(&signed).await;
    let contract = account.create(nonce);
    assert_eq!(receipt["contractAddress"], json!(contract));
    assert_eq!(
        anvil.eth_call(contract, &[]).await.as_ref(),
        B256::with_last_byte(42).as_slice()
    );
    signed
}

fn legacy(chain_id: Option<u64>, nonce: u64) -> TxLegacy {
    TxLegacy {
        chain_id,
        nonce,
        gas_price: 20 * GWEI,
        gas_limit: 21_000,
        to: TxKind::Call(PAYEE),
        value: U256::from(1_000),
        input: Bytes::new(),
    }
}

fn access_list(nonce: u64) -> TxEip2930 {
    let entry = AccessListItem {
        address: PAYEE,
        storage_keys: vec![B256::ZERO],
    };
    TxEip2930 {
        chain_id: CHAIN_ID,
        nonce,
        gas_price: 20 * GWEI,
        gas_limit: 30_000,
        to: TxKind::Call(PAYEE),
        value: U256::from(1_000),
        access_list: AccessList(vec![entry]),
        input: Bytes::new(),
    }
}

fn fee_market(nonce: u64) -> TxEip1559 {
    TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 30_000,
        max_fee_per_gas: 20 * GWEI,
        max_priority_fee_per_gas: GWEI,
        to: TxKind::Call(PAYEE),
        value: U256::from(1_000),
        access_list: AccessList::default(),
        input: Bytes::from_static(b"halfkey"),
    }
}

pub(crate) fn deployment(nonce: u64) -> TxEip1559 {
    TxEip1559 {
        gas_limit: 200_000,
        to: TxKind::Create,
        value: U256::ZERO,
        input: Bytes::from_static(&INIT_CODE),
        ..fee_market(nonce)
    }
}

pub(crate) fn attach(payload: &[u8], signature: &Signature) -> Vec<u8> {
    UnsignedTransaction::decode(payload)
        .unwrap()
        .attach(signature)
        .unwrap()
}

/// Every answer must be this account.
#[track_caller]
pub(crate) fn must_all_be(answers: &[Value], account: Address) {
    let expected = json!({ "ok": account.to_checksum(None) });
    for (index, answer) in answers.iter().enumerate() {
        assert_eq!(*answer, expected, "answer {index}");
    }
}
