//! What every test needs: wallets, parties, runs.

use std::sync::Arc;

use halfkey_core::wire::{CeremonyMessage, Operation};
use halfkey_core::{
    CeremonyId, KeyType, PartyIndex, SecretBytes, Signature, SigningInput,
    ThresholdSignatureScheme, WalletId,
};
use halfkey_mpc::simulate::{Parties, to_end};
use halfkey_mpc::test_shares::{self, identity};
use halfkey_mpc::{Action, Ceremony, Error, KeyShare, Keygen, KeygenParams, Sign, SignParams};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

pub(crate) use KeyType::{EcdsaSecp256k1, Ed25519Exportable, Ed25519Standard};
pub(crate) use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};

pub(crate) const P: PartyIndex = PartyIndex::PROVIDER;
pub(crate) const C1: PartyIndex = PartyIndex::CUSTOMER_1;
pub(crate) const C2: PartyIndex = PartyIndex::CUSTOMER_2;

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn params(key_type: KeyType, scheme: ThresholdSignatureScheme) -> KeygenParams {
    test_shares::params(key_type, scheme).unwrap()
}

pub(crate) fn wallet_of(params: &KeygenParams) -> WalletId {
    test_shares::wallet(params.key_type, params.scheme)
}

pub(crate) fn provider(params: &KeygenParams, seed: u64) -> Keygen {
    Keygen::provider(params.clone(), wallet_of(params), &identity(), rng(seed)).unwrap()
}

pub(crate) fn customer(params: &KeygenParams, party: PartyIndex, seed: u64) -> Keygen {
    Keygen::customer(
        params.clone(),
        party,
        &identity().verifying_key(),
        rng(seed),
    )
    .unwrap()
}

pub(crate) fn keygen_parties(params: &KeygenParams, seed: u64) -> Parties<KeyShare> {
    let mut parties: Parties<KeyShare> = Parties::new();
    parties.insert(P, Box::new(provider(params, seed)));
    for party in PartyIndex::customers(params.scheme) {
        let seed = seed.wrapping_add(party.as_u8().into());
        parties.insert(*party, Box::new(customer(params, *party, seed)));
    }
    parties
}

pub(crate) fn keygen(params: &KeygenParams, seed: u64) -> BTreeMap<PartyIndex, Arc<KeyShare>> {
    to_end(keygen_parties(params, seed))
        .results
        .into_iter()
        .map(|(party, share)| (party, Arc::new(share.unwrap())))
        .collect()
}

/// A test wallet's share.
pub(crate) fn share(
    key_type: KeyType,
    scheme: ThresholdSignatureScheme,
    party: PartyIndex,
) -> Arc<KeyShare> {
    Arc::new(test_shares::load(key_type, scheme, party).unwrap())
}

/// The same share as if it belonged to generation `number` (below 128).
pub(crate) fn with_generation(share: &KeyShare, number: u8) -> Arc<KeyShare> {
    let encoded = share.encode().unwrap();
    let mut bytes = encoded.expose()[..encoded.len() - 32].to_vec();
    // magic, version, environment, chain, three ids, scheme, key type, party
    let at = 4 + 1 + 1 + share.header().environment.as_str().len() + 1 + 3 * 16 + 3;
    assert_eq!(bytes[at], 0, "generation 0 in its place");
    bytes[at] = number;
    let tag = Sha256::new()
        .chain_update(b"halfkey-share-v1")
        .chain_update(&bytes)
        .finalize();
    bytes.extend_from_slice(&tag);
    let share = KeyShare::decode(&SecretBytes::new(bytes)).unwrap();
    assert_eq!(share.header().generation.0, u64::from(number));
    Arc::new(share)
}

pub(crate) fn input_for(share: &KeyShare) -> SigningInput {
    match share.header().key_type {
        EcdsaSecp256k1 => SigningInput::Digest([0xA7; 32]),
        _ => SigningInput::Message(b"a message of some length".to_vec()),
    }
}

pub(crate) fn sign_params(share: &KeyShare, counterparty: PartyIndex) -> SignParams {
    SignParams {
        ceremony: CeremonyId::from_bytes([9; 16]),
        operation: Operation::Blind,
        input: input_for(share),
        counterparty,
    }
}

/// Two shares that sign together: the initiator's first.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) initiator: Arc<KeyShare>,
    pub(crate) responder: Arc<KeyShare>,
}

impl Pair {
    pub(crate) fn load(key_type: KeyType, scheme: ThresholdSignatureScheme) -> Self {
        Self {
            initiator: share(key_type, scheme, C1),
            responder: share(key_type, scheme, P),
        }
    }

    pub(crate) fn initiator_params(&self) -> SignParams {
        sign_params(&self.initiator, self.responder.header().party)
    }

    pub(crate) fn responder_params(&self) -> SignParams {
        sign_params(&self.responder, self.initiator.header().party)
    }

    pub(crate) fn initiator(&self) -> Sign {
        Sign::initiator(
            Arc::clone(&self.initiator),
            self.initiator_params(),
            rng(100),
        )
        .unwrap()
    }

    pub(crate) fn responder(&self) -> Sign {
        Sign::responder(
            Arc::clone(&self.responder),
            self.responder_params(),
            rng(200),
        )
        .unwrap()
    }

    pub(crate) fn parties(&self) -> Parties<Option<Signature>> {
        let mut parties: Parties<Option<Signature>> = Parties::new();
        parties.insert(self.initiator.header().party, Box::new(self.initiator()));
        parties.insert(self.responder.header().party, Box::new(self.responder()));
        parties
    }
}

/// The one message that a party has to send now.
pub(crate) fn sent<T: std::fmt::Debug>(party: &mut dyn Ceremony<Output = T>) -> CeremonyMessage {
    let Action::Send(mut messages) = party.poll() else {
        panic!("nothing to send")
    };
    assert_eq!(messages.len(), 1);
    messages.remove(0)
}

/// Asserts that the ceremony is over and stays so, and returns what ended it.
pub(crate) fn failure<T: std::fmt::Debug>(party: &mut dyn Ceremony<Output = T>) -> Error {
    let Action::Failed(error) = party.poll() else {
        panic!("did not fail")
    };
    assert!(
        matches!(party.poll(), Action::Failed(Error::Caller(_))),
        "given once"
    );
    error
}

/// A benign refusal blaming `from`.
pub(crate) fn assert_refused(error: &Error, from: PartyIndex) {
    assert!(
        matches!(error, Error::Refused { from: blamed, .. } if *blamed == from),
        "{error:?}"
    );
}

/// Gives `party` what comes of other parameters than its own, and it ends there.
pub(crate) fn assert_disagree(party: &mut Keygen, message: &CeremonyMessage) {
    let error = party.message(message).unwrap_err();
    let differ = "the parties started with different parameters";
    assert_eq!(error, Error::Disagreement(differ));
    assert_eq!(failure(party), error);
}
