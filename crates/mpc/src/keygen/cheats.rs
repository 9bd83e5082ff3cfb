//! A party that deviates in keygen and MACs what it says: named, benign, and nobody else gets a
//! share that does not fit.

mod change;

use dkls23_core::utilities::proofs::R;
use k256::Scalar;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;
use crate::channel::DealPad;
use crate::codec::{decode, encode};
use crate::ecdsa::messages::{
    CustomerSecondPrivate, CustomerSecondPublic, OpenPrivate, OpenPublic, ProviderFirst,
};
use crate::keygen::engine::{AllIncoming, Outgoing, Session};
use crate::share::KeyMaterial;
use crate::simulate::{Parties, Run, to_end};
use crate::test_shares;
use std::collections::BTreeMap;

use KeyType::{EcdsaSecp256k1, Ed25519Exportable, Ed25519Standard};
use PartyIndex as Index;
use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};

type Bend = Box<dyn Fn(&mut Outgoing) + Send>;
type Pads = BTreeMap<Index, DealPad>;

/// An honest engine whose words are bent before the driver MACs them.
struct Bent {
    honest: Box<dyn Engine>,
    reply: Option<Bend>,
    answer: Option<Bend>,
    conclude: Option<Bend>,
    material: Option<KeyMaterial>,
}

fn bend(out: &mut Outgoing, bend: Option<&Bend>) {
    if let Some(bend) = bend {
        bend(out);
    }
}

impl Engine for Bent {
    fn open(&mut self, rng: &mut BoxRng) -> Result<Outgoing, Error> {
        self.honest.open(rng)
    }

    fn reply(
        &mut self,
        session: &Session,
        received: AllIncoming,
        rng: &mut BoxRng,
    ) -> Result<Outgoing, Error> {
        let mut out = self.honest.reply(session, received, rng)?;
        bend(&mut out, self.reply.as_ref());
        Ok(out)
    }

    fn answer(
        &mut self,
        session: &Session,
        received: AllIncoming,
        pads: &Pads,
        rng: &mut BoxRng,
    ) -> Result<Outgoing, Error> {
        let mut out = self.honest.answer(session, received, pads, rng)?;
        bend(&mut out, self.answer.as_ref());
        Ok(out)
    }

