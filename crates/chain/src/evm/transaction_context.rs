//! `evmTransaction`: the caller's own view of a transaction, made from and held against the bytes.

use alloy_consensus::Transaction;
use alloy_primitives::U256;
use serde_json::{Map, Value, json};

use super::UnsignedTransaction;
use crate::Error;
use crate::bytes::hex_0x;
use crate::context::{agree_quantity, member};

/// The published context of a transaction.
pub(crate) fn describe(decoded: &UnsignedTransaction) -> Value {
    let tx = decoded.fields();
    let mut claim = Map::new();
    let mut put = |name: &str, value: Value| claim.insert(name.to_owned(), value);
    if let Some(to) = tx.to() {
        put("to", json!(to.to_checksum(None)));
    }
    if let Some(chain_id) = tx.chain_id() {
        put("chainId", json!(chain_id));
    }
    put("data", json!(hex_0x(tx.input())));
    put("gas", json!(tx.gas_limit().to_string()));
    if tx.is_dynamic_fee() {
        put("maxFeePerGas", json!(tx.max_fee_per_gas().to_string()));
        let tip = tx.max_priority_fee_per_gas().unwrap_or_default();
        put("maxPriorityFeePerGas", json!(tip.to_string()));
    } else {
        put(
            "gasPrice",
            json!(tx.gas_price().unwrap_or_default().to_string()),
        );
    }
    put("nonce", json!(tx.nonce()));
    put("value", json!(tx.value().to_string()));
    Value::Object(claim)
}

/// Requires that every member the claim has is that of the transaction.
pub(super) fn agree(claim: &Value, decoded: &UnsignedTransaction) -> Result<(), Error> {
    if !claim.is_object() {
        return Err(Error::Malformed("evmTransaction is not an object".into()));
    }
    let tx = decoded.fields();
    agree_optional(claim, "chainId", tx.chain_id().map(U256::from))?;
    agree_quantity(claim, "nonce", U256::from(tx.nonce()))?;
    agree_quantity(claim, "value", tx.value())?;
    for name in ["gas", "gasLimit"] {
        agree_quantity(claim, name, U256::from(tx.gas_limit()))?;
    }
    agree_fees(claim, tx)?;
    agree_to(claim, tx)?;
    for name in ["data", "input"] {
        agree_data(claim, name, tx.input())?;
    }
    agree_type(claim, decoded)
}

fn agree_fees(claim: &Value, tx: &dyn Transaction) -> Result<(), Error> {
    let dynamic = tx.is_dynamic_fee();
    let max_fee = dynamic.then(|| U256::from(tx.max_fee_per_gas()));
    agree_optional(claim, "gasPrice", tx.gas_price().map(U256::from))?;
    agree_optional(claim, "maxFeePerGas", max_fee)?;
    let tip = tx.max_priority_fee_per_gas().map(U256::from);
    agree_optional(claim, "maxPriorityFeePerGas", tip)?;
    agree_optional(
        claim,
        "maxFeePerBlobGas",
        tx.max_fee_per_blob_gas().map(U256::from),
    )
}

/// As [`agree_quantity`], where a transaction without the field agrees with no claim.
fn agree_optional(claim: &Value, name: &str, actual: Option<U256>) -> Result<(), Error> {
    match actual {
        Some(actual) => agree_quantity(claim, name, actual),
        None if member(claim, name).is_some() => Err(Error::Mismatch(name.into())),
        None => Ok(()),
    }
}

fn agree_to(claim: &Value, tx: &dyn Transaction) -> Result<(), Error> {
    let claimed = match member(claim, "to") {
        None => return Ok(()),
        Some(Value::String(text)) if text.is_empty() || text == "0x" => None,
        Some(value) => {
            let parsed = value
                .as_str()
                .and_then(|text| crate::address::parse_evm(text).ok());
            Some(parsed.ok_or_else(|| Error::Mismatch("to".into()))?)
        }
    };
    if claimed == tx.to() {
        Ok(())
    } else {
        Err(Error::Mismatch("to".into()))
    }
}

fn agree_data(claim: &Value, name: &str, input: &[u8]) -> Result<(), Error> {
    match member(claim, name) {
        None => Ok(()),
        Some(Value::String(text)) => {
            let digits = text.strip_prefix("0x").unwrap_or(text);
            let agrees = hex::decode(digits).is_ok_and(|bytes| bytes == input);
            if agrees {
                Ok(())
            } else {
                Err(Error::Mismatch(name.into()))
            }
        }
        Some(_) => Err(Error::Mismatch(name.into())),
    }
}

/// `type` is a number or a library's name for one.
fn agree_type(claim: &Value, decoded: &UnsignedTransaction) -> Result<(), Error> {
    let names = ["legacy", "eip2930", "eip1559", "eip4844", "eip7702"];
    match member(claim, "type") {
        Some(Value::String(name)) if names.contains(&name.as_str()) => {
            let index = names.iter().position(|known| known == name);
            let agrees = index == Some(usize::from(decoded.type_byte()));
            if agrees {
                Ok(())
            } else {
                Err(Error::Mismatch("type".into()))
            }
        }
        _ => agree_quantity(claim, "type", U256::from(decoded.type_byte())),
    }
}
