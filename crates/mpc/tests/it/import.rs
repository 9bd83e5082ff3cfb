//! A key made elsewhere becomes a wallet: the same key, known vectors, and the provider never sees
//! it.

use std::sync::Arc;

use halfkey_core::{ChainName, KeyOrigin, KeyType, PartyIndex, ThresholdSignatureScheme};
use halfkey_mpc::simulate::{Parties, Run, to_end};
use halfkey_mpc::test_shares::identity;
use halfkey_mpc::{Error, Import, ImportKey, KeyShare, Keygen, KeygenParams, RootKey};

use crate::custody::assert_provider_learns_no_polynomial;
use crate::happy::signs_with_every_pair;
use crate::run::*;

/// BIP-32, test vector 2: the master key, and the public key of its first child.
const XPRV: &str = "xprv9s21ZrQH143K31xYSDQpPDxsXRTUcvj2iNHm5NUtrGiGG5e2DtALGdso3pGz6ssrdK4PFmM8\
                    NSpSBHNqPqm55Qn3LqFtT2emdEXVYsCzC2U";
const CHILD_XPUB: &str = "xpub69H7F5d8KSRgmmdJg2KhpAK8SR3DjMwAdkxj3ZuxV27CprR9LgpeyGmXUbC6wb7ERfv\
                          rnKZjXoUmmDznezpbZb7ap6r1D3tgFxHmwMkQTPH";

/// RFC 8032, 7.1, test 1.
const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const SEED_PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

/// Chain code and key of an extended key: 4 + 1 + 4 + 4 bytes before them, a checksum after.
fn extended(text: &str) -> ([u8; 32], [u8; 33]) {
    let bytes = bs58::decode(text).into_vec().unwrap();
    assert_eq!(bytes.len(), 82);
    (
        bytes[13..45].try_into().unwrap(),
        bytes[45..78].try_into().unwrap(),
    )
}

fn secp256k1() -> ImportKey {
    let (chain_code, key) = extended(XPRV);
    let scalar = key[1..].try_into().unwrap();
    ImportKey::Secp256k1 { scalar, chain_code }
}

fn seed() -> ImportKey {
    ImportKey::Ed25519Seed(hex::decode(SEED).unwrap().try_into().unwrap())
}

/// For the path of the vector's child.
fn import_params(key_type: KeyType, scheme: ThresholdSignatureScheme) -> KeygenParams {
    KeygenParams {
        derivation_path: match key_type {
            EcdsaSecp256k1 => "m/0".parse().unwrap(),
            _ => ChainName::Svm.default_path(),
        },
        ..params(key_type, scheme)
    }
}

fn importing(
    params: &KeygenParams,
    import: &Import,
    party: PartyIndex,
    key: Option<&ImportKey>,
) -> Result<Keygen, Error> {
    let (params, import) = (params.clone(), import.clone());
    let (pinned, rng) = (
        identity().verifying_key(),
        rng(u64::from(party.as_u8()) + 70),
    );
    Keygen::customer_import(params, import, party, key, &pinned, rng)
}

/// The party that has the key.
fn dealer(params: &KeygenParams, import: &Import, key: &ImportKey) -> Result<Keygen, Error> {
    importing(params, import, C1, Some(key))
}

fn importer(params: &KeygenParams, import: &Import) -> Result<Keygen, Error> {
    let wallet = wallet_of(params);
    Keygen::provider_import(params.clone(), import.clone(), wallet, &identity(), rng(71))
}

fn imported(params: &KeygenParams, key: &ImportKey) -> Run<KeyShare> {
    let import = key.public().unwrap();
    let mut parties: Parties<KeyShare> = Parties::new();
    parties.insert(P, Box::new(importer(params, &import).unwrap()));
    for party in PartyIndex::customers(params.scheme) {
        let key = Some(key).filter(|_| *party == C1);
        let keygen = importing(params, &import, *party, key).unwrap();
        parties.insert(*party, Box::new(keygen));
    }
    to_end(parties)
}

