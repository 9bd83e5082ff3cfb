//! Whatever somebody without the channel key does between the halves is refused before the engine,
//! names the sender, and is never a lock (custody rules 15 and 17).

use halfkey_core::wire::CeremonyMessage;
use halfkey_core::wire::Operation;
use halfkey_core::{CeremonyId, Signature, SigningInput};
use halfkey_mpc::{Ceremony, Error, Sign};

use crate::run::*;

/// Brings a fresh pair to the point where `step` is on its way; returns its receiver and it.
fn in_flight(pair: &Pair, step: u8) -> (Sign, CeremonyMessage) {
    in_flight_from(pair, step, 100)
}

/// The same with coins of the initiator's choice.
fn in_flight_from(pair: &Pair, step: u8, seed: u64) -> (Sign, CeremonyMessage) {
    let (share, params) = (pair.initiator.clone(), pair.initiator_params());
    let mut one = Sign::initiator(share, params, rng(seed)).unwrap();
    let mut two = pair.responder();
    let mut message = sent(&mut one);
    for current in 1..step {
        let receiver = if current % 2 == 1 { &mut two } else { &mut one };
        receiver.message(&message).unwrap();
        message = sent(receiver);
    }
    (if step % 2 == 1 { two } else { one }, message)
}

fn steps(pair: &Pair) -> u8 {
    if pair.initiator.header().key_type == EcdsaSecp256k1 {
        4
    } else {
        2
    }
}

fn assert_benign(mut receiver: Sign, message: &CeremonyMessage) {
    let error = receiver.message(message).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    assert_eq!(failure(&mut receiver), error);
}

#[test]
fn every_flipped_truncated_and_extended_body_is_refused() {
    for pair in [
        Pair::load(EcdsaSecp256k1, TwoOfTwo),
        Pair::load(Ed25519Exportable, TwoOfTwo),
    ] {
        for step in 1..=steps(&pair) {
            let length = in_flight(&pair, step).1.body.0.len();
            let positions = [0, 1, 2, 33, 34, 35, 66, 67, length / 2, length - 1];
            for at in positions.into_iter().filter(|at| *at < length) {
                let (receiver, mut message) = in_flight(&pair, step);
                message.body.0[at] ^= 1;
                assert_benign(receiver, &message);
                let (receiver, mut message) = in_flight(&pair, step);
                message.body.0.truncate(at);
                assert_benign(receiver, &message);
            }
            let (receiver, mut message) = in_flight(&pair, step);
            message.body.0.push(0);
            assert_benign(receiver, &message);
            let (receiver, mut message) = in_flight(&pair, step);
            message.body.0 = vec![0; 600_000];
            assert_benign(receiver, &message);
        }
    }
}

#[test]
fn a_message_of_another_session_wallet_or_generation_is_refused() {
    for key_type in [EcdsaSecp256k1, Ed25519Exportable] {
        let pair = Pair::load(key_type, TwoOfTwo);
        let other_wallet = Pair::load(key_type, TwoOfThree);
        let other_generation = Pair {
            initiator: with_generation(&pair.initiator, 1),
            responder: with_generation(&pair.responder, 1),
        };
        for step in 1..=steps(&pair) {
            for donor in [&other_wallet, &other_generation] {
                let (receiver, _) = in_flight(&pair, step);
                assert_benign(receiver, &in_flight(donor, step).1);
            }
        }
        // The same wallet, but a parameter differs: ceremony, operation, input.
        let honest = pair.initiator_params();
        let other_input = match &honest.input {
            SigningInput::Digest(_) => SigningInput::Digest([1; 32]),
            SigningInput::Message(_) => SigningInput::Message(b"another".to_vec()),
        };
        let ceremony = CeremonyId::from_bytes([10; 16]);
        let variants = [
            halfkey_mpc::SignParams {
                ceremony,
                ..honest.clone()
            },
            halfkey_mpc::SignParams {
                operation: Operation::Proof,
                ..honest.clone()
            },
            halfkey_mpc::SignParams {
                input: other_input,
                ..honest.clone()
            },
        ];
        for params in variants {
            let mut other = Sign::initiator(pair.initiator.clone(), params, rng(1)).unwrap();
            assert_benign(pair.responder(), &sent(&mut other));
        }
    }
}

