//! EIP-7702 authorizations: the account lets its code be that of another address.

use alloy_eips::eip7702::Authorization;
use alloy_primitives::Address;
use alloy_rlp::{Decodable as _, Encodable as _};
use halfkey_core::wire::Operation;
use serde_json::{Value, json};

use super::Found;
use crate::Error;
use crate::context::{Context, agree_quantity, member, quantity};

/// The first byte of what is hashed (EIP-7702 `MAGIC`).
pub const AUTHORIZATION_MAGIC: u8 = 0x05;

/// What is hashed and signed: `0x05 ‖ rlp([chain_id, address, nonce])`.
pub fn signing_payload(authorization: &Authorization) -> Vec<u8> {
    let mut payload = vec![AUTHORIZATION_MAGIC];
    authorization.encode(&mut payload);
    payload
}

/// Reads a payload that is exactly one authorization.
pub fn decode(payload: &[u8]) -> Option<Authorization> {
    let (&AUTHORIZATION_MAGIC, mut rest) = payload.split_first()? else {
        return None;
    };
    let decoded = Authorization::decode(&mut rest).ok()?;
    (signing_payload(&decoded) == payload).then_some(decoded)
}

/// The authorization that a context describes, all members given.
pub(super) fn from_claim(claim: &Value) -> Result<Authorization, Error> {
    let missing = |name: &str| Error::Mismatch(format!("eip7702Auth.{name}"));
    let number = |name| {
        member(claim, name)
            .and_then(quantity)
            .ok_or_else(|| missing(name))
    };
    Ok(Authorization {
        chain_id: number("chainId")?,
        address: address(claim)?.ok_or_else(|| missing("address"))?,
        nonce: number("nonce")?.try_into().map_err(|_| missing("nonce"))?,
    })
}

pub(super) fn found(decoded: &Authorization, context: Context<'_>) -> Result<Found, Error> {
    let claim = context.claim("eip7702Auth");
    if let Some(claim) = claim {
        agree(claim, decoded)?;
    }
    // One signature would then bind the account on every chain.
    let names_chain = claim.is_some_and(|claim| member(claim, "chainId").is_some());
    if decoded.chain_id.is_zero() && !names_chain {
        return Err(Error::Refused(
            "an authorization for every chain (chain id 0)".into(),
        ));
    }
    let summary = json!({
        "kind": Operation::EvmAuthorization.as_str(),
        "chainId": decoded.chain_id.to_string(),
        "everyChain": decoded.chain_id.is_zero(),
        "address": decoded.address.to_checksum(None),
        "revokes": decoded.address.is_zero(),
        "nonce": decoded.nonce,
    });
    let digest = decoded.signature_hash().0;
    Ok(Found {
        operation: Operation::EvmAuthorization,
        digest,
        summary,
    })
}

fn agree(claim: &Value, decoded: &Authorization) -> Result<(), Error> {
    agree_quantity(claim, "chainId", decoded.chain_id)?;
    agree_quantity(claim, "nonce", alloy_primitives::U256::from(decoded.nonce))?;
    match address(claim)? {
        Some(claimed) if claimed != decoded.address => {
            Err(Error::Mismatch("eip7702Auth.address".into()))
        }
        _ => Ok(()),
    }
}

fn address(claim: &Value) -> Result<Option<Address>, Error> {
    match member(claim, "address") {
        None => Ok(None),
        Some(value) => {
            let parsed = value
                .as_str()
                .and_then(|text| crate::address::parse_evm(text).ok());
            parsed
                .map(Some)
                .ok_or_else(|| Error::Mismatch("eip7702Auth.address".into()))
        }
    }
}
