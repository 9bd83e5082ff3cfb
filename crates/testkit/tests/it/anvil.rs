use alloy_primitives::{Address, U256};
use halfkey_testkit::{Anvil, scenarios};
use serde_json::json;

use crate::local_key;

#[tokio::test]
async fn every_transaction_type_is_mined() {
    let (address, sign) = local_key::evm();
    scenarios::evm::every_transaction_type(address, sign).await;
}

#[tokio::test]
async fn set_code_is_mined() {
    let (address, sign) = local_key::evm();
    scenarios::evm::set_code(address, sign).await;
}

#[tokio::test]
async fn messages_are_recovered_by_every_judge() {
    let (address, sign) = local_key::evm();
    scenarios::evm::message_and_typed_data(address, sign).await;
}

/// Two nodes at once are two ledgers, and a dropped one is gone.
#[tokio::test]
async fn nodes_are_apart_and_end() {
    let (one, two) = (Anvil::start(), Anvil::start());
    let account = Address::repeat_byte(9);
    one.set_balance(account, U256::from(5)).await;
    assert_eq!(one.balance(account).await, U256::from(5));
    assert_eq!(two.balance(account).await, U256::ZERO);
    let refused = one.call("eth_noSuchMethod", json!([])).await.unwrap_err();
    assert_eq!(refused.code, -32601);
    let address = one.url().strip_prefix("http://").unwrap().to_owned();
    assert!(std::net::TcpStream::connect(&address).is_ok());
    drop(one);
    assert!(std::net::TcpStream::connect(&address).is_err());
}
