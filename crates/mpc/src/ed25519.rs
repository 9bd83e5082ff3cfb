//! Threshold Ed25519: RFC 9591 FROST.

pub(crate) mod deal;
pub(crate) mod dkg;
pub(crate) mod reshare;
pub(crate) mod seed;
pub(crate) mod seed_reshare;
pub(crate) mod share;
pub(crate) mod sign;

use frost_ed25519::Identifier;
use halfkey_core::PartyIndex;

use crate::Error;

/// Our party index as FROST has it: the same number.
pub(crate) fn identifier(party: PartyIndex) -> Result<Identifier, Error> {
    Identifier::try_from(u16::from(party.as_u8())).map_err(|_| Error::Bug("party index zero"))
}

/// FROST's identifier as one of `parties`.
pub(crate) fn party_of(id: &Identifier, parties: &[PartyIndex]) -> Option<PartyIndex> {
    parties
        .iter()
        .copied()
        .find(|party| identifier(*party).is_ok_and(|own| own == *id))
}
