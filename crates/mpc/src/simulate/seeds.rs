//! Seeded runs: several ceremonies of several wallets over one bad network.
//!
//! The schedule and the faults follow from the seed. The ECDSA engine's coins do not (it draws its
//! own), so a seed repeats what happens to which message, not the bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use halfkey_core::wire::{ChangeOperation, Operation};
use halfkey_core::{
    AttemptId, CeremonyId, Generation, KeyType, PartyIndex, ShareSetId, SigningInput,
    ThresholdSignatureScheme,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use super::faults::{Event, Flight, Network};
use super::session::{Member, Session};
use crate::{
    Change, Error, ImportKey, KeyShare, Keygen, NextShares, ShareHeader, Sign, SignParams,
    test_shares,
};

/// What a run came to, all sessions together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Parties that ended with a signature or a share.
    pub results: usize,
    /// Of them, parties that ended with a new share of a key that existed: of a wallet's, or of one
    /// that was imported.
    pub changed: usize,
    /// Parties that ended without one, or still wait for a lost message.
    pub without: usize,
    /// Faults injected.
    pub faults: u32,
}

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed}: {what}")]
pub struct Violation {
    /// The seed that shows it.
    pub seed: u64,
    /// What was broken.
    pub what: String,
}

/// Runs one seed.
///
/// # Errors
/// The first broken invariant: no result but a verified one, no cheating seen where nobody cheats,
/// one result per ceremony, no other key out of a change than into it, no word after the end, and
/// after the faults every wallet still signs, with old shares and with new ones.
pub fn run(seed: u64) -> Result<Report, Violation> {
    let violation = |what: String| Violation { seed, what };
    let mut world = World::new(seed).map_err(|error| violation(format!("setup: {error:?}")))?;
    let report = world.run().map_err(violation)?;
    world.next_signature_works().map_err(violation)?;
    Ok(report)
}

/// Longest run; a session needs about ten deliveries.
const MAX_EVENTS: usize = 400;

struct World {
    rng: ChaCha20Rng,
    network: Network,
    sessions: Vec<Session>,
    pairs: Vec<(Arc<KeyShare>, Arc<KeyShare>)>,
}

