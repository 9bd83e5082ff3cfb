//! Keygen: the facade over the engines.
//!
//! Two round trips for every key type. `SPEC.md`, part 1, numbers the steps.

mod agree;
#[cfg(test)]
mod cheats;
pub(crate) mod engine;
mod message;
mod rounds;
mod transcript;

use halfkey_core::wire::CeremonyMessage;
use halfkey_core::{
    AttemptId, CeremonyId, ChainName, CustodyOrigin, DerivationPath, EnvironmentId, KeyOrigin,
    KeyType, PartyIndex, Role, ShareSetId, ThresholdSignatureScheme, WalletId,
};
use rand_core::{CryptoRng, RngCore};
use x25519_dalek::StaticSecret;

use crate::ecdsa::keygen::EcdsaKeygen;
use crate::ed25519::{deal::Deal, dkg::Dkg};
use crate::envelope::{self, Step};
use crate::inbox::{Inbox, Received};
use crate::keygen::agree::Agreed;
use crate::keygen::engine::Engine;
use crate::keygen::message::First;
use crate::outbox::Outbox;
use crate::rng::{BoxRng, draw_32};
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
///
/// In `TWO_OF_THREE` the customer runs two of these in one process and carries the messages between
/// them by hand: a message goes to the provider only if it is addressed to it (custody rule 1).
pub struct Keygen {
    params: KeygenParams,
    own: PartyIndex,
    side: Side,
    rng: BoxRng,
    stage: Stage,
    inbox: Inbox,
    outbox: Outbox<KeyShare>,
}

halfkey_core::redacted_debug!(Keygen);

enum Side {
    Customer {
        provider_identity: ed25519_dalek::VerifyingKey,
    },
    Provider {
        identity: Box<ed25519_dalek::SigningKey>,
        wallet: WalletId,
    },
}

/// What has been done. Each stage is consumed by its round (custody rule 18).
enum Stage {
    /// Waits for everybody's first message.
    First {
        engine: Box<dyn Engine>,
        ephemeral: StaticSecret,
        own: First,
    },
    /// Waits for everybody's second message.
    Second {
        engine: Box<dyn Engine>,
        agreed: Agreed,
    },
    /// Wiped.
    Over,
}

impl Keygen {
    /// A customer party's side; it speaks first. `provider_identity` is the pinned Ed25519 key; a
    /// provider that signs with another one is refused.
    ///
    /// # Errors
    /// When `party` is no customer party of the scheme.
    pub fn customer(
        params: KeygenParams,
        party: PartyIndex,
        provider_identity: &ed25519_dalek::VerifyingKey,
        rng: impl RngCore + CryptoRng + Send + 'static,
    ) -> Result<Self, Error> {
        if party.role() != Role::Customer || !party.is_in(params.scheme) {
            return Err(Error::Caller("no customer party of the scheme"));
        }
        let side = Side::Customer {
            provider_identity: *provider_identity,
        };
        let mut keygen = Self::new(params, party, side, BoxRng::new(rng))?;
        keygen.open()?;
        Ok(keygen)
    }

    /// The provider's side. The customer learns `wallet` from its first message.
    ///
    /// # Errors
    /// When the parameters do not fit together.
    pub fn provider(
        params: KeygenParams,
        wallet: WalletId,
        identity: &ed25519_dalek::SigningKey,
        rng: impl RngCore + CryptoRng + Send + 'static,
    ) -> Result<Self, Error> {
        let side = Side::Provider {
            identity: Box::new(identity.clone()),
            wallet,
        };
        Self::new(params, PartyIndex::PROVIDER, side, BoxRng::new(rng))
    }

    fn new(
        params: KeygenParams,
        own: PartyIndex,
        side: Side,
        mut rng: BoxRng,
    ) -> Result<Self, Error> {
        let scheme = params.scheme;
        let engine: Box<dyn Engine> = match (params.chain, params.key_type) {
            (ChainName::Evm, KeyType::EcdsaSecp256k1) => Box::new(EcdsaKeygen::new(scheme, own)),
            (ChainName::Svm, KeyType::Ed25519Exportable) => {
                Box::new(Deal::new(scheme, own, params.share_set))
            }
            (ChainName::Svm, KeyType::Ed25519Standard) => Box::new(Dkg::new(scheme, own)),
            _ => return Err(Error::Caller("the key type does not fit the chain")),
        };
        // Step 1.1.
        let ephemeral = StaticSecret::random_from_rng(&mut rng);
        let first = First::new(&params, draw_32(&mut rng), &ephemeral, &side);
        let stage = Stage::First {
            engine,
            ephemeral,
            own: first,
        };
        let (inbox, outbox) = (Inbox::default(), Outbox::new());
        Ok(Self {
            params,
            own,
            side,
            rng,
            stage,
            inbox,
            outbox,
        })
    }

    /// Whose side this is.
    #[cfg(feature = "simulate")]
    pub(crate) fn party(&self) -> PartyIndex {
        self.own
    }

    fn take(&mut self, message: &CeremonyMessage) -> Result<(), Error> {
        let others = self.params.others(self.own);
        envelope::check_ends(message, self.own, &others)?;
        let step = envelope::step_of(message)?;
        if self.outbox.is_over() {
            if self.inbox.has_taken(step, message) {
                return Ok(());
            }
            return Err(Error::Refused {
                from: message.from,
                what: "the ceremony is over",
            });
        }
        let role = message.from.role();
        if ![Round::First, Round::Second]
            .iter()
            .any(|round| round.step_of(role) == step)
        {
            return Err(Error::Refused {
                from: message.from,
                what: "step of another role",
            });
        }
        match self.inbox.receive(step, message)? {
            Received::Repeat => Ok(()),
            Received::New => self.advance(),
        }
    }
}

impl Ceremony for Keygen {
    type Output = KeyShare;

    fn message(&mut self, message: &CeremonyMessage) -> Result<(), Error> {
        let taken = self.take(message);
        if let (Err(error), false) = (&taken, self.outbox.is_over()) {
            self.stage = Stage::Over;
            self.inbox.wipe();
            self.outbox.fail(error.clone());
        }
        taken
    }

    fn poll(&mut self) -> Action<KeyShare> {
        self.outbox.poll()
    }
}

/// One wave of messages.
#[derive(Clone, Copy)]
enum Round {
    First,
    Second,
}

impl Round {
    /// The step a sender of this role sends in this round.
    const fn step_of(self, role: Role) -> Step {
        match (self, role) {
            (Self::First, Role::Customer) => Step::One,
            (Self::First, Role::Provider) => Step::Two,
            (Self::Second, Role::Customer) => Step::Three,
            (Self::Second, Role::Provider) => Step::Four,
        }
    }
}

impl KeygenParams {
    fn others(&self, own: PartyIndex) -> Vec<PartyIndex> {
        PartyIndex::all(self.scheme)
            .iter()
            .copied()
            .filter(|party| *party != own)
            .collect()
    }

    /// Custody rule 2.
    const fn custody_origin(&self) -> CustodyOrigin {
        let origin = CustodyOrigin::new(match self.key_type {
            KeyType::Ed25519Exportable => KeyOrigin::Dealt,
            _ => KeyOrigin::Dkg,
        });
        match self.scheme {
            ThresholdSignatureScheme::TwoOfTwo => origin,
            ThresholdSignatureScheme::TwoOfThree => origin.with_was_2of3(),
        }
    }
}
