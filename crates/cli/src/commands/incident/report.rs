//! A signed report.

use std::path::Path;

use halfkey_vault::audit::checkpoint::{SigningKey, is_signed};
use serde_json::{Value, json};

use crate::exit_code::{ExitKind, Failure};
use crate::output::Output;

const DOMAIN: &[u8] = b"halfkey-incident-report-v1";

/// `body` with its signature over the body's text.
pub(super) fn sign(body: &Value, key: &SigningKey) -> Value {
    let text = body.to_string();
    json!({
        "format": "halfkey-incident-report-v1",
        "public_key": key.public(),
        "signature": key.sign(DOMAIN, text.as_bytes()),
        "report": text,
    })
}

/// The body, where the signature is good and by `key`.
pub(super) fn open(report: &Value, key: Option<&str>) -> Result<Value, &'static str> {
    let text = |name: &str| report.get(name).and_then(Value::as_str);
    let (Some(public), Some(signature), Some(body)) =
        (text("public_key"), text("signature"), text("report"))
    else {
        return Err("it is no report");
    };
    if key.is_some_and(|key| key != public) {
        return Err("it is signed by another key");
    }
    if !is_signed(public, DOMAIN, body.as_bytes(), signature) {
        return Err("its signature does not verify");
    }
    serde_json::from_str(body).map_err(|_| "it is no report")
}

/// Prints the body of a report whose signature is good.
pub(super) fn verify(file: &Path, key: Option<&str>, output: Output) -> Result<(), Failure> {
    let bytes = std::fs::read(file)
        .map_err(|error| Failure::input(format!("{}: {error}", file.display())))?;
    let report: Value = serde_json::from_slice(&bytes)
        .map_err(|_| Failure::input(format!("{} is no report", file.display())))?;
    let body = open(&report, key).map_err(|why| {
        Failure::new(
            ExitKind::Custody,
            "report_not_signed",
            format!("{}: {why}", file.display()),
        )
    })?;
    output.result(&body, || {
        serde_json::to_string_pretty(&body).unwrap_or_default()
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use halfkey_core::SecretBytes;

    use super::*;

    #[test]
    fn only_what_was_signed_opens() {
        let key = SigningKey::from_seed(&SecretBytes::new(vec![3; 32])).unwrap();
        let body = json!({ "reason": "drill", "steps": [] });
        let report = sign(&body, &key);
        assert_eq!(open(&report, None), Ok(body.clone()));
        assert_eq!(open(&report, Some(&key.public())), Ok(body));
        assert!(open(&report, Some("00")).is_err());
        let mut edited = report.clone();
        let text = edited["report"].as_str().unwrap().replace("drill", "other");
        edited["report"] = text.into();
        assert!(open(&edited, None).is_err());
        assert!(open(&json!({}), None).is_err());
    }
}
