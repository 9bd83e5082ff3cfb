//! The frame around every ceremony message: version, step, and a tag where a channel key exists.

use halfkey_core::PartyIndex;
use halfkey_core::wire::CeremonyMessage;

use crate::Error;
use crate::channel::TAG_LEN;

/// The only message format there is.
pub(crate) const VERSION: u8 = 1;

/// Longest accepted body in bytes: three times the longest honest one.
pub(crate) const MAX_BODY: usize = 512 * 1024;

/// Which message of a ceremony this is. In signing, the numbers run through both directions; in
/// keygen odd steps are the customers', even ones the provider's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    One = 1,
    Two = 2,
    Three = 3,
    Four = 4,
}

impl Step {
    /// The number on the wire.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Three => 3,
            Self::Four => 4,
        }
    }

    const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::One),
            2 => Some(Self::Two),
            3 => Some(Self::Three),
            4 => Some(Self::Four),
            _ => None,
        }
    }
}

/// `version ‖ step ‖ payload`.
pub(crate) fn frame_open(step: Step, payload: &[u8]) -> Vec<u8> {
    [&[VERSION, step.number()], payload].concat()
}

/// `version ‖ step ‖ tag ‖ payload`.
pub(crate) fn frame_sealed(step: Step, tag: &[u8; TAG_LEN], payload: &[u8]) -> Vec<u8> {
    [&[VERSION, step.number()], tag.as_slice(), payload].concat()
}

/// Checks version and length and returns the step of a message.
pub(crate) fn step_of(message: &CeremonyMessage) -> Result<Step, Error> {
    let refused = |what| Error::Refused {
        from: message.from,
        what,
    };
    if message.body.0.len() > MAX_BODY {
        return Err(refused("too long"));
    }
    match message.body.0.as_slice() {
        [VERSION, step, ..] => Step::from_number(*step).ok_or(refused("unknown step")),
        [] | [_] => Err(refused("too short")),
        [_, _, ..] => Err(refused("unknown message version")),
    }
}

/// The payload of an un-MACed body.
pub(crate) fn split_open(body: &[u8]) -> Option<&[u8]> {
    body.get(2..)
}

/// Tag and payload of a MACed body.
pub(crate) fn split_sealed(body: &[u8]) -> Option<(&[u8], &[u8])> {
    body.get(2..)?.split_at_checked(TAG_LEN)
}

/// Checks that a message is for `own` and from somebody else of the ceremony.
pub(crate) fn check_ends(
    message: &CeremonyMessage,
    own: PartyIndex,
    others: &[PartyIndex],
) -> Result<(), Error> {
    let refused = |what| Error::Refused {
        from: message.from,
        what,
    };
    if message.to != own {
        return Err(refused("addressed to another party"));
    }
    if message.from == own || !others.contains(&message.from) {
        return Err(refused("sender is not the counterparty"));
    }
    Ok(())
}
