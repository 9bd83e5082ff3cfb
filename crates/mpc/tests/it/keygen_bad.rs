//! Keygen with a wrong provider, other parameters, and damaged messages.

use halfkey_core::wire::CeremonyMessage;
use halfkey_core::{AttemptId, CeremonyId, ShareSetId};
use halfkey_mpc::simulate::{Parties, to_end};
use halfkey_mpc::{Action, Ceremony, Error, KeyShare, Keygen, KeygenParams};

use crate::run::*;

#[test]
fn a_provider_with_another_identity_is_refused() {
    let params = params(Ed25519Exportable, TwoOfTwo);
    let impostor = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let mut parties: Parties<KeyShare> = Parties::new();
    let provider = Keygen::provider(params.clone(), wallet_of(&params), &impostor, rng(1)).unwrap();
    parties.insert(P, Box::new(provider));
    parties.insert(C1, Box::new(customer(&params, C1, 2)));
    let run = to_end(parties);
    let Some(Err(error)) = run.results.get(&C1) else {
        panic!("accepted an impostor")
    };
    assert_refused(error, P);
    assert!(!run.results.contains_key(&P), "the impostor got no share");
}

#[test]
fn parties_that_start_with_different_parameters_disagree() {
    let ours = params(Ed25519Standard, TwoOfTwo);
    let variants = [
        KeygenParams {
            environment: "other".parse().unwrap(),
            ..ours.clone()
        },
        KeygenParams {
            derivation_path: "m/1".parse().unwrap(),
            ..ours.clone()
        },
        KeygenParams {
            attempt: AttemptId::from_bytes([0; 16]),
            ..ours.clone()
        },
        KeygenParams {
            share_set: ShareSetId::from_bytes([0; 16]),
            ..ours.clone()
        },
        KeygenParams {
            ceremony: CeremonyId::from_bytes([0; 16]),
            ..ours.clone()
        },
        KeygenParams {
            key_type: Ed25519Exportable,
            ..ours.clone()
        },
    ];
    for theirs in variants {
        let mut customer = customer(&theirs, C1, 2);
        let mut provider = provider(&ours, 1);
        let error = provider.message(&sent(&mut customer)).unwrap_err();
        assert!(matches!(error, Error::Disagreement(_)), "{error:?}");
        assert_eq!(failure(&mut provider), error);
    }
}

/// Runs keygen with one message changed on the way; returns what each party ended with.
fn with_change(
    params: &KeygenParams,
    index: usize,
    change: &dyn Fn(&mut CeremonyMessage),
) -> Vec<Result<KeyShare, Error>> {
    let mut parties = keygen_parties(params, 1);
    let mut queue: Vec<CeremonyMessage> = Vec::new();
    let mut results = Vec::new();
    let mut ended = Vec::new();
    let mut next = 0;
    loop {
        for (party, ceremony) in &mut parties {
            while !ended.contains(party) {
                match ceremony.poll() {
                    Action::Send(messages) => queue.extend(messages),
                    Action::Wait => break,
                    Action::Done(share) => {
                        results.push(Ok(share));
                        ended.push(*party);
                    }
                    Action::Failed(error) => {
                        results.push(Err(error));
                        ended.push(*party);
                    }
                }
            }
        }
        let Some(message) = queue.get(next) else {
            return results;
        };
        let mut message = message.clone();
        if next == index {
            change(&mut message);
        }
        if let Some(party) = parties.get_mut(&message.to) {
            party.message(&message).ok();
        }
        next += 1;
    }
}

/// Whatever is changed in whatever message: at most the parties that were done before it end with a
/// share, and whoever notices gives a benign error.
fn every_change_is_benign(params: &KeygenParams, positions: &dyn Fn(usize) -> Vec<usize>) {
    let lengths: Vec<usize> = to_end(keygen_parties(params, 1))
        .sent
        .iter()
        .map(|m| m.body.0.len())
        .collect();
    for (index, length) in lengths.iter().copied().enumerate() {
        for at in positions(length) {
            let flip = |message: &mut CeremonyMessage| message.body.0[at] ^= 1;
            let cut = |message: &mut CeremonyMessage| message.body.0.truncate(at);
            let changes: [&dyn Fn(&mut CeremonyMessage); 2] = [&flip, &cut];
            for change in changes {
                let results = with_change(params, index, change);
                let shares = results.iter().filter(|result| result.is_ok()).count();
                assert!(
                    shares < usize::from(params.scheme.max_signers()),
                    "{index} at {at}"
                );
                for error in results.into_iter().filter_map(Result::err) {
                    let benign = matches!(error, Error::Refused { .. } | Error::Disagreement(_));
                    assert!(benign, "message {index} at {at}: {error:?}");
                }
            }
        }
    }
}

#[test]
fn every_changed_byte_of_an_ed25519_keygen_is_noticed() {
    for key_type in [Ed25519Exportable, Ed25519Standard] {
        every_change_is_benign(&params(key_type, TwoOfTwo), &|length| (0..length).collect());
    }
    for key_type in [Ed25519Exportable, Ed25519Standard] {
        let some = |length: usize| (0..length).step_by(37).collect();
        every_change_is_benign(&params(key_type, TwoOfThree), &some);
    }
}

#[test]
fn messages_in_another_order_make_the_same_wallet() {
    // The customers' own messages may overtake the provider's and each other.
    let params = params(Ed25519Standard, TwoOfThree);
    let mut parties = keygen_parties(&params, 1);
    let mut queue: Vec<CeremonyMessage> = Vec::new();
    let mut shares = Vec::new();
    loop {
        for ceremony in parties.values_mut() {
            loop {
                match ceremony.poll() {
                    Action::Send(messages) => queue.extend(messages),
                    Action::Done(share) => shares.push(share),
                    Action::Wait | Action::Failed(Error::Caller(_)) => break,
                    Action::Failed(error) => panic!("{error:?}"),
                }
            }
        }
        // Last in, first out.
        let Some(message) = queue.pop() else { break };
        parties
            .get_mut(&message.to)
            .unwrap()
            .message(&message)
            .unwrap();
    }
    assert_eq!(shares.len(), 3);
    assert!(
        shares
            .iter()
            .all(|s| s.account_public_key() == shares[0].account_public_key())
    );
}

#[test]
fn an_identical_repeat_is_ignored_and_another_first_message_is_refused() {
    let params = params(Ed25519Exportable, TwoOfTwo);
    let (mut one, mut two) = (customer(&params, C1, 2), provider(&params, 1));
    let first = sent(&mut one);
    two.message(&first).unwrap();
    two.message(&first).unwrap();
    let _reply = sent(&mut two);
    let another = sent(&mut customer(&params, C1, 3));
    assert_refused(&two.message(&another).unwrap_err(), C1);
    assert_refused(&failure(&mut two), C1);
}

#[test]
fn a_low_order_ephemeral_key_is_refused() {
    let params = params(Ed25519Exportable, TwoOfTwo);
    let mut one = customer(&params, C1, 2);
    let mut message = sent(&mut one);
    // version, step, context, no wallet, no identity, random, ephemeral
    let at = 2 + 32 + 1 + 1 + 32;
    message.body.0[at..at + 32].fill(0);
    let error = provider(&params, 1).message(&message).unwrap_err();
    assert_eq!(
        error,
        Error::Refused {
            from: C1,
            what: "ephemeral key of low order"
        }
    );
}
