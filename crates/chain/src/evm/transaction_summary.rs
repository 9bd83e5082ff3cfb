//! What people, policies and the activity log see of a transaction.

use alloy_primitives::keccak256;
use halfkey_core::wire::Operation;
use serde_json::{Map, Value, json};

use super::UnsignedTransaction;
use crate::bytes::hex_0x;

/// Call data up to this many bytes is shown; its hash and length always are.
const SHOWN: usize = 1024;

impl UnsignedTransaction {
    /// The decoded fields. Amounts are decimal strings in wei; `to` is null when a contract is
    /// created; `replayable` marks a legacy transaction without a chain id, valid on every chain.
    pub fn summary(&self) -> Value {
        let tx = self.fields();
        let input = tx.input();
        let mut summary = Map::new();
        let mut put = |name: &str, value: Value| summary.insert(name.to_owned(), value);
        put("kind", json!(Operation::EvmTransaction.as_str()));
        put("type", json!(self.type_name()));
        put("chainId", json!(tx.chain_id()));
        put("replayable", json!(tx.chain_id().is_none()));
        put("nonce", json!(tx.nonce()));
        put("to", json!(tx.to().map(|to| to.to_checksum(None))));
        put("createsContract", json!(tx.is_create()));
        put("value", json!(tx.value().to_string()));
        put("gas", json!(tx.gas_limit()));
        if tx.is_dynamic_fee() {
            put("maxFeePerGas", json!(tx.max_fee_per_gas().to_string()));
            let tip = tx.max_priority_fee_per_gas().map(|tip| tip.to_string());
            put("maxPriorityFeePerGas", json!(tip));
        } else {
            put(
                "gasPrice",
                json!(tx.gas_price().map(|price| price.to_string())),
            );
        }
        // A contract's init code starts with no selector.
        let selector = input.get(..4).filter(|_| !tx.is_create());
        put("selector", json!(selector.map(hex_0x)));
        put("dataBytes", json!(input.len()));
        put("dataHash", json!(hex_0x(keccak256(input))));
        put("data", json!((input.len() <= SHOWN).then(|| hex_0x(input))));
        if let Some(list) = tx.access_list() {
            put("accessListEntries", json!(list.len()));
        }
        if let Some(hashes) = tx.blob_versioned_hashes() {
            put("blobVersionedHashes", hashes.iter().map(hex_0x).collect());
            let fee = tx.max_fee_per_blob_gas().map(|fee| fee.to_string());
            put("maxFeePerBlobGas", json!(fee));
        }
        if let Some(list) = tx.authorization_list() {
            let authorizations = list.iter().map(|signed| {
                json!({
                    "chainId": signed.chain_id().to_string(),
                    "address": signed.address().to_checksum(None),
                    "nonce": signed.nonce(),
                })
            });
            put("authorizations", authorizations.collect());
        }
        Value::Object(summary)
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::Legacy(_) => "legacy",
            Self::Eip2930(_) => "eip2930",
            Self::Eip1559(_) => "eip1559",
            Self::Eip4844(_) => "eip4844",
            Self::Eip7702(_) => "eip7702",
        }
    }
}
