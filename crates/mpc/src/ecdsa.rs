//! Threshold ECDSA over secp256k1: the DKLs23 engine behind our own state handling.

pub(crate) mod abort;
pub(crate) mod constant;
pub(crate) mod derive;
pub(crate) mod keygen;
pub(crate) mod messages;
pub(crate) mod share;
pub(crate) mod sign;

use dkls23_core::protocols as engine;
use halfkey_core::PartyIndex;
use k256::Secp256k1;

use crate::Error;

pub(crate) type Party = engine::Party<Secp256k1>;

/// Our party index as the engine has it: the same number.
pub(crate) fn engine_index(party: PartyIndex) -> Result<engine::PartyIndex, Error> {
    engine::PartyIndex::new(party.as_u8()).map_err(|_| Error::Bug("party index zero"))
}

/// The engine's party index as ours.
pub(crate) fn party_index(index: engine::PartyIndex) -> Result<PartyIndex, Error> {
    PartyIndex::try_from(index.as_u8()).map_err(|_| Error::Bug("engine party index above three"))
}
