//! Changes that the halves do not mean in the same way, or that take up words of another one.
//! Nobody gets a share, and nothing is worse than a benign refusal.

use halfkey_core::wire::{CeremonyMessage, ChangeOperation};
use halfkey_core::{AttemptId, Generation, PartyIndex, WalletId};
use halfkey_mpc::test_shares::identity;
use halfkey_mpc::{Action, Ceremony, Change, Error, KeyShare, Keygen, KeygenParams, NextShares};

use crate::change::{Shares, next, ready_made};
use crate::run::*;

type Agreed = (KeygenParams, Change);

fn try_customer(
    agreed: &Agreed,
    party: PartyIndex,
    old: Option<&KeyShare>,
    seed: u64,
) -> Result<Keygen, Error> {
    let pinned = identity().verifying_key();
    Keygen::customer_change(agreed.clone(), party, old, &pinned, rng(seed))
}

fn changing(agreed: &Agreed, party: PartyIndex, old: Option<&KeyShare>, seed: u64) -> Keygen {
    try_customer(agreed, party, old, seed).unwrap()
}

fn changer(agreed: &Agreed, old: &KeyShare, seed: u64) -> Keygen {
    Keygen::provider_change(agreed.clone(), old, &identity(), rng(seed)).unwrap()
}

/// What a party has to say to `to`.
fn said_to(party: &mut Keygen, to: PartyIndex) -> CeremonyMessage {
    let Action::Send(messages) = party.poll() else {
        panic!("nothing to send")
    };
    let mut messages = messages.into_iter();
    messages.find(|message| message.to == to).unwrap()
}

