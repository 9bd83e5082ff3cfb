//! A blob transaction. The blob is all zeros, whose commitment and proof are the point at infinity,
//! so that none of the KZG machinery is needed to make one that a node verifies.

use alloy_consensus::transaction::RlpEcdsaEncodableTx as _;
use alloy_consensus::{SignableTransaction as _, TxEip4844, TxEip4844WithSidecar};
use alloy_eips::eip4844::{Blob, BlobTransactionSidecar, Bytes48};
use alloy_primitives::{Address, B256, U256};
use halfkey_chain::{WirePayload, signature};
use halfkey_core::Signature;
use sha2::{Digest as _, Sha256};

use super::{GWEI, PAYEE, attach, sign_transaction};
use crate::anvil::{Anvil, CHAIN_ID};

/// Signs and sends one; gives the signed transaction without its sidecar.
pub(super) async fn send<S>(anvil: &Anvil, account: Address, nonce: u64, sign: &S) -> Vec<u8>
where
    S: AsyncFn(WirePayload) -> Signature,
{
    let mut infinity = Bytes48::ZERO;
    infinity[0] = 0xc0;
    // EIP-4844: version 1, then SHA-256 of the commitment without its first byte.
    let mut versioned_hash = B256::from_slice(&Sha256::digest(infinity));
    versioned_hash[0] = 1;
    let unsigned = TxEip4844 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 30_000,
        max_fee_per_gas: 20 * GWEI,
        max_priority_fee_per_gas: GWEI,
        to: PAYEE,
        value: U256::from(1_000),
        max_fee_per_blob_gas: GWEI,
        blob_versioned_hashes: vec![versioned_hash],
        ..Default::default()
    };
    let ours = sign_transaction(account, &unsigned, sign).await;
    let sidecar = BlobTransactionSidecar::new(vec![Blob::ZERO], vec![infinity], vec![infinity]);
    let mut raw = Vec::new();
    TxEip4844WithSidecar::from_tx_and_sidecar(unsigned.clone(), sidecar)
        .eip2718_encode(&signature::to_alloy(&ours).unwrap(), &mut raw);
    let receipt = anvil.must_mine(&raw).await;
    assert_eq!(receipt["type"], "0x3");
    assert_eq!(receipt["blobGasUsed"], "0x20000");
    attach(&unsigned.encoded_for_signing(), &ours)
}
