//! Classifies a 32-byte digest: blind, unless the caller sends a structure that hashes to it.

use alloy_primitives::eip191_hash_message;

use super::{Found, authorization, message, refuse_proof, typed_data};
use crate::Error;
use crate::context::Context;

pub(super) fn classify(digest: &[u8], context: Context<'_>) -> Result<Found, Error> {
    let digest: [u8; 32] = digest
        .try_into()
        .map_err(|_| Error::Malformed("a formatted payload is a digest of 32 bytes".into()))?;
    let found = if let Some(claim) = context.claim("evmTypedData") {
        typed_data::found(claim, digest)?
    } else if let Some(claim) = context.claim("eip7702Auth") {
        let claimed = authorization::from_claim(claim)?;
        if claimed.signature_hash() != digest {
            return Err(Error::Mismatch(
                "eip7702Auth does not hash to the digest".into(),
            ));
        }
        authorization::found(&claimed, context)?
    } else if context.claim("evmMessage").is_some() {
        let matches = |text: &Vec<u8>| eip191_hash_message(text) == digest;
        match message::claimed(context).into_iter().find(matches) {
            Some(text) => {
                refuse_proof(&text)?;
                message::found(&text)
            }
            None => {
                return Err(Error::Mismatch(
                    "evmMessage does not hash to the digest".into(),
                ));
            }
        }
    } else {
        Found::blind(digest, "a digest without its structure")
    };
    let operations = ["evmTypedData", "eip7702Auth", "evmMessage"];
    let used = operations.iter().find(|name| context.claim(name).is_some());
    context.only(
        used.map_or(&[], core::slice::from_ref),
        found.operation.as_str(),
    )?;
    Ok(found)
}