/// What every imported wallet is: usable by every pair, honest about its origin. Returns the key as
/// every pair rebuilds it.
fn check(run: Run<KeyShare>, params: &KeygenParams, secret: &[u8], account: &[u8]) -> Vec<RootKey> {
    for message in run.sent.iter().filter(|message| message.to == P) {
        let crosses = message.body.0.windows(32).any(|window| window == secret);
        assert!(!crosses, "the key reached the provider");
    }
    assert!(run.results.keys().eq(PartyIndex::all(params.scheme)));
    let mut shares = Vec::new();
    for share in run.results.into_values() {
        let share = share.unwrap();
        let header = share.header();
        let origin = header.custody_origin;
        assert_eq!(origin.origin(), KeyOrigin::Imported);
        assert_eq!(origin.was_2of3(), params.scheme == TwoOfThree);
        assert_eq!(header.wallet, wallet_of(params));
        assert_eq!((header.generation.0, header.attempt), (0, params.attempt));
        assert_eq!(share.account_public_key(), account);
        shares.push(Arc::new(share));
    }
    signs_with_every_pair(&shares);
    let pairs = shares.iter().enumerate();
    pairs
        .flat_map(|(at, one)| shares[at + 1..].iter().map(move |two| (one, two)))
        .map(|(one, two)| RootKey::from_shares(one, two).unwrap())
        .collect()
}

fn imports_an_extended_key(scheme: ThresholdSignatureScheme) {
    let params = import_params(EcdsaSecp256k1, scheme);
    let (_, key) = extended(XPRV);
    let (_, child) = extended(CHILD_XPUB);
    let run = imported(&params, &secp256k1());
    if scheme == TwoOfThree {
        let constants = assert_provider_learns_no_polynomial(&run);
        assert_eq!(constants[&C1].to_bytes().as_slice(), &key[1..]);
        assert_eq!(constants[&C2], k256::Scalar::ZERO);
    }
    for root in check(run, &params, &key[1..], &child) {
        assert_eq!(root.xprv().unwrap().as_str(), XPRV, "with its chain code");
    }
}

#[test]
fn an_extended_key_becomes_a_two_of_two_wallet_with_its_addresses() {
    imports_an_extended_key(TwoOfTwo);
}

#[test]
fn an_extended_key_becomes_a_two_of_three_wallet_with_its_addresses() {
    imports_an_extended_key(TwoOfThree);
}

#[test]
fn a_seed_becomes_a_wallet_with_its_public_key() {
    let (secret, public) = (
        hex::decode(SEED).unwrap(),
        hex::decode(SEED_PUBLIC).unwrap(),
    );
    for scheme in [TwoOfTwo, TwoOfThree] {
        let params = import_params(Ed25519Exportable, scheme);
        for root in check(imported(&params, &seed()), &params, &secret, &public) {
            assert_eq!(root.ed25519_seed().unwrap().as_slice(), secret);
        }
    }
}

/// The order of secp256k1's group; a key is 1 to it − 1.
const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

#[test]
fn a_scalar_out_of_range_is_refused_before_anything_is_sent() {
    let params = import_params(EcdsaSecp256k1, TwoOfTwo);
    let good = secp256k1().public().unwrap();
    let order: [u8; 32] = hex::decode(ORDER).unwrap().try_into().unwrap();
    let mut above = order;
    above[31] += 1;
    let range = Error::Caller("the key is zero or not below the group's order");
    let chain_code = [7; 32];
    for scalar in [[0; 32], order, above, [0xFF; 32]] {
        let key = ImportKey::Secp256k1 { scalar, chain_code };
        assert_eq!(key.public().unwrap_err(), range);
        assert_eq!(dealer(&params, &good, &key).map(drop), Err(range.clone()));
    }
    // The last one that there is.
    let mut scalar = order;
    scalar[31] -= 1;
    let last = ImportKey::Secp256k1 { scalar, chain_code };
    dealer(&params, &last.public().unwrap(), &last).unwrap();
}

/// The same with a bit of the public key changed.
fn with_key(import: &Import, at: usize) -> Import {
    let mut other = import.clone();
    other.public_key[at] ^= 1;
    other
}

fn with_chain_code(import: &Import, chain_code: Vec<u8>) -> Import {
    Import {
        chain_code,
        ..import.clone()
    }
}

