//! The floor: one party with the whole key.

use ed25519_dalek::Signer as _;
use k256::ecdsa::signature::hazmat::{PrehashSigner as _, PrehashVerifier as _};
use k256::ecdsa::{Signature, SigningKey, VerifyingKey};

use crate::cpu;
use crate::table::Table;

const TIMES: u32 = 200;

pub(crate) fn measure(table: &mut Table) {
    let digest = [7_u8; 32];
    if let Ok(key) = SigningKey::from_slice(&[9; 32]) {
        let time = cpu::per_call(TIMES, || {
            let signature: Result<Signature, _> = key.sign_prehash(&digest);
            let valid = signature.is_ok_and(|signature| {
                VerifyingKey::from(&key)
                    .verify_prehash(&digest, &signature)
                    .is_ok()
            });
            assert!(valid);
        });
        table.time(
            "floor (one party, whole key)",
            "ECDSA sign + verify, k256",
            time,
            "",
        );
    }
    let key = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let time = cpu::per_call(TIMES, || {
        let signature = key.sign(&digest);
        assert!(
            key.verifying_key()
                .verify_strict(&digest, &signature)
                .is_ok()
        );
    });
    table.time(
        "floor (one party, whole key)",
        "Ed25519 sign + verify, dalek",
        time,
        "",
    );
}
