//! Who puts another key into a change or an import than is there, and what anybody sees of the
//! polynomials.

mod view;

use halfkey_core::Generation;
use halfkey_core::wire::ChangeOperation::{self, Refresh, ReplaceShare, Reshare};

use super::*;
use crate::ed25519::reshare::Reshare as ReshareEngine;
use crate::keygen::start::NextShares;

const OTHER_KEY: Error = Error::Disagreement("another key came out than went in");
const OTHER_SHARE: &str = "commitment to another share than the one it holds";
const NO_COMMITMENT: &str = "commitment of a party that has none, or none of one";

type Old = BTreeMap<Index, KeyShare>;
type Agreed = (KeygenParams, Change);

fn load_all(key_type: KeyType, scheme: ThresholdSignatureScheme) -> Old {
    let load = |party: &Index| test_shares::load(key_type, scheme, *party).unwrap();
    let parties = Index::all(scheme).iter();
    parties.map(|party| (*party, load(party))).collect()
}

/// A change of these shares.
fn agree(old: &Old, operation: ChangeOperation, lost: Option<Index>) -> Agreed {
    let header = old[&P].header();
    let scheme = match (operation, header.scheme) {
        (Reshare, TwoOfTwo) => TwoOfThree,
        (Reshare, TwoOfThree) => TwoOfTwo,
        (_, scheme) => scheme,
    };
    let next = NextShares {
        operation,
        scheme,
        lost,
        generation: Generation(1),
        attempt: AttemptId::from_bytes([0xC1; 16]),
        share_set: match operation {
            Refresh => header.share_set,
            _ => ShareSetId::from_bytes([0xB1; 16]),
        },
        ceremony: CeremonyId::from_bytes([0xD1; 16]),
    };
    Change::new(&old[&P], &next).unwrap()
}

/// The honest parties of a change.
fn changing(old: &Old, agreed: &Agreed) -> BTreeMap<Index, Keygen> {
    let (params, change) = agreed;
    let rng = rand_core::OsRng;
    let identity = test_shares::identity();
    let pinned = identity.verifying_key();
    let provider = Keygen::provider_change(agreed.clone(), &old[&P], &identity, rng).unwrap();
    let mut members = BTreeMap::from([(P, provider)]);
    for party in Index::customers(params.scheme) {
        let own = old
            .get(party)
            .filter(|_| change.contributors.contains(party));
        let customer = Keygen::customer_change(agreed.clone(), *party, own, &pinned, rng);
        members.insert(*party, customer.unwrap());
    }
    members
}

/// A party with an engine of its own, which keeps to the protocol in everything else.
fn party_with(params: &KeygenParams, start: Start, own: Index, engine: Box<dyn Engine>) -> Keygen {
    let identity = test_shares::identity();
    let side = if own == P {
        let wallet = match &start {
            Start::Change(change) => change.wallet,
            _ => test_shares::wallet(params.key_type, params.scheme),
        };
        let identity = Box::new(identity);
        Side::Provider { identity, wallet }
    } else {
        let provider_identity = identity.verifying_key();
        Side::Customer { provider_identity }
    };
    let rng = BoxRng::new(rand_core::OsRng);
    let mut keygen = Keygen::new(params.clone(), start, own, side, engine, rng);
    if own != P {
        keygen.open().unwrap();
    }
    keygen
}

fn changer_with((params, change): &Agreed, own: Index, engine: Box<dyn Engine>) -> Keygen {
    party_with(params, Start::Change(Box::new(change.clone())), own, engine)
}

/// The engine of a party that puts `share` into what it takes for `change`.
fn frost((params, change): &Agreed, own: Index, share: &KeyShare) -> Box<dyn Engine> {
    let KeyMaterial::Ed25519(share) = share.material() else {
        panic!("an Ed25519 share")
    };
    let (scheme, key_type) = (params.scheme, params.key_type);
    Box::new(ReshareEngine::new(scheme, own, change, key_type, Some(share)).unwrap())
}

/// Nobody got a share; returns what `noticer` ended with.
fn nobody_but_an_error(members: BTreeMap<Index, Keygen>, noticer: Index) -> Error {
    let mut results = results(members);
    assert!(results.values().all(Result::is_err), "somebody got a share");
    results.remove(&noticer).unwrap().unwrap_err()
}

