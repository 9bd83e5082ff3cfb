//! What the holder of a channel key can do that nobody else can: well-formed, MACed messages of any
//! content.

use std::sync::Arc;

use halfkey_core::wire::CeremonyMessage;

use crate::channel::Ends;
use crate::envelope::{self, Step};
use crate::sign::{MessageChain, Seat, SignParams, session_id};
use crate::{Error, KeyShare};

/// Opens and seals the messages of one signature with one party's share.
#[derive(Debug)]
pub struct Forge {
    share: Arc<KeyShare>,
    chain: MessageChain,
    ends: Ends,
}

impl Forge {
    /// For the party whose share this is, in the initiator's seat or the responder's.
    pub fn new(share: Arc<KeyShare>, params: &SignParams, is_initiator: bool) -> Self {
        let seat = if is_initiator {
            Seat::Initiator
        } else {
            Seat::Responder
        };
        let chain = MessageChain::new(&session_id(share.header(), params, seat));
        let ends = Ends {
            from: share.header().party,
            to: params.counterparty,
        };
        Self { share, chain, ends }
    }

    /// Notes a message of either side that was said before the next one.
    ///
    /// # Errors
    /// When it has no tag.
    pub fn observe(&mut self, message: &CeremonyMessage) -> Result<(), Error> {
        self.chain.extend(message)
    }

    /// The payload of one of this party's own messages.
    ///
    /// # Errors
    /// When it is no message of this party in this signature.
    pub fn open<'a>(&self, message: &'a CeremonyMessage) -> Result<&'a [u8], Error> {
        let step = envelope::step_of(message)?;
        self.share
            .channel(self.ends.to)?
            .open(self.chain.head(), step, self.ends, &message.body.0)
    }

    /// This payload, MACed in the place of `original`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn reseal(
        &self,
        original: &CeremonyMessage,
        payload: &[u8],
    ) -> Result<CeremonyMessage, Error> {
        self.seal(envelope::step_of(original)?, payload)
    }

    fn seal(&self, step: Step, payload: &[u8]) -> Result<CeremonyMessage, Error> {
        Ok(self
            .share
            .channel(self.ends.to)?
            .seal(self.chain.head(), step, self.ends, payload))
    }
}
