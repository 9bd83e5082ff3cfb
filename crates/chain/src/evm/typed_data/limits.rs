//! How large typed data may be, counted before anything is built from it.

use serde_json::Value;

use crate::Error;

const MAX_DEPTH: usize = 32;
const MAX_VALUES: usize = 4096;
const MAX_TEXT_BYTES: usize = 128 * 1024;

pub(super) fn check(value: &Value) -> Result<(), Error> {
    let mut values: usize = 0;
    let mut text: usize = 0;
    let mut open = vec![(value, 0_usize)];
    while let Some((value, depth)) = open.pop() {
        values = values.saturating_add(1);
        let inner = depth.saturating_add(1);
        match value {
            Value::String(string) => text = text.saturating_add(string.len()),
            Value::Array(items) => open.extend(items.iter().map(|item| (item, inner))),
            Value::Object(members) => {
                text = text.saturating_add(members.keys().map(String::len).sum());
                open.extend(members.values().map(|member| (member, inner)));
            }
            // serde_json keeps a number it cannot hold exactly as a float.
            Value::Number(number) if number.is_f64() => {
                return Err(Error::Malformed(
                    "typed data: a number that is no integer below 2^64; send it as text".into(),
                ));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        let queued = values.saturating_add(open.len());
        if depth > MAX_DEPTH || queued > MAX_VALUES || text > MAX_TEXT_BYTES {
            return Err(Error::Malformed(
                "typed data is too large or too deep".into(),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_limit_is_enforced() {
        let nested = |depth| (0..depth).fold(json!(1), |inner, _| json!([inner]));
        assert!(check(&nested(MAX_DEPTH)).is_ok());
        assert!(check(&nested(MAX_DEPTH + 1)).is_err());
        assert!(check(&json!(vec![0; MAX_VALUES - 1])).is_ok());
        assert!(check(&json!(vec![0; MAX_VALUES])).is_err());
        assert!(check(&json!("x".repeat(MAX_TEXT_BYTES))).is_ok());
        assert!(check(&json!("x".repeat(MAX_TEXT_BYTES + 1))).is_err());
        assert!(check(&json!({ "x".repeat(MAX_TEXT_BYTES + 1): 1 })).is_err());
        assert!(check(&json!(1e20)).is_err());
        assert!(check(&json!(u64::MAX)).is_ok());
    }
}
