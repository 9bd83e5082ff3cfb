//! What the provider, and whoever reads the wire, sees of the polynomials of an Ed25519 change
//! (custody rule 1). The ECDSA engine's are read from outside, in `tests/it/custody.rs`.

use std::sync::{Arc, Mutex};

use curve25519_dalek::scalar::Scalar;
use zeroize::Zeroizing;

use super::*;
use crate::ed25519::reshare::lagrange;
use crate::ed25519::seed_reshare::product;

/// Every byte that reaches the provider's engine, as it is and without the pad.
type Seen = Arc<Mutex<Vec<Vec<u8>>>>;

/// An honest provider that notes what it is told.
struct Noting {
    honest: Box<dyn Engine>,
    seen: Seen,
    /// What each party told it under the pad, unpadded.
    unpadded: Arc<Mutex<BTreeMap<Index, Vec<u8>>>>,
}

impl Noting {
    fn note(&self, received: &AllIncoming) {
        let mut seen = self.seen.lock().unwrap();
        for part in received.values() {
            seen.extend([part.public.clone(), part.private.to_vec()]);
        }
    }
}

impl Engine for Noting {
    fn open(&mut self, rng: &mut BoxRng) -> Result<Outgoing, Error> {
        self.honest.open(rng)
    }

    fn reply(
        &mut self,
        session: &Session,
        received: AllIncoming,
        rng: &mut BoxRng,
    ) -> Result<Outgoing, Error> {
        self.note(&received);
        self.honest.reply(session, received, rng)
    }

    fn answer(
        &mut self,
        session: &Session,
        received: AllIncoming,
        pads: &Pads,
        rng: &mut BoxRng,
    ) -> Result<Outgoing, Error> {
        self.honest.answer(session, received, pads, rng)
    }

    fn conclude(
        &mut self,
        session: &Session,
        received: AllIncoming,
        pads: &Pads,
    ) -> Result<(Outgoing, KeyMaterial), Error> {
        self.note(&received);
        for (from, part) in &received {
            let padded = Zeroizing::new(part.private.to_vec());
            let bytes = padded.iter().zip(pads[from].iter());
            let bytes: Vec<u8> = bytes.map(|(byte, pad)| byte ^ pad).collect();
            self.seen.lock().unwrap().push(bytes.clone());
            self.unpadded.lock().unwrap().insert(*from, bytes);
        }
        self.honest.conclude(session, received, pads)
    }

    fn finish(
        &mut self,
        session: &Session,
        received: AllIncoming,
        pads: &Pads,
    ) -> Result<KeyMaterial, Error> {
        self.honest.finish(session, received, pads)
    }
}

/// What was said under whose polynomial, by whose it is and for whom: value (32) ‖ seed part (32).
type Fragments = BTreeMap<(Index, Index), Vec<u8>>;

fn noting_all(fragments: &Arc<Mutex<Fragments>>, from: Index) -> Bend {
    let fragments = Arc::clone(fragments);
    Box::new(move |out| {
        for (to, bytes) in &out.private {
            fragments
                .lock()
                .unwrap()
                .insert((from, *to), bytes.to_vec());
        }
    })
}

/// A change that everybody takes part in as told, and what was said in it.
struct Viewed {
    run: Run<KeyShare>,
    seen: Vec<Vec<u8>>,
    fragments: Fragments,
}

fn viewed(old: &Old, agreed: &Agreed) -> Viewed {
    let (seen, unpadded) = (Seen::default(), Arc::default());
    let fragments = Arc::<Mutex<Fragments>>::default();
    let mut members = changing(old, agreed);
    for (party, keygen) in &mut members {
        if *party == P {
            plant(keygen, Word::Reply, noting_all(&fragments, P));
            wrap(keygen, |honest| {
                let (seen, unpadded) = (Arc::clone(&seen), Arc::clone(&unpadded));
                Box::new(Noting {
                    honest,
                    seen,
                    unpadded,
                })
            });
        } else {
            plant(keygen, Word::Answer(*party), noting_all(&fragments, *party));
        }
    }
    let run = run(members);
    assert!(run.results.values().all(Result::is_ok));
    let mut fragments = core::mem::take(&mut *fragments.lock().unwrap());
    // For the provider they are under the pad by then.
    for (from, bytes) in core::mem::take(&mut *unpadded.lock().unwrap()) {
        if !bytes.is_empty() {
            fragments.insert((from, P), bytes);
        }
    }
    let mut seen = core::mem::take(&mut *seen.lock().unwrap());
    let to_provider = run.sent.iter().filter(|message| message.to == P);
    seen.extend(to_provider.map(|message| message.body.0.clone()));
    Viewed {
        run,
        seen,
        fragments,
    }
}

fn holds(seen: &[Vec<u8>], secret: &[u8]) -> bool {
    let held = |bytes: &Vec<u8>| bytes.windows(secret.len()).any(|window| window == secret);
    seen.iter().any(held)
}

/// A polynomial of degree 1 at 0, 1, 2 and 3, from its values at 1 and at `x`.
#[expect(clippy::arithmetic_side_effects, reason = "a field does not overflow")]
fn line(one: &[u8], at_x: &[u8], x: Index) -> [[u8; 32]; 4] {
    let scalar = |bytes: &[u8]| {
        let bytes = bytes.try_into().unwrap();
        Scalar::from_canonical_bytes(bytes).unwrap()
    };
    let (one, at_x) = (scalar(one), scalar(at_x));
    let slope = (at_x - one) * Scalar::from(x.as_u8() - 1).invert();
    [0_u8, 1, 2, 3].map(|at| (one + slope * (Scalar::from(at) - Scalar::ONE)).to_bytes())
}

