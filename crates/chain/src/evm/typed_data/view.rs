//! The values that are hashed, as JSON. Built from the decoded values, so that it cannot show what
//! the digest does not cover.

use alloy_dyn_abi::DynSolValue;
use alloy_dyn_abi::eip712::TypedData;
use serde_json::{Map, Value, json};

use crate::bytes::hex_0x;

pub(super) fn value(value: &DynSolValue) -> Value {
    match value {
        DynSolValue::Bool(value) => json!(value),
        DynSolValue::Int(value, _) => json!(value.to_string()),
        DynSolValue::Uint(value, _) => json!(value.to_string()),
        DynSolValue::FixedBytes(word, size) => json!(word.get(..*size).map(hex_0x)),
        DynSolValue::Address(address) => json!(address.to_checksum(None)),
        DynSolValue::Function(function) => json!(hex_0x(function)),
        DynSolValue::Bytes(bytes) => json!(hex_0x(bytes)),
        DynSolValue::String(text) => json!(text),
        DynSolValue::Array(items) | DynSolValue::FixedArray(items) | DynSolValue::Tuple(items) => {
            items.iter().map(self::value).collect()
        }
        DynSolValue::CustomStruct {
            prop_names, tuple, ..
        } => prop_names
            .iter()
            .cloned()
            .zip(tuple.iter().map(self::value))
            .collect::<Map<_, _>>()
            .into(),
    }
}

pub(super) fn domain(typed_data: &TypedData) -> Value {
    let domain = &typed_data.domain;
    let mut shown = Map::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            shown.insert(name.to_owned(), Value::String(value));
        }
    };
    put("name", domain.name.as_ref().map(ToString::to_string));
    put("version", domain.version.as_ref().map(ToString::to_string));
    put("chainId", domain.chain_id.map(|id| id.to_string()));
    put(
        "verifyingContract",
        domain.verifying_contract.map(|a| a.to_checksum(None)),
    );
    put("salt", domain.salt.map(hex_0x));
    Value::Object(shown)
}
