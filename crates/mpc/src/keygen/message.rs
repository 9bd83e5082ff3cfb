//! The messages of keygen.

use std::collections::BTreeMap;

use halfkey_core::PartyIndex;
use halfkey_core::wire::CeremonyMessage;
use serde::{Deserialize, Serialize};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::Side;
use crate::Error;
use crate::channel::Ends;
use crate::codec::{decode_from, encode};
use crate::envelope::{Step, frame_open};
use crate::keygen::engine::{AllIncoming, Incoming};

/// A party's first message.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(super) struct First {
    /// Hash of what both sides must agree on beforehand.
    pub(super) context: [u8; 32],
    /// The provider's: which wallet this becomes.
    pub(super) wallet: Option<[u8; 16]>,
    /// The provider's: its Ed25519 identity.
    pub(super) identity: Option<[u8; 32]>,
    /// Fresh.
    pub(super) random: [u8; 32],
    /// Fresh X25519 public key.
    pub(super) ephemeral: [u8; 32],
    /// The engine's part for everybody.
    #[serde(with = "serde_bytes")]
    pub(super) public: Vec<u8>,
    /// The engine's part for the receiver alone.
    #[serde(with = "serde_bytes")]
    pub(super) private: Vec<u8>,
}

/// A party's second message.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(super) struct Second {
    #[serde(with = "serde_bytes")]
    pub(super) public: Vec<u8>,
    #[serde(with = "serde_bytes")]
    pub(super) private: Vec<u8>,
    /// The provider's: its identity's signature over the transcript (64 bytes).
    #[serde(with = "serde_bytes")]
    pub(super) signature: Vec<u8>,
}

impl First {
    pub(super) fn new(
        context: [u8; 32],
        random: [u8; 32],
        ephemeral: &StaticSecret,
        side: &Side,
    ) -> Self {
        let (wallet, identity) = match side {
            Side::Customer { .. } => (None, None),
            Side::Provider { identity, wallet } => (
                Some(*wallet.as_bytes()),
                Some(identity.verifying_key().to_bytes()),
            ),
        };
        Self {
            context,
            wallet,
            identity,
            random,
            ephemeral: PublicKey::from(ephemeral).to_bytes(),
            public: Vec::new(),
            private: Vec::new(),
        }
    }

    pub(super) fn with_private(&self, private: &[u8]) -> Self {
        let mut first = self.clone();
        first.private = private.to_vec();
        first
    }

    pub(super) fn encode(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        encode(self)
    }

    /// As a message without a MAC: there is no key yet.
    pub(super) fn open_message(
        &self,
        from: PartyIndex,
        to: PartyIndex,
    ) -> Result<CeremonyMessage, Error> {
        Ok(Ends { from, to }.message(frame_open(Step::One, &self.encode()?)))
    }

    pub(super) fn decode(from: PartyIndex, payload: &[u8]) -> Result<Self, Error> {
        decode_from(from, "malformed", payload)
    }
}

impl Second {
    pub(super) fn encode(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        encode(self)
    }

    pub(super) fn decode(from: PartyIndex, payload: &[u8]) -> Result<Self, Error> {
        decode_from(from, "malformed", payload)
    }
}

/// The engine's parts of the first messages, and the public ones once more for the transcript.
pub(super) struct Parts {
    pub(super) for_engine: AllIncoming,
    pub(super) publics: BTreeMap<PartyIndex, Vec<u8>>,
}

pub(super) fn take_parts(firsts: &mut BTreeMap<PartyIndex, First>) -> Parts {
    let mut parts = Parts {
        for_engine: AllIncoming::new(),
        publics: BTreeMap::new(),
    };
    for (from, first) in firsts {
        let public = core::mem::take(&mut first.public);
        let private = Zeroizing::new(core::mem::take(&mut first.private));
        parts.publics.insert(*from, public.clone());
        parts.for_engine.insert(*from, Incoming { public, private });
    }
    parts
}
