//! Keygen: the facade over the engines.
//!
//! Two round trips for every key type. `SPEC.md`, part 1, numbers the steps.

mod agree;
#[cfg(test)]
mod cheats;
pub(crate) mod engine;
mod message;
mod rounds;
pub(crate) mod start;
mod transcript;

use halfkey_core::wire::CeremonyMessage;
use halfkey_core::{
    AttemptId, CeremonyId, ChainName, DerivationPath, EnvironmentId, KeyType, PartyIndex, Role,
    ShareSetId, ThresholdSignatureScheme, WalletId,
};
use rand_core::{CryptoRng, RngCore};
use x25519_dalek::StaticSecret;

use crate::ecdsa::constant::Constant;
use crate::ecdsa::keygen::EcdsaKeygen;
use crate::ed25519::{deal::Deal, dkg::Dkg, reshare::Reshare, seed::Seed};
use crate::envelope::{self, Step};
use crate::inbox::{Inbox, Received};
use crate::keygen::agree::Agreed;
use crate::keygen::engine::Engine;
use crate::keygen::message::First;
use crate::keygen::start::{Change, Import, ImportKey, Start};
use crate::outbox::Outbox;
use crate::rng::{BoxRng, draw_32};
use crate::share::KeyMaterial;
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
    start: Start,
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
        let engine = fresh_engine(&params, party)?;
        let mut keygen = Self::new(params, Start::Fresh, party, side, engine, BoxRng::new(rng));
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
        let own = PartyIndex::PROVIDER;
        let engine = fresh_engine(&params, own)?;
        let rng = BoxRng::new(rng);
        Ok(Self::new(params, Start::Fresh, own, side, engine, rng))
    }

    /// A customer party's side of the next generation of an existing key; it speaks first. `old` is
    /// its own old share: needed of a contributor, of nobody else.
    ///
    /// # Errors
    /// When `party` is no customer party of the new scheme, or `old` is not the share the change
    /// starts from.
    pub fn customer_change(
        (params, change): (KeygenParams, Change),
        party: PartyIndex,
        old: Option<&KeyShare>,
        provider_identity: &ed25519_dalek::VerifyingKey,
        rng: impl RngCore + CryptoRng + Send + 'static,
    ) -> Result<Self, Error> {
        if party.role() != Role::Customer || !party.is_in(params.scheme) {
            return Err(Error::Caller("no customer party of the scheme"));
        }
        let side = Side::Customer {
            provider_identity: *provider_identity,
        };
        let engine = change_engine(&params, &change, party, old)?;
        let start = Start::Change(Box::new(change));
        let mut keygen = Self::new(params, start, party, side, engine, BoxRng::new(rng));
        keygen.open()?;
        Ok(keygen)
    }

    /// The provider's side of the next generation of an existing key.
    ///
    /// # Errors
    /// When `old` is not the share the change starts from.
    pub fn provider_change(
        (params, change): (KeygenParams, Change),
        old: &KeyShare,
        identity: &ed25519_dalek::SigningKey,
        rng: impl RngCore + CryptoRng + Send + 'static,
    ) -> Result<Self, Error> {
        let own = PartyIndex::PROVIDER;
        let side = Side::Provider {
            identity: Box::new(identity.clone()),
            wallet: change.wallet,
        };
        let engine = change_engine(&params, &change, own, Some(old))?;
        let (start, rng) = (Start::Change(Box::new(change)), BoxRng::new(rng));
        Ok(Self::new(params, start, own, side, engine, rng))
    }

    /// A customer party's side of an import; it speaks first. The first party has the key.
    ///
    /// # Errors
    /// When the key does not fit the parameters or is not the one `import` tells of.
    pub fn customer_import(
        params: KeygenParams,
        import: Import,
        party: PartyIndex,
        key: Option<&ImportKey>,
        provider_identity: &ed25519_dalek::VerifyingKey,
        rng: impl RngCore + CryptoRng + Send + 'static,
    ) -> Result<Self, Error> {
        if party.role() != Role::Customer || !party.is_in(params.scheme) {
            return Err(Error::Caller("no customer party of the scheme"));
        }
        if key.is_some() != (party == PartyIndex::CUSTOMER_1) {
            return Err(Error::Caller("the first customer party imports the key"));
        }
        let side = Side::Customer {
            provider_identity: *provider_identity,
        };
        let engine = import_engine(&params, &import, party, key)?;
        let start = Start::Import(import);
        let mut keygen = Self::new(params, start, party, side, engine, BoxRng::new(rng));
        keygen.open()?;
        Ok(keygen)
    }

    /// The provider's side of an import. It never sees the key.
    ///
    /// # Errors
    /// When the parameters do not fit together.
    pub fn provider_import(
        params: KeygenParams,
        import: Import,
        wallet: WalletId,
        identity: &ed25519_dalek::SigningKey,
        rng: impl RngCore + CryptoRng + Send + 'static,
    ) -> Result<Self, Error> {
        let own = PartyIndex::PROVIDER;
        let side = Side::Provider {
            identity: Box::new(identity.clone()),
            wallet,
        };
        let engine = import_engine(&params, &import, own, None)?;
        let (start, rng) = (Start::Import(import), BoxRng::new(rng));
        Ok(Self::new(params, start, own, side, engine, rng))
    }

    fn new(
        params: KeygenParams,
        start: Start,
        own: PartyIndex,
        side: Side,
        engine: Box<dyn Engine>,
        mut rng: BoxRng,
    ) -> Self {
        // Step 1.1.
        let ephemeral = StaticSecret::random_from_rng(&mut rng);
        let context = params.context(&start);
        let first = First::new(context, draw_32(&mut rng), &ephemeral, &side);
        let stage = Stage::First {
            engine,
            ephemeral,
            own: first,
        };
        let (inbox, outbox) = (Inbox::default(), Outbox::new());
        Self {
            params,
            start,
            own,
            side,
            rng,
            stage,
            inbox,
            outbox,
        }
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
}

