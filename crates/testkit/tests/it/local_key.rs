//! Signers that hold a whole key.

use alloy_primitives::Address;
use ed25519_dalek::Signer as _;
use halfkey_chain::WirePayload;
use halfkey_core::{Signature, SigningInput};
use solana_pubkey::Pubkey;

pub(crate) fn evm() -> (Address, impl AsyncFn(WirePayload) -> Signature) {
    let key = k256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let address = Address::from_public_key(key.verifying_key());
    let sign = async move |payload: WirePayload| {
        let SigningInput::Digest(digest) = payload.request.input else {
            panic!("not a digest");
        };
        let (signature, id) = key.sign_prehash_recoverable(&digest).unwrap();
        let (r, s) = signature.split_bytes();
        Signature::Ecdsa {
            r: r.into(),
            s: s.into(),
            recovery_id: u8::from(id.is_y_odd()),
        }
    };
    (address, sign)
}

pub(crate) fn svm() -> (Pubkey, impl AsyncFn(WirePayload) -> Signature) {
    let key = svm_key();
    let address = Pubkey::from(key.verifying_key().to_bytes());
    let sign = async move |payload: WirePayload| {
        let SigningInput::Message(message) = payload.request.input else {
            panic!("not a message");
        };
        Signature::Ed25519(key.sign(&message).to_bytes())
    };
    (address, sign)
}

pub(crate) fn svm_key() -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[7; 32])
}
