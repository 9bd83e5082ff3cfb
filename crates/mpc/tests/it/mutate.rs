//! Every field of every signing message × every mutation, MACed by a key holder: a typed error that
//! blames the sender, no panic, and no signature.

use std::sync::Arc;

use halfkey_core::wire::CeremonyMessage;
use halfkey_mpc::simulate::Forge;
use halfkey_mpc::{Action, Ceremony, Error, Sign};

use crate::fields::{self, Field};
use crate::run::*;

const SECP256K1_ORDER: [u8; 32] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE,
    0xBA, 0xAE, 0xDC, 0xE6, 0xAF, 0x48, 0xA0, 0x3B, 0xBF, 0xD2, 0x5E, 0x8C, 0xD0, 0x36, 0x41, 0x41,
];
const ED25519_ORDER: [u8; 32] = [
    0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// A signature on its way, and everything a mutation can borrow from.
struct Scene {
    receiver: Sign,
    forge: Forge,
    message: CeremonyMessage,
    fields: Vec<Field>,
    /// The receiver's own message of the round before, where it has the same fields.
    own: Vec<Field>,
}

fn split(pair: &Pair, step: u8, payload: &[u8]) -> Vec<Field> {
    if pair.initiator.header().key_type == EcdsaSecp256k1 {
        fields::ecdsa(step, payload)
    } else {
        fields::ed25519(step, payload)
    }
}

fn scene(pair: &Pair, step: u8) -> Scene {
    let (mut one, mut two) = (pair.initiator(), pair.responder());
    let [mut first, mut second] = [
        Forge::new(Arc::clone(&pair.initiator), &pair.initiator_params(), true),
        Forge::new(Arc::clone(&pair.responder), &pair.responder_params(), false),
    ];
    let mut own = Vec::new();
    let mut message = sent(&mut one);
    for current in 1..step {
        let odd = current % 2 == 1;
        let forge = if odd { &first } else { &second };
        own = split(pair, current, forge.open(&message).unwrap());
        for forge in [&mut first, &mut second] {
            forge.observe(&message).unwrap();
        }
        let receiver = if odd { &mut two } else { &mut one };
        receiver.message(&message).unwrap();
        message = sent(receiver);
    }
    let odd = step % 2 == 1;
    let (receiver, forge) = if odd { (two, first) } else { (one, second) };
    let fields = split(pair, step, forge.open(&message).unwrap());
    Scene {
        receiver,
        forge,
        message,
        fields,
        own,
    }
}

/// Where the content of a field starts: behind the length prefix of a point.
fn content(field: &[u8]) -> usize {
    usize::from(field.len() == 34 && field[0] == 33)
}

/// Replaces the field at `at`; `None` where the mutation does not apply or changes nothing.
type Mutation = fn(&Scene, &Donors, usize) -> Option<Vec<u8>>;

/// The fields of the same step elsewhere.
struct Donors {
    session: Vec<Field>,
    wallet: Vec<Field>,
    generation: Vec<Field>,
}

#[expect(clippy::unnecessary_wraps, reason = "every mutation has this form")]
fn edit(scene: &Scene, at: usize, edit: impl FnOnce(&mut Vec<u8>)) -> Option<Vec<u8>> {
    let mut field = scene.fields[at].1.clone();
    edit(&mut field);
    Some(field)
}

fn named(fields: &[Field], name: &str) -> Option<Vec<u8>> {
    fields
        .iter()
        .find(|(other, _)| *other == name)
        .map(|(_, bytes)| bytes.clone())
}

const MUTATIONS: [(&str, Mutation); 14] = [
    ("flip first", |s, _, at| edit(s, at, |f| f[0] ^= 1)),
    ("flip last", |s, _, at| {
        edit(s, at, |f| *f.last_mut().unwrap() ^= 1)
    }),
    ("flip middle", |s, _, at| {
        edit(s, at, |f| {
            let middle = f.len() / 2;
            f[middle] ^= 0x10;
        })
    }),
    ("truncate", |s, _, at| {
        edit(s, at, |f| f.truncate(f.len() - 1))
    }),
    ("extend", |s, _, at| edit(s, at, |f| f.push(0))),
    ("zero", |s, _, at| {
        edit(s, at, |f| {
            let from = content(f);
            f[from..].fill(0);
        })
    }),
    ("ones", |s, _, at| {
        edit(s, at, |f| {
            let from = content(f);
            f[from..].fill(0xFF);
        })
    }),
    ("order", |s, _, at| {
        let field = &s.fields[at].1;
        let at = content(field) + usize::from(field.len() == 34);
        (field.len() - at == 32).then(|| {
            let ed25519 = s.fields[0].0 == "hiding";
            let order = if ed25519 {
                ED25519_ORDER
            } else {
                SECP256K1_ORDER
            };
            [&field[..at], &order].concat()
        })
    }),
    ("identity", |s, _, at| {
        match (s.fields[at].1.len(), s.fields[0].0) {
            (34, _) => Some(vec![1, 0]),
            (32, "hiding") => Some([vec![1], vec![0; 31]].concat()),
            _ => None,
        }
    }),
    ("swap", |s, _, at| {
        let field = &s.fields[at].1;
        s.fields[at + 1..]
            .iter()
            .find(|(_, other)| other.len() == field.len())
            .map(|f| f.1.clone())
    }),
    ("own echo", |s, _, at| named(&s.own, s.fields[at].0)),
    ("other session", |s, d, at| {
        named(&d.session, s.fields[at].0)
    }),
    ("other wallet", |s, d, at| named(&d.wallet, s.fields[at].0)),
    ("other generation", |s, d, at| {
        named(&d.generation, s.fields[at].0)
    }),
];

/// What the receiver of a mutated message may say.
fn assert_typed(error: &Error, context: &str, sender: halfkey_core::PartyIndex) -> bool {
    match error {
        Error::Refused { from, .. } => assert_eq!(*from, sender, "{context}"),
        Error::PeerMisbehaved { culprit, .. } => {
            assert_eq!(*culprit, sender, "{context}");
            return true;
        }
        Error::Suspect => {}
        other => panic!("{context}: {other:?}"),
    }
    false
}

/// Runs all mutations of one step and returns how many were proven cheating, and how many ran.
fn mutate(pair: &Pair, step: u8) -> (u32, u32) {
    let other_wallet = Pair::load(pair.initiator.header().key_type, TwoOfThree);
    let other_generation = Pair {
        initiator: with_generation(&pair.initiator, 1),
        responder: with_generation(&pair.responder, 1),
    };
    let donors = Donors {
        session: scene(pair, step).fields,
        wallet: scene(&other_wallet, step).fields,
        generation: scene(&other_generation, step).fields,
    };
    let (mut proven, mut ran) = (0, 0);
    let count = donors.session.len();
    for at in 0..count {
        for (mutation, apply) in MUTATIONS {
            let mut scene = scene(pair, step);
            let Some(mutated) = apply(&scene, &donors, at) else {
                continue;
            };
            if mutated == scene.fields[at].1 {
                continue;
            }
            ran += 1;
            let context = format!("step {step}, {}, {mutation}", scene.fields[at].0);
            scene.fields[at].1 = mutated;
            let payload: Vec<u8> = scene.fields.iter().flat_map(|f| f.1.clone()).collect();
            let message = scene.forge.reseal(&scene.message, &payload).unwrap();
            if let Err(error) = scene.receiver.message(&message) {
                proven += u32::from(assert_typed(&error, &context, message.from));
                assert_eq!(failure(&mut scene.receiver), error);
            } else {
                // Commitments cannot be checked before they are opened: a wrong one fails one step
                // later (`cheating`). Everything else in a second round is checked at once.
                assert!(step == 1 || scene.fields[at].0 == "commitment", "{context}");
                assert!(
                    matches!(scene.receiver.poll(), Action::Send(_)),
                    "{context}"
                );
            }
        }
    }
    (proven, ran)
}

#[test]
fn ecdsa_step_1() {
    let (proven, ran) = mutate(&Pair::load(EcdsaSecp256k1, TwoOfTwo), 1);
    assert!(ran > 70 && proven > 0 && proven < ran, "{proven} of {ran}");
}

#[test]
fn ecdsa_step_2() {
    let (proven, ran) = mutate(&Pair::load(EcdsaSecp256k1, TwoOfTwo), 2);
    assert!(ran > 200 && proven > 0 && proven < ran, "{proven} of {ran}");
}

#[test]
fn ecdsa_step_3() {
    let (proven, ran) = mutate(&Pair::load(EcdsaSecp256k1, TwoOfTwo), 3);
    assert!(ran > 130 && proven > 0 && proven < ran, "{proven} of {ran}");
}

#[test]
fn ecdsa_step_4() {
    let (proven, ran) = mutate(&Pair::load(EcdsaSecp256k1, TwoOfTwo), 4);
    assert!(ran > 15 && proven == 0, "{proven} of {ran}");
}

#[test]
fn ed25519_steps() {
    let pair = Pair::load(Ed25519Exportable, TwoOfTwo);
    for (step, least) in [(1, 20), (2, 30)] {
        let (proven, ran) = mutate(&pair, step);
        assert!(ran > least && proven == 0, "{proven} of {ran}");
    }
}

fn to_bytes(value: &impl serde::Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).unwrap()
}