const UNFIT: Error = Error::Caller("the key type does not fit the chain");

/// Draws a key.
fn fresh_engine(params: &KeygenParams, own: PartyIndex) -> Result<Box<dyn Engine>, Error> {
    let scheme = params.scheme;
    Ok(match (params.chain, params.key_type) {
        (ChainName::Evm, KeyType::EcdsaSecp256k1) => Box::new(EcdsaKeygen::new(scheme, own, None)),
        (ChainName::Svm, KeyType::Ed25519Exportable) => {
            Box::new(Deal::new(scheme, own, params.share_set))
        }
        (ChainName::Svm, KeyType::Ed25519Standard) => Box::new(Dkg::new(scheme, own)),
        _ => return Err(UNFIT),
    })
}

/// Shares a key that exists in shares again.
fn change_engine(
    params: &KeygenParams,
    change: &Change,
    own: PartyIndex,
    old: Option<&KeyShare>,
) -> Result<Box<dyn Engine>, Error> {
    if let Some(old) = old {
        change.check_share(own, old)?;
    }
    let scheme = params.scheme;
    let contributes = change.contributors.contains(&own);
    if contributes && old.is_none() {
        return Err(Error::Caller("this party's old share is needed"));
    }
    let old = old.map(KeyShare::material);
    Ok(match (params.chain, params.key_type, old) {
        (ChainName::Evm, KeyType::EcdsaSecp256k1, Some(KeyMaterial::Ecdsa(old))) if contributes => {
            let constant = old.contribution(own, &change.contributors)?;
            Box::new(EcdsaKeygen::new(scheme, own, Some(constant)))
        }
        (ChainName::Evm, KeyType::EcdsaSecp256k1, _) => {
            let constant = Constant::zero(&change.chain_code)?;
            Box::new(EcdsaKeygen::new(scheme, own, Some(constant)))
        }
        (ChainName::Svm, KeyType::Ed25519Exportable | KeyType::Ed25519Standard, old) => {
            let old = match old {
                Some(KeyMaterial::Ed25519(old)) => Some(old),
                _ => None,
            };
            let key_type = params.key_type;
            Box::new(Reshare::new(scheme, own, change, key_type, old)?)
        }
        _ => return Err(UNFIT),
    })
}

/// Shares a key that exists outside.
fn import_engine(
    params: &KeygenParams,
    import: &Import,
    own: PartyIndex,
    key: Option<&ImportKey>,
) -> Result<Box<dyn Engine>, Error> {
    if let Some(key) = key {
        if !key.fits(params.key_type) {
            return Err(Error::Caller(
                "a key of this kind cannot become such a wallet",
            ));
        }
        if key.public()? != *import {
            return Err(Error::Caller("the key is not the one announced"));
        }
    }
    let scheme = params.scheme;
    Ok(match (params.chain, params.key_type, key) {
        (ChainName::Evm, KeyType::EcdsaSecp256k1, Some(ImportKey::Secp256k1 { scalar, .. })) => {
            let constant = Constant::key(scalar, &import.chain_code)?;
            Box::new(EcdsaKeygen::new(scheme, own, Some(constant)))
        }
        (ChainName::Evm, KeyType::EcdsaSecp256k1, None) => {
            let constant = Constant::zero(&import.chain_code)?;
            Box::new(EcdsaKeygen::new(scheme, own, Some(constant)))
        }
        (ChainName::Svm, KeyType::Ed25519Exportable, key) => {
            let seed = match key {
                Some(ImportKey::Ed25519Seed(seed)) => Some(Seed::imported(*seed)),
                _ => None,
            };
            let deal = Deal::new(scheme, own, params.share_set);
            Box::new(deal.importing(seed))
        }
        _ => return Err(UNFIT),
    })
}
