//! Keygen: the facade over the engines.

use halfkey_core::wire::CeremonyMessage;
use halfkey_core::{
    AttemptId, CeremonyId, ChainName, DerivationPath, EnvironmentId, KeyType, PartyIndex,
    ShareSetId, ThresholdSignatureScheme, WalletId,
};
use rand_core::{CryptoRng, RngCore};

use crate::{Action, Ceremony, Error, KeyShare};

/// What both halves must agree on beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeygenParams {
    /// The environment.
    pub environment: EnvironmentId,
    /// The chain.
    pub chain: ChainName,
    /// Engine and keygen.
    pub key_type: KeyType,
    /// Parties and signers.
    pub scheme: ThresholdSignatureScheme,
    /// The wallet's path.
    pub derivation_path: DerivationPath,
    /// The attempt.
    pub attempt: AttemptId,
    /// The set of shares.
    pub share_set: ShareSetId,
    /// The ceremony.
    pub ceremony: CeremonyId,
}

/// One party's keygen. Two round trips for every key type.
#[derive(Debug)]
pub struct Keygen {}

impl Keygen {
    /// A customer party's side; it speaks first. `provider_identity` is the pinned Ed25519 key; a
    /// provider that signs with another one is refused.
    ///
    /// # Errors
    /// When `party` is no customer party of the scheme.
    pub fn customer(
        _params: KeygenParams,
        _party: PartyIndex,
        _provider_identity: &ed25519_dalek::VerifyingKey,
        _rng: impl RngCore + CryptoRng + Send + 'static,
    ) -> Result<Self, Error> {
        todo!()
    }

    /// The provider's side. The customer learns `wallet` from its first message.
    ///
    /// # Errors
    /// When the parameters do not fit together.
    pub fn provider(
        _params: KeygenParams,
        _wallet: WalletId,
        _identity: &ed25519_dalek::SigningKey,
        _rng: impl RngCore + CryptoRng + Send + 'static,
    ) -> Result<Self, Error> {
        todo!()
    }
}

impl Ceremony for Keygen {
    type Output = KeyShare;

    fn message(&mut self, _message: &CeremonyMessage) -> Result<(), Error> {
        todo!()
    }

    fn poll(&mut self) -> Action<KeyShare> {
        todo!()
    }
}