/// A field's name and what gives it another value.
type Bend = (&'static str, fn(&mut Change));

/// Everything that the halves must agree on and that an old share shows.
const OF_THE_SHARE: [Bend; 8] = [
    ("wallet", |c| c.wallet = WalletId::from_bytes([1; 16])),
    ("scheme", |c| {
        c.from_scheme = match c.from_scheme {
            TwoOfTwo => TwoOfThree,
            TwoOfThree => TwoOfTwo,
        };
    }),
    ("generation", |c| c.from_generation = Generation(7)),
    ("attempt", |c| {
        c.from_attempt = AttemptId::from_bytes([1; 16]);
    }),
    ("group key", |c| c.group_public_key[3] ^= 1),
    ("chain code", |c| c.chain_code = vec![7; 32]),
    ("verifying shares", |c| {
        let other = c.verifying_shares[&P].clone();
        c.verifying_shares.insert(C1, other);
    }),
    ("origin", |c| {
        c.custody_origin = c.custody_origin.with_exported();
    }),
];

const OPERATION: Bend = ("operation", |c| {
    c.operation = match c.operation {
        ChangeOperation::Refresh => ChangeOperation::Reshare,
        _ => ChangeOperation::Refresh,
    };
});
const NEW_GENERATION: Bend = ("new generation", |c| c.generation = Generation(9));
const CONTRIBUTORS: Bend = ("contributors", |c| c.contributors.truncate(1));

fn bent(agreed: &Agreed, (_, bend): Bend) -> Agreed {
    let mut other = agreed.clone();
    bend(&mut other.1);
    assert_ne!(other, *agreed);
    other
}

#[test]
fn a_change_that_starts_elsewhere_is_refused_before_anything_is_sent() {
    for key_type in [EcdsaSecp256k1, Ed25519Exportable, Ed25519Standard] {
        let old = ready_made(key_type, TwoOfThree);
        let agreed = Change::new(&old[&P], &next(&old, ChangeOperation::Refresh)).unwrap();
        let refusal = Error::Caller("the old share is not one the change starts from");
        for bend in OF_THE_SHARE {
            let other = bent(&agreed, bend);
            let error = try_customer(&other, C1, Some(&old[&C1]), 1).map(drop);
            assert_eq!(error, Err(refusal.clone()), "{key_type:?}: {}", bend.0);
            let error = Keygen::provider_change(other, &old[&P], &identity(), rng(1)).map(drop);
            assert_eq!(error, Err(refusal.clone()), "{key_type:?}: {}", bend.0);
        }
        let error = Keygen::provider_change(agreed, &old[&C1], &identity(), rng(1)).map(drop);
        assert_eq!(error, Err(refusal), "a customer's share at the provider");
    }
}

/// The party that only receives has no old share to compare with; the provider has.
#[test]
fn a_receiver_that_was_told_of_another_change_is_refused() {
    for key_type in [EcdsaSecp256k1, Ed25519Exportable, Ed25519Standard] {
        let old = ready_made(key_type, TwoOfTwo);
        let agreed = Change::new(&old[&P], &next(&old, ChangeOperation::Reshare)).unwrap();
        let of_the_change = [OPERATION, NEW_GENERATION, CONTRIBUTORS];
        for bend in OF_THE_SHARE.into_iter().chain(of_the_change) {
            let mut provider = changer(&agreed, &old[&P], 1);
            let mut one = changing(&agreed, C1, Some(&old[&C1]), 2);
            provider.message(&said_to(&mut one, P)).unwrap();
            let mut two = changing(&bent(&agreed, bend), C2, None, 3);
            assert_disagree(&mut provider, &said_to(&mut two, P));
        }
    }
}

#[test]
fn contributors_that_mean_another_change_disagree() {
    for key_type in [EcdsaSecp256k1, Ed25519Exportable, Ed25519Standard] {
        let old = ready_made(key_type, TwoOfTwo);
        let agreed = Change::new(&old[&P], &next(&old, ChangeOperation::Refresh)).unwrap();
        for bend in [OPERATION, NEW_GENERATION] {
            let mut one = changing(&bent(&agreed, bend), C1, Some(&old[&C1]), 2);
            assert_disagree(&mut changer(&agreed, &old[&P], 1), &sent(&mut one));
        }
        // Of the three contributors to a refresh, one counts on two.
        let old = ready_made(key_type, TwoOfThree);
        let agreed = Change::new(&old[&P], &next(&old, ChangeOperation::Refresh)).unwrap();
        let mut one = changing(&bent(&agreed, CONTRIBUTORS), C1, Some(&old[&C1]), 2);
        let mut two = changing(&agreed, C2, Some(&old[&C2]), 3);
        let mut provider = changer(&agreed, &old[&P], 1);
        provider.message(&said_to(&mut two, P)).unwrap();
        assert_disagree(&mut provider, &said_to(&mut one, P));
    }
}

/// The four messages of a change between two parties, in the order of steps.
fn four_messages(old: &Shares, agreed: &Agreed, seed: u64) -> [CeremonyMessage; 4] {
    let mut one = changing(agreed, C1, Some(&old[&C1]), seed);
    let mut two = changer(agreed, &old[&P], seed + 1);
    let first = sent(&mut one);
    two.message(&first).unwrap();
    let second = sent(&mut two);
    one.message(&second).unwrap();
    let third = sent(&mut one);
    two.message(&third).unwrap();
    let fourth = sent(&mut two);
    one.message(&fourth).unwrap();
    assert!(matches!(one.poll(), Action::Done(_)), "they are good words");
    [first, second, third, fourth]
}

/// What comes of a word of another run at `step`, in place of the one that is waited for.
fn replayed(old: &Shares, agreed: &Agreed, step: u8, word: &CeremonyMessage) -> Error {
    let mut customer = changing(agreed, C1, Some(&old[&C1]), 50);
    let mut provider = changer(agreed, &old[&P], 51);
    let mut own = sent(&mut customer);
    for _ in 1..step {
        let party = if own.to == P {
            &mut provider
        } else {
            &mut customer
        };
        party.message(&own).unwrap();
        own = sent(party);
    }
    assert_eq!((own.to, own.body.0[1]), (word.to, word.body.0[1]));
    assert_ne!(own, *word);
    let party = if own.to == P {
        &mut provider
    } else {
        &mut customer
    };
    let error = party.message(word).unwrap_err();
    assert_eq!(failure(party), error, "and no share");
    error
}

#[test]
fn words_of_another_attempt_are_refused() {
    for key_type in [Ed25519Exportable, Ed25519Standard] {
        let old = ready_made(key_type, TwoOfTwo);
        let wanted = next(&old, ChangeOperation::Refresh);
        let another = NextShares {
            attempt: AttemptId::from_bytes([0x77; 16]),
            ..wanted
        };
        let [ours, theirs] = [wanted, another].map(|next| Change::new(&old[&P], &next).unwrap());
        // The same coins, so that nothing but the attempt differs.
        let words = four_messages(&old, &theirs, 50);
        for (word, step) in words.iter().zip(1..) {
            let error = replayed(&old, &ours, step, word);
            match step {
                1 | 2 => assert!(matches!(error, Error::Disagreement(_)), "{error:?}"),
                _ => assert_refused(&error, word.from),
            }
        }
    }
}

#[test]
fn words_of_another_try_at_the_same_attempt_are_refused() {
    for key_type in [Ed25519Exportable, Ed25519Standard] {
        let old = ready_made(key_type, TwoOfTwo);
        let wanted = next(&old, ChangeOperation::Refresh);
        let agreed = Change::new(&old[&P], &wanted).unwrap();
        let words = four_messages(&old, &agreed, 80);
        // The first opens a ceremony of its own; every later one belongs to its answer.
        for (word, step) in words.iter().zip(1..).skip(1) {
            assert_refused(&replayed(&old, &agreed, step, word), word.from);
        }
    }
}
