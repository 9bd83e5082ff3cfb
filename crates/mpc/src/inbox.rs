//! Received messages by sender and step, each taken once (custody rule 18).

use std::collections::BTreeMap;

use halfkey_core::PartyIndex;
use halfkey_core::wire::CeremonyMessage;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::Error;
use crate::envelope::Step;

/// What became of a received message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// It was new and is kept until its turn.
    New,
    /// It repeats, byte for byte, one already taken.
    Repeat,
}

/// One slot per (sender, step); the body is dropped when used, its hash stays.
#[derive(Default)]
pub(crate) struct Inbox {
    slots: BTreeMap<(PartyIndex, u8), Slot>,
}

struct Slot {
    hash: [u8; 32],
    body: Option<Zeroizing<Vec<u8>>>,
}

impl Inbox {
    /// Takes a message whose step is `step`.
    pub(crate) fn receive(
        &mut self,
        step: Step,
        message: &CeremonyMessage,
    ) -> Result<Received, Error> {
        let hash: [u8; 32] = Sha256::digest(&message.body.0).into();
        let key = (message.from, step.number());
        match self.slots.get(&key) {
            Some(slot) if slot.hash == hash => Ok(Received::Repeat),
            Some(_) => Err(Error::Refused {
                from: message.from,
                what: "another message was already taken at this step",
            }),
            None => {
                let body = Some(Zeroizing::new(message.body.0.clone()));
                self.slots.insert(key, Slot { hash, body });
                Ok(Received::New)
            }
        }
    }

    /// Notes a message that was used at once.
    pub(crate) fn mark(&mut self, step: Step, message: &CeremonyMessage) {
        let hash: [u8; 32] = Sha256::digest(&message.body.0).into();
        self.slots
            .insert((message.from, step.number()), Slot { hash, body: None });
    }

    /// Whether this very message was taken before.
    pub(crate) fn has_taken(&self, step: Step, message: &CeremonyMessage) -> bool {
        let slot = self.slots.get(&(message.from, step.number()));
        slot.is_some_and(|slot| {
            let hash: [u8; 32] = Sha256::digest(&message.body.0).into();
            slot.hash == hash
        })
    }

    /// Whether an unused message of this sender and step is here.
    pub(crate) fn is_waiting(&self, from: PartyIndex, step: Step) -> bool {
        self.slots
            .get(&(from, step.number()))
            .is_some_and(|slot| slot.body.is_some())
    }

    /// Takes the body out for use.
    pub(crate) fn take(&mut self, from: PartyIndex, step: Step) -> Option<Zeroizing<Vec<u8>>> {
        self.slots.get_mut(&(from, step.number()))?.body.take()
    }

    /// Drops every kept body.
    pub(crate) fn wipe(&mut self) {
        self.slots.values_mut().for_each(|slot| slot.body = None);
    }
}
