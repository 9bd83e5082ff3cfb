//! `rawSign`: the caller wants a hash of bytes signed as it is. Always blind, and never a way
//! around the other operations (custody rule 19).

use alloy_primitives::keccak256;
use halfkey_core::wire::Operation;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Found, payload, refuse_proof};
use crate::Error;
use crate::bytes::decode_hex;
use crate::context::{Context, member};

pub(super) fn classify(bytes: &[u8], is_formatted: bool, claim: &Value) -> Result<Found, Error> {
    let text = |name: &'static str| match member(claim, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(Error::Malformed(format!("rawSign.{name} is not text"))),
    };
    let Some(raw) = text("payload")? else {
        return Err(Error::Malformed("rawSign.payload is missing".into()));
    };
    let raw = decode_hex(raw)?;
    let whole = match text("prefix")? {
        None | Some("" | "0x") => raw.clone(),
        Some(prefix) => [decode_hex(prefix)?, raw.clone()].concat(),
    };
    for part in [&raw, &whole] {
        refuse_proof(part)?;
        let none = Context::parse(None, &[])?;
        let operation = payload::classify(part, none)?.operation;
        if operation != Operation::Blind {
            let found = operation.as_str();
            return Err(Error::Refused(format!("rawSign of what is an {found}")));
        }
    }
    let digest: [u8; 32] = match text("hashFunction")? {
        None | Some("keccak256") => keccak256(&whole).0,
        Some("sha256") if is_formatted => Sha256::digest(&whole).into(),
        Some(_) => return Err(Error::Refused("rawSign.hashFunction".into())),
    };
    let agrees = if is_formatted {
        bytes == digest
    } else {
        bytes == whole
    };
    if agrees {
        Ok(Found::blind(digest, "raw bytes"))
    } else {
        Err(Error::Mismatch("rawSign.payload".into()))
    }
}