/// Vectors of wrong length, properly encoded and MACed: the engine takes them for cheating, so they
/// must be refused before it sees them (custody rule 15).
#[test]
fn wrong_dimensions_never_look_like_cheating() {
    use dkls23_core::protocols::signing::{TransmitPhase1to2, TransmitPhase2to3};
    use k256::{AffinePoint, Secp256k1};
    type Second = TransmitPhase2to3<Secp256k1>;

    let first: [fn(&mut TransmitPhase1to2); 3] = [
        |m| m.mul_transmit.u.truncate(255),
        |m| m.mul_transmit.verify_t.truncate(255),
        |m| m.mul_transmit.verify_t.clear(),
    ];
    let second: [fn(&mut Second); 15] = [
        |m| drop(m.mul_transmit.vector_of_tau.pop()),
        |m| m.mul_transmit.vector_of_tau.push(Vec::new()),
        |m| m.mul_transmit.vector_of_tau[0].truncate(415),
        |m| m.mul_transmit.vector_of_tau[3].clear(),
        |m| m.mul_transmit.verify_u.truncate(1),
        |m| m.mul_transmit.verify_u.push(k256::Scalar::ONE),
        |m| m.mul_transmit.gamma_sender.truncate(1),
        |m| m.mul_transmit.gamma_sender.clear(),
        |m| m.salt.truncate(63),
        |m| m.salt.push(0),
        |m| m.salt.clear(),
        |m| m.gamma_u = AffinePoint::IDENTITY,
        |m| m.gamma_v = AffinePoint::IDENTITY,
        |m| m.public_share = AffinePoint::IDENTITY,
        |m| m.instance_point = AffinePoint::IDENTITY,
    ];
    let pair = Pair::load(EcdsaSecp256k1, TwoOfTwo);
    let check = |step: u8, bend: &dyn Fn(&[u8]) -> Vec<u8>| {
        let mut scene = scene(&pair, step);
        let payload: Vec<u8> = scene.fields.iter().flat_map(|f| f.1.clone()).collect();
        let message = scene.forge.reseal(&scene.message, &bend(&payload)).unwrap();
        let error = scene.receiver.message(&message).unwrap_err();
        assert_refused(&error, message.from);
    };
    for bend in first {
        check(1, &|payload| {
            let mut message: TransmitPhase1to2 = postcard::from_bytes(payload).unwrap();
            bend(&mut message);
            to_bytes(&message)
        });
        check(2, &|payload| {
            let (mut message, rest): (TransmitPhase1to2, _) =
                postcard::take_from_bytes(payload).unwrap();
            bend(&mut message);
            [to_bytes(&message).as_slice(), rest].concat()
        });
    }
    for bend in second {
        check(2, &|payload| {
            let (first, rest): (TransmitPhase1to2, _) = postcard::take_from_bytes(payload).unwrap();
            let mut message: Second = postcard::from_bytes(rest).unwrap();
            bend(&mut message);
            [to_bytes(&first), to_bytes(&message)].concat()
        });
        check(3, &|payload| {
            let (mut message, rest): (Second, _) = postcard::take_from_bytes(payload).unwrap();
            bend(&mut message);
            [to_bytes(&message).as_slice(), rest].concat()
        });
    }
}
