//! Signing: the facade over the engines.

use std::sync::Arc;

use halfkey_core::wire::{CeremonyMessage, Operation};
use halfkey_core::{CeremonyId, PartyIndex, Signature, SigningInput};
use rand_core::{CryptoRng, RngCore};

use crate::{Action, Ceremony, Error, KeyShare};

/// What both halves must agree on; all of it is bound into the session id and the MACs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignParams {
    /// Drawn by the initiator.
    pub ceremony: CeremonyId,
    /// What is being signed, as the signer itself decided from the bytes.
    pub operation: Operation,
    /// The digest or message.
    pub input: SigningInput,
    /// The other signer.
    pub counterparty: PartyIndex,
}

/// One party's side of a two-party signature: one round trip for Ed25519, two for ECDSA.
#[derive(Debug)]
pub struct Sign {}

impl Sign {
    /// The side that speaks first and always obtains the signature: the customer (in the local
    /// check of custody rule 3, the customer's first party).
    ///
    /// # Errors
    /// When the input does not fit the key type or the counterparty not the scheme.
    pub fn initiator(
        _share: Arc<KeyShare>,
        _params: SignParams,
        _rng: impl RngCore + CryptoRng + Send + 'static,
    ) -> Result<Self, Error> {
        todo!()
    }

    /// The side that answers. Yields the signature for ECDSA, `None` for Ed25519, where its part
    /// ends with its only message.
    ///
    /// # Errors
    /// As [`Self::initiator`].
    pub fn responder(
        _share: Arc<KeyShare>,
        _params: SignParams,
        _rng: impl RngCore + CryptoRng + Send + 'static,
    ) -> Result<Self, Error> {
        todo!()
    }
}

impl Ceremony for Sign {
    type Output = Option<Signature>;

    fn message(&mut self, _message: &CeremonyMessage) -> Result<(), Error> {
        todo!()
    }

    fn poll(&mut self) -> Action<Option<Signature>> {
        todo!()
    }
}
