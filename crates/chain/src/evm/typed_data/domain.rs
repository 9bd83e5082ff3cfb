//! The domain: libraries disagree where `types.EIP712Domain` does not list exactly its members, so
//! that is refused.

use serde_json::{Map, Value, json};

use crate::Error;

/// The members EIP-712 knows, in its order.
const MEMBERS: [(&str, &str); 5] = [
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
    ("salt", "bytes32"),
];

pub(super) fn check(typed_data: &Map<String, Value>) -> Result<(), Error> {
    let Some(Value::Object(domain)) = typed_data.get("domain") else {
        return malformed("the domain is not an object");
    };
    let is_known = |name: &String| MEMBERS.iter().any(|(known, _)| known == name);
    if !domain.keys().all(is_known) {
        return malformed("the domain has an unknown member");
    }
    let Some(declared) = typed_data
        .get("types")
        .and_then(|types| types.get("EIP712Domain"))
    else {
        return Ok(());
    };
    let present = |name: &str| domain.get(name).is_some_and(|value| !value.is_null());
    let expected: Value = MEMBERS
        .iter()
        .filter(|(name, _)| present(name))
        .map(|(name, member_type)| json!({"name": name, "type": member_type}))
        .collect();
    if *declared == expected {
        Ok(())
    } else {
        malformed("EIP712Domain does not list exactly the domain's members in EIP-712's order")
    }
}

fn malformed(what: &str) -> Result<(), Error> {
    Err(Error::Malformed(format!("typed data: {what}")))
}