    fn conclude(
        &mut self,
        session: &Session,
        received: AllIncoming,
        pads: &Pads,
    ) -> Result<(Outgoing, KeyMaterial), Error> {
        let (mut out, material) = self.honest.conclude(session, received, pads)?;
        bend(&mut out, self.conclude.as_ref());
        Ok((out, self.material.take().unwrap_or(material)))
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

/// Which word of whom is bent.
#[derive(Clone, Copy)]
enum Word {
    Reply,
    Answer(Index),
    Conclude,
}

/// Takes the engine out of a keygen that has not heard anything, and puts another one in.
fn wrap(keygen: &mut Keygen, wrapped: impl FnOnce(Box<dyn Engine>) -> Box<dyn Engine>) {
    let stage = core::mem::replace(&mut keygen.stage, Stage::Over);
    let Stage::First {
        engine: honest,
        ephemeral,
        own,
    } = stage
    else {
        panic!("not started")
    };
    keygen.stage = Stage::First {
        engine: wrapped(honest),
        ephemeral,
        own,
    };
}

/// An engine that does not bend anything yet.
fn straight(honest: Box<dyn Engine>) -> Bent {
    Bent {
        honest,
        reply: None,
        answer: None,
        conclude: None,
        material: None,
    }
}

fn plant(keygen: &mut Keygen, word: Word, bend: Bend) {
    wrap(keygen, |honest| {
        let mut bent = straight(honest);
        match word {
            Word::Reply => bent.reply = Some(bend),
            Word::Answer(_) => bent.answer = Some(bend),
            Word::Conclude => bent.conclude = Some(bend),
        }
        Box::new(bent)
    });
}

/// Lets the provider go on with another key than the one that came out.
fn plant_material(provider: &mut Keygen, material: KeyMaterial) {
    wrap(provider, |honest| {
        let mut bent = straight(honest);
        bent.material = Some(material);
        Box::new(bent)
    });
}

fn members(key_type: KeyType, scheme: ThresholdSignatureScheme) -> BTreeMap<Index, Keygen> {
    let params = test_shares::params(key_type, scheme).unwrap();
    let (identity, wallet) = (
        test_shares::identity(),
        test_shares::wallet(key_type, scheme),
    );
    let rng = rand_core::OsRng;
    let provider = Keygen::provider(params.clone(), wallet, &identity, rng).unwrap();
    let mut members = BTreeMap::from([(Index::PROVIDER, provider)]);
    for party in Index::customers(scheme) {
        let pinned = identity.verifying_key();
        members.insert(
            *party,
            Keygen::customer(params.clone(), *party, &pinned, rng).unwrap(),
        );
    }
    members
}

fn run(members: BTreeMap<Index, Keygen>) -> Run<KeyShare> {
    let mut parties: Parties<KeyShare> = Parties::new();
    for (party, keygen) in members {
        parties.insert(party, Box::new(keygen));
    }
    to_end(parties)
}

fn results(members: BTreeMap<Index, Keygen>) -> BTreeMap<Index, Result<KeyShare, Error>> {
    run(members).results
}

/// Runs with one bent word and returns what `noticer` ended with.
fn noticed(
    key_type: KeyType,
    scheme: ThresholdSignatureScheme,
    word: Word,
    noticer: Index,
    bend: impl Fn(&mut Outgoing) + Send + 'static,
) -> Error {
    let mut members = members(key_type, scheme);
    let cheater = match word {
        Word::Answer(party) => party,
        Word::Reply | Word::Conclude => Index::PROVIDER,
    };
    plant(members.get_mut(&cheater).unwrap(), word, Box::new(bend));
    let mut results = results(members);
    results.remove(&noticer).unwrap().unwrap_err()
}

fn change<T: Serialize + DeserializeOwned>(bytes: &mut Vec<u8>, change: impl FnOnce(&mut T)) {
    let mut value: T = decode(bytes).unwrap();
    change(&mut value);
    *bytes = encode(&value).unwrap().to_vec();
}

fn private(out: &mut Outgoing, to: Index) -> &mut Vec<u8> {
    out.private.get_mut(&to).unwrap()
}

fn refused(from: Index, what: &'static str) -> Error {
    Error::Refused { from, what }
}

const C1: Index = Index::CUSTOMER_1;
const C2: Index = Index::CUSTOMER_2;
const P: Index = Index::PROVIDER;

/// A polynomial's values by whose it is and for whom.
type Evaluations = std::sync::Arc<std::sync::Mutex<BTreeMap<(Index, Index), [u8; 32]>>>;

/// Notes the 32 bytes at `at` of what `from` says to each party.
fn noting(seen: &Evaluations, from: Index, at: usize) -> Bend {
    let seen = std::sync::Arc::clone(seen);
    Box::new(move |out| {
        for (to, bytes) in &out.private {
            let value = bytes[at..][..32].try_into().unwrap();
            seen.lock().unwrap().insert((from, *to), value);
        }
    })
}

/// Whoever reads everything between the halves, in both directions, under TLS (a balancer that ends
/// it), reads at most one value of each polynomial, and none of the provider's: two are the whole
/// polynomial, and all polynomials are the key (custody rule 1).
#[test]
fn the_wire_shows_no_two_evaluations_of_one_polynomial() {
    for (key_type, scheme, all) in [
        (EcdsaSecp256k1, TwoOfThree, 6),
        (EcdsaSecp256k1, TwoOfTwo, 2),
        (Ed25519Standard, TwoOfThree, 6),
        (Ed25519Standard, TwoOfTwo, 2),
    ] {
        let mut members = members(key_type, scheme);
        let seen = Evaluations::default();
        // ECDSA: varint(32) ‖ scalar. FROST: version ‖ suite (4) ‖ scalar.
        let at = if key_type == EcdsaSecp256k1 { 1 } else { 5 };
        plant(
            members.get_mut(&P).unwrap(),
            Word::Reply,
            noting(&seen, P, at),
        );
        if key_type == Ed25519Standard {
            for party in Index::customers(scheme) {
                let customer = members.get_mut(party).unwrap();
                plant(customer, Word::Answer(*party), noting(&seen, *party, at));
            }
        }
        let run = run(members);
        assert!(run.results.values().all(Result::is_ok));
        let mut seen = core::mem::take(&mut *seen.lock().unwrap());
        for message in run.sent.iter().filter(|message| message.body.0[1] == 1) {
            let payload = envelope::split_open(&message.body.0).unwrap();
            let first = First::decode(message.from, payload).unwrap();
            if let Some(value) = first.private.get(1..) {
                seen.insert((message.from, message.to), value.try_into().unwrap());
            }
        }
        assert_eq!(
            seen.len(),
            all,
            "every evaluation but the own ones is known here"
        );
        let wire = run.sent.iter().filter(|m| m.from == P || m.to == P);
        let wire: Vec<&[u8]> = wire.map(|message| message.body.0.as_slice()).collect();
        assert_eq!(wire.len(), 4 * Index::customers(scheme).len());
        let mut readable: BTreeMap<Index, u32> = BTreeMap::new();
        for ((of, _), value) in &seen {
            let read = |body: &&&[u8]| body.windows(32).any(|window| window == value);
            *readable.entry(*of).or_default() += u32::from(wire.iter().any(|b| read(&b)));
        }
        assert_eq!(readable.remove(&P), Some(0), "{key_type:?} {scheme:?}");
        // One value of each customer's polynomial crosses, for the provider.
        assert!(readable.values().all(|count| *count == 1), "{readable:?}");
    }
}

#[test]
fn the_control_makes_a_key() {
    let mut members = members(Ed25519Standard, TwoOfThree);
    plant(
        members.get_mut(&C1).unwrap(),
        Word::Answer(C1),
        Box::new(|_| {}),
    );
    assert!(results(members).values().all(Result::is_ok));
}

/// Two points always lie on a line, so between two parties every fragment makes some valid key;
/// with a third the public shares no longer fit.
#[test]
fn ecdsa_wrong_fragment_of_the_provider() {
    let error = noticed(EcdsaSecp256k1, TwoOfThree, Word::Reply, P, |out| {
        change(private(out, C1), |first: &mut ProviderFirst| {
            first.fragment += Scalar::ONE;
        });
    });
    assert_eq!(error, Error::Disagreement("the public shares do not fit"));
}

type BendOpening = fn(&mut OpenPublic, &mut OpenPrivate);

fn wrong_customer_opening(bend: BendOpening) -> Error {
    noticed(EcdsaSecp256k1, TwoOfTwo, Word::Answer(C1), P, move |out| {
        let mut public: CustomerSecondPublic = decode(&out.public).unwrap();
        let mut opened: CustomerSecondPrivate = decode(private(out, P)).unwrap();
        bend(&mut public.open, &mut opened.open);
        out.public = encode(&public).unwrap().to_vec();
        *private(out, P) = encode(&opened).unwrap().to_vec();
    })
}

#[test]
fn ecdsa_wrong_opening_of_a_customer() {
    let cases: [(BendOpening, &str); 4] = [
        (
            |public, _| public.proof.proofs[0].challenge_response += Scalar::ONE,
            "proof of the key share",
        ),
        (
            |public, _| public.chain_code[0] ^= 1,
            "chain code commitment",
        ),
        (
            |_, private| private.zero_seed.0[0] ^= 1,
            "zero-share commitment",
        ),
        (
            |_, private| private.enc_proofs.swap(0, 1),
            "base oblivious transfer",
        ),
    ];
    for (bend, what) in cases {
        assert_eq!(wrong_customer_opening(bend), refused(C1, what));
    }
}

/// What the engine would index, or take for cheating, never reaches it.
#[test]
fn ecdsa_wrong_dimensions_of_a_customer() {
    let cases: [(BendOpening, &str); 7] = [
        (
            |_, private| private.enc_proofs.truncate(255),
            "base OT dimensions",
        ),
        (
            |_, private| private.enc_proofs.clear(),
            "base OT dimensions",
        ),
        (
            |_, private| private.zero_salt.push(0),
            "zero-share salt length",
        ),
        (
            |public, _| public.chain_code_salt.clear(),
            "chain code salt length",
        ),
        (
            |public, _| public.proof.rand_commitments.truncate(63),
            "proof dimensions",
        ),
        (
            |_, private| private.dlog_proof.proofs.truncate(usize::from(R) - 1),
            "proof dimensions",
        ),
        (
            |_, private| private.dlog_proof.point = k256::AffinePoint::IDENTITY,
            "point at infinity",
        ),
    ];
    for (bend, what) in cases {
        assert_eq!(wrong_customer_opening(bend), refused(C1, what));
    }
}

#[test]
fn ecdsa_wrong_opening_of_the_provider() {
    let cases: [(BendOpening, &str); 3] = [
        (
            |public, _| public.chain_code[0] ^= 1,
            "chain code commitment",
        ),
        (
            |_, private| private.enc_proofs.swap(0, 1),
            "base oblivious transfer",
        ),
        (
            |_, private| private.enc_proofs.truncate(255),
            "base OT dimensions",
        ),
    ];
    for (bend, what) in cases {
        let error = noticed(EcdsaSecp256k1, TwoOfTwo, Word::Conclude, C1, move |out| {
            let mut public: OpenPublic = decode(&out.public).unwrap();
            let mut opened: OpenPrivate = decode(private(out, C1)).unwrap();
            bend(&mut public, &mut opened);
            out.public = encode(&public).unwrap().to_vec();
            *private(out, C1) = encode(&opened).unwrap().to_vec();
        });
        assert_eq!(error, refused(P, what));
    }
}

#[test]
fn frost_wrong_proof_and_wrong_fragment() {
    let error = noticed(Ed25519Standard, TwoOfTwo, Word::Reply, C1, |out| {
        *out.public.last_mut().unwrap() ^= 1;
    });
    assert!(matches!(error, Error::Refused { from: P, .. }), "{error:?}");
    let error = noticed(Ed25519Standard, TwoOfTwo, Word::Reply, C1, |out| {
        private(out, C1)[10] ^= 1;
    });
    assert_eq!(error, refused(P, "key fragment off the polynomial"));
    let error = noticed(Ed25519Standard, TwoOfThree, Word::Answer(C2), P, |out| {
        private(out, P)[10] ^= 1;
    });
    assert_eq!(error, refused(C2, "key fragment off the polynomial"));
    let error = noticed(Ed25519Standard, TwoOfThree, Word::Answer(C1), C2, |out| {
        private(out, C2).clear();
    });
    assert_eq!(error, refused(C1, "malformed key fragment"));
}

#[test]
fn dealt_wrong_share_commitment_or_contribution() {
    // commitment: varint(2) ‖ 2 × 32, then the padded key share, the padded seed share, the option
    let key = 1 + 2 * 32;
    for (to, scheme) in [(P, TwoOfTwo), (P, TwoOfThree), (C2, TwoOfThree)] {
        let error = noticed(
            Ed25519Exportable,
            scheme,
            Word::Answer(C1),
            to,
            move |out| {
                private(out, to)[key] ^= 1;
            },
        );
        assert_eq!(error, refused(C1, "key share off the polynomial"));
    }
    let error = noticed(Ed25519Exportable, TwoOfTwo, Word::Answer(C1), P, |out| {
        let message = private(out, P);
        message[0] = 1;
        message.drain(1..33);
    });
    assert_eq!(error, refused(C1, "polynomial of another degree"));
    let error = noticed(Ed25519Exportable, TwoOfTwo, Word::Answer(C1), P, |out| {
        let message = private(out, P);
        *message.last_mut().unwrap() = 1;
        message.extend_from_slice(&[7; 32]);
    });
    assert_eq!(error, refused(C1, "seed commitment for the wrong party"));
    let error = noticed(Ed25519Exportable, TwoOfTwo, Word::Reply, C1, |out| {
        out.public.push(0);
    });
    assert_eq!(error, refused(P, "contribution length"));
}

/// The provider signs the transcript of another key than the customer has.
#[test]
fn a_signature_over_another_key_is_a_disagreement() {
    for (key_type, other) in [(Ed25519Exportable, TwoOfTwo), (Ed25519Standard, TwoOfTwo)] {
        let mut members = members(key_type, other);
        let provider = members.get_mut(&P).unwrap();
        let other = test_shares::load(key_type, other, P).unwrap();
        plant_material(provider, other.into_material());
        let error = results(members).remove(&C1).unwrap().unwrap_err();
        assert!(matches!(error, Error::Disagreement(_)), "{error:?}");
    }
}