/// Whoever hears of it first names the party, and nothing more is said.
#[test]
fn frost_a_contributor_with_another_share_is_named() {
    for key_type in [Ed25519Standard, Ed25519Exportable] {
        for (scheme, operation, lost, cheater, noticers) in [
            (TwoOfTwo, Refresh, None, C1, &[P][..]),
            (TwoOfTwo, Refresh, None, P, &[C1]),
            (TwoOfTwo, Reshare, None, C1, &[P]),
            (TwoOfTwo, Reshare, None, P, &[C1, C2]),
            (TwoOfThree, Refresh, None, C2, &[P]),
            (TwoOfThree, Reshare, None, P, &[C1]),
            (TwoOfThree, ReplaceShare, Some(C1), C2, &[P]),
            (TwoOfThree, ReplaceShare, Some(C2), P, &[C1, C2]),
        ] {
            let old = load_all(key_type, scheme);
            let agreed = agree(&old, operation, lost);
            let another = if cheater == P { C1 } else { P };
            for noticer in noticers {
                let mut members = changing(&old, &agreed);
                let engine = frost(&agreed, cheater, &old[&another]);
                members.insert(cheater, changer_with(&agreed, cheater, engine));
                let error = nobody_but_an_error(members, *noticer);
                assert_eq!(error, refused(cheater, OTHER_SHARE), "{operation:?}");
            }
        }
    }
}

/// The right share with the weight for other contributors: the key would be another.
#[test]
fn frost_a_contributor_that_weighs_for_others_is_named() {
    let old = load_all(Ed25519Standard, TwoOfThree);
    let agreed = agree(&old, Refresh, None);
    let mut own_view = agreed.clone();
    own_view.1.contributors = vec![P, C1];
    let mut members = changing(&old, &agreed);
    let engine = frost(&own_view, C1, &old[&C1]);
    members.insert(C1, changer_with(&agreed, C1, engine));
    let error = nobody_but_an_error(members, P);
    assert_eq!(error, refused(C1, OTHER_SHARE));
}

/// What a party that puts nothing in says, and what one that should put something in does not.
#[test]
fn frost_who_commits_and_who_does_not_is_agreed() {
    let old = load_all(Ed25519Standard, TwoOfTwo);
    let agreed = agree(&old, Reshare, None);
    // C2 is new, and puts in C1's share as if it were its own.
    let mut own_view = agreed.clone();
    own_view.1.contributors = vec![P, C2];
    let mut members = changing(&old, &agreed);
    let engine = frost(&own_view, C2, &old[&C1]);
    members.insert(C2, changer_with(&agreed, C2, engine));
    assert_eq!(nobody_but_an_error(members, P), refused(C2, NO_COMMITMENT));

    // C1 has a share, and does as if it were new.
    let mut own_view = agreed.clone();
    own_view.1.contributors = vec![P, C2];
    let mut members = changing(&old, &agreed);
    let engine = frost(&own_view, C1, &old[&C1]);
    members.insert(C1, changer_with(&agreed, C1, engine));
    assert_eq!(nobody_but_an_error(members, P), refused(C1, NO_COMMITMENT));
}

/// The commitment is right, and what is sent under it is not.
#[test]
fn frost_a_fragment_off_the_committed_polynomial_is_named() {
    const OFF: &str = "key fragment off the polynomial";
    for key_type in [Ed25519Standard, Ed25519Exportable] {
        let old = load_all(key_type, TwoOfThree);
        let agreed = agree(&old, Refresh, None);
        for (word, cheater, to) in [
            (Word::Reply, P, C1),
            (Word::Reply, P, C2),
            (Word::Answer(C2), C2, P),
            (Word::Answer(C2), C2, C1),
        ] {
            let mut members = changing(&old, &agreed);
            let bend: Bend = Box::new(move |out| private(out, to)[3] ^= 1);
            plant(members.get_mut(&cheater).unwrap(), word, bend);
            let error = results(members).remove(&to).unwrap().unwrap_err();
            assert_eq!(error, refused(cheater, OFF));
        }
        let mut members = changing(&old, &agreed);
        let bend: Bend = Box::new(|out| private(out, P).truncate(63));
        plant(members.get_mut(&C2).unwrap(), Word::Answer(C2), bend);
        let error = nobody_but_an_error(members, P);
        assert_eq!(error, refused(C2, "malformed key fragment"));
    }
}

