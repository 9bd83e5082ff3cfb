//! What the caller says the bytes are. It may only agree (custody rule 19).

use alloy_primitives::U256;
use serde_json::{Map, Value};

use crate::Error;

/// Every member of the published context that names an operation, of whatever chain. Other members
/// (`domain`, say) claim nothing about the bytes and are not read.
const OPERATIONS: [&str; 14] = [
    "evmMessage",
    "evmTypedData",
    "evmTransaction",
    "evmUserOperation",
    "eip7702Auth",
    "rawSign",
    "svmMessage",
    "svmTransaction",
    "btcTransaction",
    "btcMessage",
    "suiTransaction",
    "suiMessage",
    "stellarMessage",
    "stellarTransaction",
];

/// A context whose members all belong to the wallet's chain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a>(Option<&'a Map<String, Value>>);

impl<'a> Context<'a> {
    /// Reads a context; `own` are the operations of the wallet's chain.
    pub(crate) fn parse(value: Option<&'a Value>, own: &[&str]) -> Result<Self, Error> {
        let members = match value {
            None | Some(Value::Null) => return Ok(Self(None)),
            Some(Value::Object(members)) => members,
            Some(_) => return Err(Error::Malformed("context is not an object".into())),
        };
        let this = Self(Some(members));
        for name in OPERATIONS {
            if this.claim(name).is_some() && !own.contains(&name) {
                return Err(Error::Mismatch(format!(
                    "{name} is not of this wallet's chain"
                )));
            }
        }
        Ok(this)
    }

    /// What the caller says about one operation.
    pub(crate) fn claim(self, operation: &str) -> Option<&'a Value> {
        self.0?.get(operation).filter(|value| !value.is_null())
    }

    /// Refuses a claim that the bytes are something else than was found.
    pub(crate) fn only(self, allowed: &[&str], found: &str) -> Result<(), Error> {
        for name in OPERATIONS {
            if self.claim(name).is_some() && !allowed.contains(&name) {
                return Err(Error::Mismatch(format!(
                    "{name} is claimed, {found} was found"
                )));
            }
        }
        Ok(())
    }
}

/// A member of a claim that is there and not null.
pub(crate) fn member<'a>(claim: &'a Value, name: &str) -> Option<&'a Value> {
    claim.get(name).filter(|value| !value.is_null())
}

/// A number in any form clients use: a JSON integer below 2^64, `0x` hex or decimal digits.
pub(crate) fn quantity(value: &Value) -> Option<U256> {
    match value {
        Value::Number(number) => number.as_u64().map(U256::from),
        Value::String(text) => {
            let (digits, radix) = match text.strip_prefix("0x") {
                Some(digits) => (digits, 16),
                None => (text.as_str(), 10),
            };
            let is_digit = |byte: u8| char::from(byte).is_digit(radix);
            if digits.is_empty() || digits.len() > 78 || !digits.bytes().all(is_digit) {
                return None;
            }
            U256::from_str_radix(digits, u64::from(radix)).ok()
        }
        _ => None,
    }
}

/// Requires that a claimed number, where there is one, is `actual`.
pub(crate) fn agree_quantity(claim: &Value, name: &str, actual: U256) -> Result<(), Error> {
    match member(claim, name) {
        Some(value) if quantity(value) != Some(actual) => Err(Error::Mismatch(name.into())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_exact() {
        for same in [json!(16), json!("16"), json!("0x10"), json!("0x0010")] {
            assert_eq!(quantity(&same), Some(U256::from(16)), "{same}");
        }
        for bad in [
            json!(-1),
            json!(1.5),
            json!(1e30),
            json!(""),
            json!("0x"),
            json!("1_000"),
            json!("+1"),
            json!("9".repeat(79)),
            json!("9".repeat(78)),
            json!(true),
            json!([1]),
        ] {
            assert_eq!(quantity(&bad), None, "{bad}");
        }
        let max = U256::MAX.to_string();
        assert_eq!(quantity(&json!(max)), Some(U256::MAX));
    }

    #[test]
    fn claims_of_another_chain_are_refused() {
        let context = json!({"svmMessage": {}});
        assert!(matches!(
            Context::parse(Some(&context), &["evmMessage"]),
            Err(Error::Mismatch(text)) if text.contains("svmMessage")
        ));
        let null = json!({"svmMessage": null, "domain": "example.org"});
        assert!(Context::parse(Some(&null), &["evmMessage"]).is_ok());
        assert!(matches!(
            Context::parse(Some(&json!([])), &[]),
            Err(Error::Malformed(_))
        ));
    }
}
