//! What the parties agree on after the first round: session, channel keys, dealing pads.

use std::collections::BTreeMap;

use halfkey_core::wire::CeremonyMessage;
use halfkey_core::{PartyIndex, WalletId};
use x25519_dalek::StaticSecret;

use super::KeygenParams;
use super::message::First;
use super::start::Start;
use crate::Error;
use crate::channel::{Channel, ChannelKey, DealPad, Ends, FragmentPad};
use crate::envelope::Step;
use crate::keygen::engine::Session;
use crate::transcript::Transcript;

/// Everything agreed after the first round.
pub(super) struct Agreed {
    pub(super) session: Session,
    /// Hash of everything public that was said in the first round; salts the channel keys, so that
    /// any disagreement about it is a wrong MAC.
    pub(super) first_round: [u8; 32],
    pub(super) keys: BTreeMap<PartyIndex, ChannelKey>,
    pub(super) pads: BTreeMap<PartyIndex, DealPad>,
    /// Between the provider and each customer; each is taken by its one use.
    fragment_pads: BTreeMap<PartyIndex, FragmentPad>,
}

/// Steps 1.3 and 1.6: the session id, from the context, the wallet and everybody's randoms.
pub(super) fn session(
    params: &KeygenParams,
    start: &Start,
    own: PartyIndex,
    own_first: &First,
    firsts: &BTreeMap<PartyIndex, First>,
) -> Result<Session, Error> {
    const NO_WALLET: Error = Error::Bug("no first message names the wallet");
    let of = |party| {
        if party == own {
            Some(own_first)
        } else {
            firsts.get(&party)
        }
    };
    let wallet = of(PartyIndex::PROVIDER)
        .and_then(|first| first.wallet)
        .ok_or(NO_WALLET)?;
    let mut hash = Transcript::new("halfkey-keygen-session-v1")
        .field(&params.context(start))
        .field(&wallet);
    for party in PartyIndex::all(params.scheme) {
        let first = of(*party).ok_or(Error::Bug("a first message is missing"))?;
        hash = hash
            .field(&[party.as_u8()])
            .field(first.identity.as_ref().map_or(&[], |key| key.as_slice()))
            .field(&first.random)
            .field(&first.ephemeral);
    }
    Ok(Session {
        id: hash.finish(),
        wallet: WalletId::from_bytes(wallet),
    })
}

impl Agreed {
    /// Steps 1.5 and 1.6: the pairwise channel keys.
    pub(super) fn new(
        session: Session,
        own: PartyIndex,
        own_first: &First,
        ephemeral: &StaticSecret,
        firsts: &BTreeMap<PartyIndex, First>,
        publics: &BTreeMap<PartyIndex, Vec<u8>>,
    ) -> Result<Self, Error> {
        let mut all: BTreeMap<PartyIndex, &[u8]> = publics
            .iter()
            .map(|(party, public)| (*party, public.as_slice()))
            .collect();
        all.insert(own, &own_first.public);
        let mut hash = Transcript::new("halfkey-keygen-first-round-v1").field(&session.id);
        for (party, public) in all {
            hash = hash.field(&[party.as_u8()]).field(public);
        }
        let first_round = hash.finish();
        let (mut keys, mut pads) = (BTreeMap::new(), BTreeMap::new());
        let mut fragment_pads = BTreeMap::new();
        for (peer, first) in firsts {
            let Channel {
                key,
                deal_pad,
                fragment_pad,
            } = Channel::agree(own, ephemeral, *peer, &first.ephemeral, &first_round)?;
            keys.insert(*peer, key);
            pads.insert(*peer, deal_pad);
            if own.min(*peer) == PartyIndex::PROVIDER {
                fragment_pads.insert(*peer, fragment_pad);
            }
        }
        Ok(Self {
            session,
            first_round,
            keys,
            pads,
            fragment_pads,
        })
    }

    fn key(&self, with: PartyIndex) -> Result<&ChannelKey, Error> {
        self.keys
            .get(&with)
            .ok_or(Error::Bug("no channel key for a party"))
    }

    /// Pads, or unpads, the private part of message 2 between the provider and the customer of the
    /// pair (`own`, `peer`), in place.
    pub(super) fn pad_fragment(&mut self, peer: PartyIndex, bytes: &mut [u8]) -> Result<(), Error> {
        self.fragment_pads
            .remove(&peer)
            .ok_or(Error::Bug("a pad is used once"))?
            .apply(PartyIndex::PROVIDER, bytes)
    }

    /// A MACed message of ours.
    pub(super) fn seal(
        &self,
        own: PartyIndex,
        to: PartyIndex,
        step: Step,
        payload: &[u8],
    ) -> Result<CeremonyMessage, Error> {
        Ok(self
            .key(to)?
            .seal(&self.first_round, step, Ends { from: own, to }, payload))
    }

    /// The payload of a MACed message for us.
    pub(super) fn open<'a>(
        &self,
        own: PartyIndex,
        from: PartyIndex,
        step: Step,
        body: &'a [u8],
    ) -> Result<&'a [u8], Error> {
        self.key(from)?
            .open(&self.first_round, step, Ends { from, to: own }, body)
    }
}