#[test]
fn a_message_sent_back_readdressed_or_out_of_order_is_refused() {
    for pair in [
        Pair::load(EcdsaSecp256k1, TwoOfTwo),
        Pair::load(Ed25519Standard, TwoOfTwo),
    ] {
        // Echo: the initiator's own message, as it is and with its ends swapped.
        let mut initiator = pair.initiator();
        let own = sent(&mut initiator);
        assert_benign(initiator, &own);
        let mut initiator = pair.initiator();
        let own = sent(&mut initiator);
        let swapped = CeremonyMessage {
            from: own.to,
            to: own.from,
            body: own.body.clone(),
        };
        assert_benign(initiator, &swapped);
        // Another party's name on it.
        let (receiver, mut message) = in_flight(&pair, 1);
        message.from = C2;
        assert_benign(receiver, &message);
        // The second message to somebody who has not heard the first.
        if steps(&pair) == 4 {
            assert_benign(pair.responder(), &in_flight(&pair, 3).1);
        }
        // A step number changed on the way is under the MAC.
        for number in [0, 2, 3, 4, 5, 255] {
            let (receiver, mut message) = in_flight(&pair, 1);
            message.body.0[1] = number;
            assert_benign(receiver, &message);
        }
        let (receiver, mut message) = in_flight(&pair, 1);
        message.body.0[0] = 2;
        assert_benign(receiver, &message);
    }
}

#[test]
fn an_identical_repeat_is_ignored_and_another_message_at_its_step_is_refused() {
    for pair in [
        Pair::load(EcdsaSecp256k1, TwoOfTwo),
        Pair::load(Ed25519Standard, TwoOfTwo),
    ] {
        let (mut one, mut two) = (pair.initiator(), pair.responder());
        let first = sent(&mut one);
        two.message(&first).unwrap();
        let reply = sent(&mut two);
        two.message(&first).unwrap();
        one.message(&reply).unwrap();
        one.message(&reply).unwrap();
        // Another valid first message (same session, fresh coins) at the consumed step.
        let other = Sign::initiator(pair.initiator.clone(), pair.initiator_params(), rng(101));
        let another = sent(&mut other.unwrap());
        assert_ne!(another, first);
        let error = two.message(&another).unwrap_err();
        assert_refused(&error, C1);
        // The repeat is still ignored after the end.
        two.message(&first).unwrap();
    }
}

#[test]
fn a_ceremony_is_terminal() {
    let pair = Pair::load(Ed25519Standard, TwoOfTwo);
    let (mut one, mut two) = (pair.initiator(), pair.responder());
    let first = sent(&mut one);
    two.message(&first).unwrap();
    let reply = sent(&mut two);
    let halfkey_mpc::Action::Done(None::<Signature>) = two.poll() else {
        panic!("responder")
    };
    one.message(&reply).unwrap();
    let halfkey_mpc::Action::Done(Some(_)) = one.poll() else {
        panic!("initiator")
    };
    for party in [&mut one, &mut two] {
        assert!(matches!(
            party.poll(),
            halfkey_mpc::Action::Failed(Error::Caller(_))
        ));
        let other = sent(&mut pair.initiator());
        let other = CeremonyMessage {
            from: other.to,
            to: other.from,
            ..other
        };
        assert!(party.message(&other).is_err());
        assert!(matches!(
            party.poll(),
            halfkey_mpc::Action::Failed(Error::Caller(_))
        ));
    }
}

/// Two attempts at one and the same session (a retry with the same ceremony id): a message of one
/// is refused in the other, by its MAC, though session, step and ends are the same.
#[test]
fn attempts_at_one_session_do_not_mix() {
    for pair in [
        Pair::load(EcdsaSecp256k1, TwoOfTwo),
        Pair::load(Ed25519Standard, TwoOfTwo),
    ] {
        for step in 2..=steps(&pair) {
            let (receiver, _) = in_flight_from(&pair, step, 1);
            let (_, other) = in_flight_from(&pair, step, 2);
            assert_benign(receiver, &other);
        }
    }
}
