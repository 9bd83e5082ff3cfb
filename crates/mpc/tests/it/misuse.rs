//! Parameters that do not fit, refused before anything is drawn or sent.

use halfkey_core::SigningInput;
use halfkey_mpc::{Error, Keygen, Sign, test_shares};

use crate::run::*;

#[test]
fn sign_rejects_an_input_of_the_other_kind() {
    for (key_type, input) in [
        (EcdsaSecp256k1, SigningInput::Message(vec![1; 32])),
        (Ed25519Standard, SigningInput::Digest([1; 32])),
    ] {
        let share = share(key_type, TwoOfTwo, C1);
        let params = halfkey_mpc::SignParams {
            input,
            ..sign_params(&share, P)
        };
        assert!(matches!(
            Sign::initiator(share, params, rng(1)),
            Err(Error::Caller(_))
        ));
    }
}

#[test]
fn keygen_rejects_a_party_the_scheme_does_not_have() {
    let params = params(Ed25519Standard, TwoOfTwo);
    let pinned = test_shares::identity().verifying_key();
    for party in [P, C2] {
        let made = Keygen::customer(params.clone(), party, &pinned, rng(1));
        assert!(matches!(made, Err(Error::Caller(_))), "{party}");
    }
}

#[test]
fn keygen_rejects_a_key_type_of_another_chain() {
    let pinned = test_shares::identity().verifying_key();
    for (key_type, other) in [
        (EcdsaSecp256k1, Ed25519Standard),
        (Ed25519Exportable, EcdsaSecp256k1),
        (Ed25519Standard, EcdsaSecp256k1),
    ] {
        let params = halfkey_mpc::KeygenParams {
            key_type: other,
            ..params(key_type, TwoOfTwo)
        };
        let made = Keygen::customer(params, C1, &pinned, rng(1));
        assert!(matches!(made, Err(Error::Caller(_))));
    }
}