impl World {
    fn new(seed: u64) -> Result<Self, Error> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let network = Network::new(ChaCha20Rng::seed_from_u64(rng.next_u64()));
        let mut world = Self {
            rng,
            network,
            sessions: Vec::new(),
            pairs: Vec::new(),
        };
        for _ in 0..world.network.below(3).saturating_add(2) {
            let key_type = world.pick([
                KeyType::EcdsaSecp256k1,
                KeyType::Ed25519Exportable,
                KeyType::Ed25519Standard,
            ]);
            let scheme = world.pick([
                ThresholdSignatureScheme::TwoOfTwo,
                ThresholdSignatureScheme::TwoOfThree,
            ]);
            match (key_type, world.network.below(4)) {
                (KeyType::EcdsaSecp256k1, _) | (_, 0) => world.add_sign(key_type, scheme)?,
                (KeyType::Ed25519Exportable, 1) => world.add_import(scheme)?,
                (_, 1) => world.add_keygen(key_type, scheme)?,
                _ => world.add_change(key_type, scheme)?,
            }
        }
        // An ECDSA keygen costs as much as fifty signatures.
        if seed.checked_rem(50) == Some(7) {
            let scheme = ThresholdSignatureScheme::TwoOfTwo;
            world.add_keygen(KeyType::EcdsaSecp256k1, scheme)?;
        }
        Ok(world)
    }

    fn pick<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
        let at = self.network.below(N);
        #[expect(clippy::indexing_slicing, reason = "drawn below the length")]
        choices[at]
    }

    fn child_rng(&mut self) -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(self.rng.next_u64())
    }

    fn add_sign(
        &mut self,
        key_type: KeyType,
        scheme: ThresholdSignatureScheme,
    ) -> Result<(), Error> {
        let load = |party| test_shares::load(key_type, scheme, party).map(Arc::new);
        let one = load(PartyIndex::CUSTOMER_1)?;
        let two = load(PartyIndex::PROVIDER)?;
        self.add_signature(&one, &two)?;
        self.pairs.push((one, two));
        Ok(())
    }

    /// A signature by these two. Ceremony ids repeat at times, as a retry's might.
    fn add_signature(&mut self, one: &Arc<KeyShare>, two: &Arc<KeyShare>) -> Result<(), Error> {
        let ceremony = match self.network.below(2) {
            0 => CeremonyId::from_bytes([1; 16]),
            _ => CeremonyId::generate(&mut self.rng),
        };
        let input = match one.header().key_type {
            KeyType::EcdsaSecp256k1 => SigningInput::Digest([0x5A; 32]),
            _ => SigningInput::Message(b"simulated".to_vec()),
        };
        let params = |counterparty: &KeyShare| SignParams {
            ceremony,
            operation: Operation::Blind,
            input: input.clone(),
            counterparty: counterparty.header().party,
        };
        let (own, other) = (params(two), params(one));
        let initiator = Sign::initiator(Arc::clone(one), own, self.child_rng())?;
        let responder = Sign::responder(Arc::clone(two), other, self.child_rng())?;
        let key = one.account_public_key().to_vec();
        let (one, two) = (Member::sign(initiator), Member::sign(responder));
        self.sessions.push(Session::sign(key, input, one, two));
        Ok(())
    }

    fn add_keygen(
        &mut self,
        key_type: KeyType,
        scheme: ThresholdSignatureScheme,
    ) -> Result<(), Error> {
        let mut params = test_shares::params(key_type, scheme)?;
        // Drawn by the customer; the provider runs one keygen per id.
        params.ceremony = CeremonyId::generate(&mut self.rng);
        let (identity, wallet) = (
            test_shares::identity(),
            test_shares::wallet(key_type, scheme),
        );
        let provider = Keygen::provider(params.clone(), wallet, &identity, self.child_rng())?;
        let mut members = vec![(PartyIndex::PROVIDER, provider)];
        for party in PartyIndex::customers(scheme) {
            let (params, rng) = (params.clone(), self.child_rng());
            let customer = Keygen::customer(params, *party, &identity.verifying_key(), rng)?;
            members.push((*party, customer));
        }
        self.sessions.push(Session::keygen(members));
        Ok(())
    }

    /// A key made elsewhere: what comes out is a share of it, or nothing.
    fn add_import(&mut self, scheme: ThresholdSignatureScheme) -> Result<(), Error> {
        let key_type = KeyType::Ed25519Exportable;
        let mut params = test_shares::params(key_type, scheme)?;
        params.ceremony = CeremonyId::generate(&mut self.rng);
        let (identity, wallet) = (
            test_shares::identity(),
            test_shares::wallet(key_type, scheme),
        );
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let key = ImportKey::Ed25519Seed(seed);
        let (import, pinned) = (key.public()?, identity.verifying_key());
        let (own, rng) = (params.clone(), self.child_rng());
        let provider = Keygen::provider_import(own, import.clone(), wallet, &identity, rng)?;
        let mut members = vec![(PartyIndex::PROVIDER, provider)];
        for party in PartyIndex::customers(scheme) {
            let (params, public, rng) = (params.clone(), import.clone(), self.child_rng());
            let key = (*party == PartyIndex::CUSTOMER_1).then_some(&key);
            let customer = Keygen::customer_import(params, public, *party, key, &pinned, rng)?;
            members.push((*party, customer));
        }
        self.sessions
            .push(Session::change(import.public_key, members));
        Ok(())
    }

    /// New shares of a test wallet; the old ones go on signing, whatever comes of it.
    fn add_change(
        &mut self,
        key_type: KeyType,
        scheme: ThresholdSignatureScheme,
    ) -> Result<(), Error> {
        let mut old = BTreeMap::new();
        for party in PartyIndex::all(scheme) {
            let share = test_shares::load(key_type, scheme, *party)?;
            old.insert(*party, Arc::new(share));
        }
        let share_of = |party| {
            old.get(&party)
                .ok_or(Error::Bug("no test share of a party"))
        };
        let provider = share_of(PartyIndex::PROVIDER)?;
        let customer = share_of(PartyIndex::CUSTOMER_1)?;
        let next = self.next_shares(provider.header());
        let (identity, change) = (test_shares::identity(), Change::new(provider, &next)?);
        let pinned = identity.verifying_key();
        let keygen = Keygen::provider_change(change.clone(), provider, &identity, self.child_rng());
        let mut members = vec![(PartyIndex::PROVIDER, keygen?)];
        for party in PartyIndex::customers(next.scheme) {
            let own = old.get(party).filter(|_| next.lost != Some(*party));
            let (change, rng) = (change.clone(), self.child_rng());
            let own = own.map(|share| &**share);
            let keygen = Keygen::customer_change(change, *party, own, &pinned, rng)?;
            members.push((*party, keygen));
        }
        let key = provider.account_public_key().to_vec();
        self.sessions.push(Session::change(key, members));
        self.pairs
            .push((Arc::clone(customer), Arc::clone(provider)));
        Ok(())
    }

    /// A refresh, a reshare or, of three parties, the replacement of either customer's share.
    fn next_shares(&mut self, old: &ShareHeader) -> NextShares {
        use ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
        let (refresh, reshare) = (ChangeOperation::Refresh, ChangeOperation::Reshare);
        let replace = ChangeOperation::ReplaceShare;
        let (operation, scheme, lost) = match old.scheme {
            TwoOfTwo => self.pick([(refresh, TwoOfTwo, None), (reshare, TwoOfThree, None)]),
            TwoOfThree => self.pick([
                (refresh, TwoOfThree, None),
                (reshare, TwoOfTwo, None),
                (replace, TwoOfThree, Some(PartyIndex::CUSTOMER_1)),
                (replace, TwoOfThree, Some(PartyIndex::CUSTOMER_2)),
            ]),
        };
        NextShares {
            operation,
            scheme,
            lost,
            generation: Generation(old.generation.0.saturating_add(1)),
            attempt: AttemptId::generate(&mut self.rng),
            share_set: match operation {
                ChangeOperation::Refresh => old.share_set,
                _ => ShareSetId::generate(&mut self.rng),
            },
            ceremony: CeremonyId::generate(&mut self.rng),
        }
    }

    fn run(&mut self) -> Result<Report, String> {
        for _ in 0..MAX_EVENTS {
            self.poll()?;
            let count = self.sessions.len();
            match self.network.next(count) {
                Event::Idle => break,
                Event::Dropped => {}
                Event::Deliver(Flight { session, message }) => {
                    if let Some(session) = self.sessions.get_mut(session) {
                        session.deliver(&message)?;
                    }
                }
                Event::Crash => {
                    let (at, party) = (self.network.below(count), self.network.below(3));
                    if let Some(session) = self.sessions.get_mut(at) {
                        session.crash(party);
                    }
                }
            }
        }
        self.poll()?;
        let mut report = Report {
            faults: self.network.faults,
            ..Report::default()
        };
        for session in &self.sessions {
            session.check_agreement()?;
            report.results = report.results.saturating_add(session.results());
            if session.is_change() {
                report.changed = report.changed.saturating_add(session.results());
            }
            let without = session.members.len().saturating_sub(session.results());
            report.without = report.without.saturating_add(without);
        }
        Ok(report)
    }

    fn poll(&mut self) -> Result<(), String> {
        for (index, session) in self.sessions.iter_mut().enumerate() {
            for message in session.poll()? {
                self.network.send(Flight {
                    session: index,
                    message,
                });
            }
        }
        Ok(())
    }

    /// Over an honest network, every wallet signs, and so does every one made during the run.
    fn next_signature_works(&mut self) -> Result<(), String> {
        let mut pairs = core::mem::take(&mut self.pairs);
        for session in &self.sessions {
            if let [provider, customer, ..] = session.shares().as_slice() {
                pairs.push((Arc::clone(customer), Arc::clone(provider)));
            }
        }
        for (one, two) in pairs {
            self.sessions.clear();
            self.add_signature(&one, &two)
                .map_err(|error| format!("{error:?}"))?;
            let Some(session) = self.sessions.first_mut() else {
                continue;
            };
            loop {
                let messages = session.poll()?;
                if messages.is_empty() {
                    break;
                }
                messages
                    .iter()
                    .try_for_each(|message| session.deliver(message))?;
            }
            if session.results() != 2 {
                let ended = session.members.values().map(|member| member.ended());
                let ended: Vec<_> = ended.collect();
                return Err(format!(
                    "a wallet does not sign after the faults: {ended:?}"
                ));
            }
        }
        Ok(())
    }
}
