//! Runs ceremonies to their end in one process.

use std::collections::BTreeMap;
use std::sync::Arc;

use halfkey_core::wire::{CeremonyMessage, Operation};
use halfkey_core::{
    AttemptId, CeremonyId, ChainName, KeyType, PartyIndex, ShareSetId, Signature, SigningInput,
    ThresholdSignatureScheme, WalletId,
};
use halfkey_mpc::{Action, Ceremony, Error, KeyShare, Keygen, KeygenParams, Sign, SignParams};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

pub(crate) const WALLET: WalletId = WalletId::from_bytes([0x11; 16]);

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn identity() -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[0x42; 32])
}

pub(crate) fn params(key_type: KeyType, scheme: ThresholdSignatureScheme) -> KeygenParams {
    let chain = match key_type {
        KeyType::EcdsaSecp256k1 => ChainName::Evm,
        _ => ChainName::Svm,
    };
    KeygenParams {
        environment: "test-env".parse().unwrap(),
        chain,
        key_type,
        scheme,
        derivation_path: chain.default_path(),
        attempt: AttemptId::from_bytes([1; 16]),
        share_set: ShareSetId::from_bytes([2; 16]),
        ceremony: CeremonyId::from_bytes([3; 16]),
    }
}

/// What every party of a run ended with, and every message in the order of sending.
pub(crate) struct Run<T> {
    pub(crate) results: BTreeMap<PartyIndex, Result<T, Error>>,
    pub(crate) sent: Vec<CeremonyMessage>,
}

/// Delivers messages in the order of sending until nobody has anything to say.
pub(crate) fn run<T>(mut parties: BTreeMap<PartyIndex, Box<dyn Ceremony<Output = T>>>) -> Run<T> {
    let mut run = Run {
        results: BTreeMap::new(),
        sent: Vec::new(),
    };
    let mut delivered = 0_usize;
    loop {
        for (index, party) in &mut parties {
            while !run.results.contains_key(index) {
                match party.poll() {
                    Action::Send(messages) => run.sent.extend(messages),
                    Action::Wait => break,
                    Action::Done(result) => {
                        run.results.insert(*index, Ok(result));
                    }
                    Action::Failed(error) => {
                        run.results.insert(*index, Err(error));
                    }
                }
            }
        }
        let Some(message) = run.sent.get(delivered).cloned() else {
            return run;
        };
        delivered = delivered.saturating_add(1);
        // What goes wrong is polled above.
        parties.get_mut(&message.to).unwrap().message(&message).ok();
    }
}

pub(crate) fn keygen_parties(
    params: &KeygenParams,
    seed: u64,
) -> BTreeMap<PartyIndex, Box<dyn Ceremony<Output = KeyShare>>> {
    let mut parties: BTreeMap<PartyIndex, Box<dyn Ceremony<Output = KeyShare>>> = BTreeMap::new();
    let provider = Keygen::provider(params.clone(), WALLET, &identity(), rng(seed)).unwrap();
    parties.insert(PartyIndex::PROVIDER, Box::new(provider));
    for party in PartyIndex::customers(params.scheme) {
        let rng = rng(seed.wrapping_add(party.as_u8().into()));
        let customer =
            Keygen::customer(params.clone(), *party, &identity().verifying_key(), rng).unwrap();
        parties.insert(*party, Box::new(customer));
    }
    parties
}

pub(crate) fn keygen(params: &KeygenParams, seed: u64) -> BTreeMap<PartyIndex, Arc<KeyShare>> {
    run(keygen_parties(params, seed))
        .results
        .into_iter()
        .map(|(party, share)| (party, Arc::new(share.unwrap())))
        .collect()
}

pub(crate) fn input_for(share: &KeyShare) -> SigningInput {
    match share.header().key_type {
        KeyType::EcdsaSecp256k1 => SigningInput::Digest([0xA7; 32]),
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

pub(crate) fn sign_parties(
    initiator: &Arc<KeyShare>,
    responder: &Arc<KeyShare>,
) -> BTreeMap<PartyIndex, Box<dyn Ceremony<Output = Option<Signature>>>> {
    let (one, two) = (initiator.header().party, responder.header().party);
    let first =
        Sign::initiator(Arc::clone(initiator), sign_params(initiator, two), rng(100)).unwrap();
    let second =
        Sign::responder(Arc::clone(responder), sign_params(responder, one), rng(200)).unwrap();
    let mut parties: BTreeMap<PartyIndex, Box<dyn Ceremony<Output = Option<Signature>>>> =
        BTreeMap::new();
    parties.insert(one, Box::new(first));
    parties.insert(two, Box::new(second));
    parties
}