#[test]
fn a_key_other_than_the_announced_one_is_refused_before_anything_is_sent() {
    let announced = Error::Caller("the key is not the one announced");
    let ecdsa = import_params(EcdsaSecp256k1, TwoOfTwo);
    let ed25519 = import_params(Ed25519Exportable, TwoOfTwo);
    let (of_ecdsa, of_seed) = (secp256k1().public().unwrap(), seed().public().unwrap());
    for (params, key, import) in [
        (&ecdsa, secp256k1(), with_key(&of_ecdsa, 1)),
        (&ecdsa, secp256k1(), with_chain_code(&of_ecdsa, vec![7; 32])),
        (&ecdsa, secp256k1(), with_chain_code(&of_ecdsa, Vec::new())),
        (&ecdsa, secp256k1(), of_seed.clone()),
        (&ed25519, seed(), with_key(&of_seed, 0)),
        (&ed25519, seed(), with_chain_code(&of_seed, vec![7; 32])),
        (&ed25519, seed(), of_ecdsa.clone()),
    ] {
        let refused = dealer(params, &import, &key).map(drop);
        assert_eq!(refused, Err(announced.clone()), "{import:?}");
    }
}

#[test]
fn a_key_of_another_kind_or_at_another_party_is_refused_before_anything_is_sent() {
    let ecdsa = import_params(EcdsaSecp256k1, TwoOfThree);
    let exportable = import_params(Ed25519Exportable, TwoOfThree);
    let standard = import_params(Ed25519Standard, TwoOfThree);
    let kind = Error::Caller("a key of this kind cannot become such a wallet");
    for (params, key) in [
        (&ecdsa, seed()),
        (&exportable, secp256k1()),
        (&standard, secp256k1()),
        (&standard, seed()),
    ] {
        let refused = dealer(params, &key.public().unwrap(), &key).map(drop);
        assert_eq!(refused, Err(kind.clone()));
    }

    let (key, import) = (seed(), seed().public().unwrap());
    let who = Error::Caller("the first customer party imports the key");
    let at = |party, key: Option<&ImportKey>| importing(&exportable, &import, party, key).map(drop);
    assert_eq!(at(C1, None), Err(who.clone()));
    assert_eq!(at(C2, Some(&key)), Err(who));
    let no_customer = Err(Error::Caller("no customer party of the scheme"));
    assert_eq!(at(P, Some(&key)), no_customer);
    let two = import_params(Ed25519Exportable, TwoOfTwo);
    assert_eq!(importing(&two, &import, C2, None).map(drop), no_customer);
    at(C2, None).unwrap();
    at(C1, Some(&key)).unwrap();
}

#[test]
fn what_no_wallet_can_be_made_of_is_refused_by_the_provider_at_once() {
    let ecdsa = import_params(EcdsaSecp256k1, TwoOfTwo);
    for chain_code in [Vec::new(), vec![7; 31], vec![7; 33]] {
        let import = with_chain_code(&secp256k1().public().unwrap(), chain_code);
        let refused = importer(&ecdsa, &import).map(drop);
        assert_eq!(refused, Err(Error::Caller("a chain code has 32 bytes")));
    }
    let standard = import_params(Ed25519Standard, TwoOfTwo);
    let refused = importer(&standard, &seed().public().unwrap()).map(drop);
    assert!(
        matches!(refused, Err(Error::Caller(_))),
        "no seed, no import"
    );
}

/// Each half was told of another key: nobody gets past the first message.
#[test]
fn halves_that_were_told_of_different_keys_disagree() {
    let (of_ecdsa, of_seed) = (secp256k1().public().unwrap(), seed().public().unwrap());
    for (key_type, key, told) in [
        (EcdsaSecp256k1, secp256k1(), with_key(&of_ecdsa, 1)),
        (
            EcdsaSecp256k1,
            secp256k1(),
            with_chain_code(&of_ecdsa, vec![7; 32]),
        ),
        (Ed25519Exportable, seed(), with_key(&of_seed, 0)),
    ] {
        let params = import_params(key_type, TwoOfTwo);
        let mut one = dealer(&params, &key.public().unwrap(), &key).unwrap();
        let mut two = importer(&params, &told).unwrap();
        assert_disagree(&mut two, &sent(&mut one));
    }
}

/// One half draws a key, the other imports one.
#[test]
fn an_import_does_not_meet_a_create() {
    let params = import_params(Ed25519Exportable, TwoOfTwo);
    let import = seed().public().unwrap();
    let mut one = dealer(&params, &import, &seed()).unwrap();
    assert_disagree(&mut provider(&params, 1), &sent(&mut one));
    let mut two = importer(&params, &import).unwrap();
    assert_disagree(&mut two, &sent(&mut customer(&params, C1, 1)));
}
