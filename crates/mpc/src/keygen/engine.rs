//! What keygen asks of each key type. The driver does randoms, channel keys, MACs and signatures.

use std::collections::BTreeMap;

use halfkey_core::{PartyIndex, WalletId};
use zeroize::Zeroizing;

use crate::Error;
use crate::channel::DealPad;
use crate::rng::BoxRng;
use crate::share::KeyMaterial;

/// What a party says in one round: the same to everybody, and one part per other party.
#[derive(Default)]
pub(crate) struct Outgoing {
    pub(crate) public: Vec<u8>,
    pub(crate) private: BTreeMap<PartyIndex, Zeroizing<Vec<u8>>>,
}

/// What one other party said in one round.
pub(crate) struct Incoming {
    pub(crate) public: Vec<u8>,
    pub(crate) private: Zeroizing<Vec<u8>>,
}

/// What every other party said in one round.
pub(crate) type AllIncoming = BTreeMap<PartyIndex, Incoming>;

/// What is agreed after the first round.
pub(crate) struct Session {
    /// Binds the engine's proofs to this run.
    pub(crate) id: [u8; 32],
    /// The wallet.
    pub(crate) wallet: WalletId,
}

/// One party's engine. The customers call `open`, `answer`, `finish`; the provider calls `reply`
/// and `conclude`.
pub(crate) trait Engine: Send {
    /// Step 1.2: a customer's first round.
    fn open(&mut self, rng: &mut BoxRng) -> Result<Outgoing, Error>;

    /// Step 1.4: the provider's first round, from the customers' first.
    fn reply(
        &mut self,
        session: &Session,
        received: AllIncoming,
        rng: &mut BoxRng,
    ) -> Result<Outgoing, Error>;

    /// Step 1.8: a customer's second round, from everybody's first.
    fn answer(
        &mut self,
        session: &Session,
        received: AllIncoming,
        pads: &BTreeMap<PartyIndex, DealPad>,
        rng: &mut BoxRng,
    ) -> Result<Outgoing, Error>;

    /// Step 1.10: the provider's second round and result, from the customers' second.
    fn conclude(
        &mut self,
        session: &Session,
        received: AllIncoming,
        pads: &BTreeMap<PartyIndex, DealPad>,
    ) -> Result<(Outgoing, KeyMaterial), Error>;

    /// Step 1.12: a customer's result, from everybody's second.
    fn finish(
        &mut self,
        session: &Session,
        received: AllIncoming,
        pads: &BTreeMap<PartyIndex, DealPad>,
    ) -> Result<KeyMaterial, Error>;
}

/// Removes one party's part of a round.
pub(crate) fn part_of(received: &mut AllIncoming, from: PartyIndex) -> Result<Incoming, Error> {
    received
        .remove(&from)
        .ok_or(Error::Bug("a round ran before its messages were there"))
}