/// The same over GF(2⁸), bytewise.
fn line_of_seed(one: &[u8], at_x: &[u8], x: Index) -> [[u8; 32]; 4] {
    // In this field minus is plus.
    let distance = x.as_u8() ^ 1;
    let inverse = (1..=255).find(|i| product(*i, distance) == 1).unwrap();
    [0_u8, 1, 2, 3].map(|at| {
        let value = |(one, at_x): (&u8, &u8)| {
            let slope = product(one ^ at_x, inverse);
            one ^ product(slope, at ^ 1)
        };
        let values: Vec<u8> = one.iter().zip(at_x).map(value).collect();
        values.try_into().unwrap()
    })
}

fn assert_only_its_own(seen: &[Vec<u8>], values: &[[u8; 32]; 4]) {
    for (at, value) in values.iter().enumerate() {
        assert_eq!(holds(seen, value), at == 1, "the value at {at}");
    }
}

/// The secret scalar and, where there is one, the seed share.
fn secrets(share: &KeyShare) -> Vec<Vec<u8>> {
    let KeyMaterial::Ed25519(share) = share.material() else {
        panic!("an Ed25519 share")
    };
    let seed = share.seed.as_ref().map(|seed| seed.0.to_vec());
    let scalar = share.key.signing_share().serialize();
    [scalar].into_iter().chain(seed).collect()
}

/// Every change between whose parties there are two of the customer's.
const TO_THREE: [(ThresholdSignatureScheme, ChangeOperation, Option<Index>); 4] = [
    (TwoOfTwo, Reshare, None),
    (TwoOfThree, Refresh, None),
    (TwoOfThree, ReplaceShare, Some(C1)),
    (TwoOfThree, ReplaceShare, Some(C2)),
];

/// Two values would be the polynomial, and with it the old share that is its constant term.
#[test]
fn the_provider_sees_one_value_of_each_polynomial_of_a_change() {
    for key_type in [Ed25519Standard, Ed25519Exportable] {
        for (scheme, operation, lost) in TO_THREE {
            let old = load_all(key_type, scheme);
            let agreed = agree(&old, operation, lost);
            let Viewed {
                run,
                seen,
                fragments,
            } = viewed(&old, &agreed);
            let contributors = &agreed.1.contributors;
            for party in contributors.iter().filter(|party| **party != P) {
                let other = if *party == C1 { C2 } else { C1 };
                let (one, far) = (&fragments[&(*party, P)], &fragments[&(*party, other)]);
                let values = line(&one[..32], &far[..32], other);
                assert_only_its_own(&seen, &values);
                let old_share = secrets(&old[party]).swap_remove(0).try_into().unwrap();
                let old_share = Scalar::from_canonical_bytes(old_share).unwrap();
                let constant = lagrange(*party, contributors).unwrap() * old_share;
                assert_eq!(values[0], constant.to_bytes(), "what this is about");
                if key_type == Ed25519Exportable && operation != Refresh {
                    assert_only_its_own(&seen, &line_of_seed(&one[32..], &far[32..], other));
                }
            }
            let new = run.results.values().map(|share| share.as_ref().unwrap());
            for share in old.values().chain(new) {
                for secret in secrets(share) {
                    let of_customer = share.header().party != P;
                    assert!(
                        !(of_customer && holds(&seen, &secret)),
                        "a customer's share"
                    );
                }
            }
        }
    }
}

/// Between the halves everything of a polynomial, and the mask of a refresh, is under a pad.
#[test]
fn the_wire_shows_nothing_of_the_polynomials_of_a_change() {
    let to_two = [(TwoOfTwo, Refresh, None), (TwoOfThree, Reshare, None)];
    for key_type in [Ed25519Standard, Ed25519Exportable] {
        for (scheme, operation, lost) in TO_THREE.into_iter().chain(to_two) {
            let old = load_all(key_type, scheme);
            let agreed = agree(&old, operation, lost);
            let Viewed { run, fragments, .. } = viewed(&old, &agreed);
            let (wire, local): (Vec<_>, Vec<_>) = run
                .sent
                .iter()
                .map(|m| (m.from == P || m.to == P, m.body.0.clone()))
                .partition(|(is_wire, _)| *is_wire);
            let [wire, local] = [wire, local].map(|messages| -> Vec<Vec<u8>> {
                messages.into_iter().map(|(_, body)| body).collect()
            });
            let others = agreed.0.scheme.max_signers() - 1;
            let expected = agreed.1.contributors.len() * usize::from(others);
            assert_eq!(fragments.len(), expected, "everybody's for everybody else");
            for ((from, to), fragment) in &fragments {
                let (value, seed) = fragment.split_at(32);
                let is_local = *from != P && *to != P;
                assert!(!holds(&wire, value), "{from} to {to}");
                assert_eq!(holds(&local, value), is_local, "{from} to {to}");
                // Zeros stand where a fragment has nothing of the seed.
                assert!(seed == [0; 32] || !holds(&wire, seed), "{from} to {to}");
            }
        }
    }
}