/// In the refresh of an exportable key: a mask for one party that is not everybody's.
#[test]
fn another_mask_of_the_seed_than_the_committed_one_is_named() {
    let old = load_all(Ed25519Exportable, TwoOfThree);
    let agreed = agree(&old, Refresh, None);
    for to in [C1, C2] {
        let mut members = changing(&old, &agreed);
        // value (32) ‖ secret of the mask (32)
        let bend: Bend = Box::new(move |out| private(out, to)[32] ^= 1);
        plant(members.get_mut(&P).unwrap(), Word::Reply, bend);
        let error = results(members).remove(&to).unwrap().unwrap_err();
        assert_eq!(error, refused(P, "another mask than it committed to"));
    }
}

/// The engine's commitments do not show the constant term, so nobody is named; but the key shows.
#[test]
fn ecdsa_a_customer_with_another_share_gets_nobody_a_share() {
    let old = load_all(EcdsaSecp256k1, TwoOfTwo);
    let agreed = agree(&old, Refresh, None);
    let constant = Constant::key(&[7; 32], &agreed.1.chain_code).unwrap();
    let engine = Box::new(EcdsaKeygen::new(TwoOfTwo, C1, Some(constant)));
    let mut members = changing(&old, &agreed);
    members.insert(C1, changer_with(&agreed, C1, engine));
    let mut results = results(members);
    assert_eq!(results.remove(&P).unwrap().unwrap_err(), OTHER_KEY);
    assert!(results.is_empty(), "the customer still waits");
}

/// The provider even claims that the right key came out.
#[test]
fn ecdsa_a_provider_with_another_share_gets_nobody_a_share() {
    let old = load_all(EcdsaSecp256k1, TwoOfTwo);
    let agreed = agree(&old, Refresh, None);
    let constant = Constant::key(&[7; 32], &agreed.1.chain_code).unwrap();
    let engine = Box::new(EcdsaKeygen::new(TwoOfTwo, P, Some(constant)));
    let mut provider = changer_with(&agreed, P, engine);
    let claimed = test_shares::load(EcdsaSecp256k1, TwoOfTwo, P).unwrap();
    plant_material(&mut provider, claimed.into_material());
    let mut members = changing(&old, &agreed);
    members.insert(P, provider);
    let error = results(members).remove(&C1).unwrap().unwrap_err();
    assert_eq!(error, OTHER_KEY);
}

/// The party that has the key announces another one.
#[test]
fn an_imported_key_other_than_the_announced_one_gets_nobody_a_share() {
    let identity = test_shares::identity();
    for (announced, dealt) in [
        (
            ImportKey::Ed25519Seed([1; 32]),
            ImportKey::Ed25519Seed([2; 32]),
        ),
        (secp256k1([1; 32]), secp256k1([2; 32])),
    ] {
        let key_type = match announced {
            ImportKey::Ed25519Seed(_) => Ed25519Exportable,
            ImportKey::Secp256k1 { .. } => EcdsaSecp256k1,
        };
        let params = test_shares::params(key_type, TwoOfTwo).unwrap();
        let import = announced.public().unwrap();
        let engine = import_engine(&params, &dealt.public().unwrap(), C1, Some(&dealt)).unwrap();
        let dealer = party_with(&params, Start::Import(import.clone()), C1, engine);
        let (wallet, rng) = (test_shares::wallet(key_type, TwoOfTwo), rand_core::OsRng);
        let provider = Keygen::provider_import(params, import, wallet, &identity, rng).unwrap();
        let mut results = results(BTreeMap::from([(P, provider), (C1, dealer)]));
        assert_eq!(results.remove(&P).unwrap().unwrap_err(), OTHER_KEY);
        assert!(results.is_empty(), "the dealer still waits");
    }
}

const fn secp256k1(scalar: [u8; 32]) -> ImportKey {
    let chain_code = [9; 32];
    ImportKey::Secp256k1 { scalar, chain_code }
}
