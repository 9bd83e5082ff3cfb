//! EIP-7702: the account authorizes a contract's code for itself, and sends that authorization.

use alloy_consensus::{SignableTransaction as _, TxEip7702};
use alloy_eips::eip7702::Authorization;
use alloy_primitives::{Address, B256, U256};
use halfkey_chain::{WirePayload, signature, signature_text, wire_payload};
use halfkey_core::wire::Operation;
use halfkey_core::{ChainName, Signature};

use super::{GWEI, attach, deployment, must_all_be, must_sign, sign_transaction};
use crate::anvil::{Anvil, CHAIN_ID};
use crate::judge::{self, Question};

/// Deploys a contract, takes its code over by a signed authorization, and gives it back.
pub async fn set_code<S>(account: Address, sign: S)
where
    S: AsyncFn(WirePayload) -> Signature,
{
    let anvil = Anvil::start();
    anvil
        .set_balance(account, U256::from(10).pow(U256::from(20)))
        .await;
    let deployment = deployment(0);
    let deployed = sign_transaction(account, &deployment, &sign).await;
    anvil
        .must_mine(&attach(&deployment.encoded_for_signing(), &deployed))
        .await;
    let contract = account.create(0);

    send_authorization(&anvil, account, contract, 1, &sign).await;
    let delegation = [&[0xef, 0x01, 0x00], contract.as_slice()].concat();
    assert_eq!(anvil.code(account).await, delegation);
    assert_eq!(
        anvil.eth_call(account, &[]).await.as_ref(),
        B256::with_last_byte(42).as_slice()
    );

    send_authorization(&anvil, account, Address::ZERO, 3, &sign).await;
    assert!(anvil.code(account).await.is_empty());
}

/// The sender's own nonce rises before its authorization is looked at, hence `nonce + 1`.
async fn send_authorization<S>(
    anvil: &Anvil,
    account: Address,
    delegate: Address,
    nonce: u64,
    sign: &S,
) where
    S: AsyncFn(WirePayload) -> Signature,
{
    let authorization = Authorization {
        chain_id: U256::from(CHAIN_ID),
        address: delegate,
        nonce: nonce.saturating_add(1),
    };
    let payload = wire_payload::evm_authorization(&authorization).unwrap();
    assert_eq!(payload.request.operation, Operation::EvmAuthorization);
    let authorized = must_sign(account, payload, sign).await;
    let text = signature_text(ChainName::Evm, &authorized).unwrap();
    let delegate = delegate.to_checksum(None);
    let asked = [Question::evm_authorization(
        CHAIN_ID,
        &delegate,
        authorization.nonce,
        &text,
    )];
    must_all_be(&judge::eth_account(&asked), account);
    must_all_be(&judge::ethers(&asked), account);

    let signed = authorization.into_signed(signature::to_alloy(&authorized).unwrap());
    let unsigned = TxEip7702 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 100_000,
        max_fee_per_gas: 20 * GWEI,
        max_priority_fee_per_gas: GWEI,
        to: account,
        authorization_list: vec![signed],
        ..Default::default()
    };
    let signature = sign_transaction(account, &unsigned, sign).await;
    let raw = attach(&unsigned.encoded_for_signing(), &signature);
    let receipt = anvil.must_mine(&raw).await;
    assert_eq!(receipt["type"], "0x4");
    must_all_be(
        &judge::eth_account(&[Question::evm_transaction(&raw)]),
        account,
    );
}
