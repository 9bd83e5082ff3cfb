//! The transactions the demo signs. They are complete but go to no network.

use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, TxKind, U256};
use solana_hash::Hash;
use solana_message::{Message, VersionedMessage};
use solana_pubkey::Pubkey;
use solana_system_interface::instruction::transfer;

use crate::exit_code::Failure;

/// 0.001 ether to the sender itself, on chain 31337.
pub(super) fn eip_1559(from: &str) -> Result<TxEip1559, Failure> {
    let to: Address = from
        .parse()
        .map_err(|_| Failure::internal("address is not EVM's"))?;
    Ok(TxEip1559 {
        chain_id: 31337,
        nonce: 0,
        gas_limit: 21_000,
        max_fee_per_gas: 2_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(to),
        value: U256::from(1_000_000_000_000_000_u64),
        access_list: alloy_eips::eip2930::AccessList::default(),
        input: alloy_primitives::Bytes::new(),
    })
}

/// 5,000 lamports to the sender itself, as a legacy message.
pub(super) fn solana_transfer(from: &str) -> Result<Vec<u8>, Failure> {
    let key: Pubkey = from
        .parse()
        .map_err(|_| Failure::internal("address is not Solana's"))?;
    let blockhash = Hash::new_from_array([7; 32]);
    let message =
        Message::new_with_blockhash(&[transfer(&key, &key, 5_000)], Some(&key), &blockhash);
    Ok(VersionedMessage::Legacy(message).serialize())
}
