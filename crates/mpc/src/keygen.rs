//! Keygen: the facade over the engines.
//!
//! Two round trips for every key type. `SPEC.md`, part 1, numbers the steps.

mod agree;
pub(crate) mod engine;
mod message;
mod transcript;

use std::collections::BTreeMap;

use halfkey_core::wire::CeremonyMessage;
use halfkey_core::{
    AttemptId, CeremonyId, ChainName, CustodyOrigin, DerivationPath, EnvironmentId, Generation,
    KeyOrigin, KeyShareId, KeyType, PartyIndex, Role, ShareSetId, ThresholdSignatureScheme,
    WalletId,
};
use rand_core::{CryptoRng, RngCore};
use x25519_dalek::StaticSecret;

use crate::ecdsa::keygen::EcdsaKeygen;
use crate::ed25519::{deal::Deal, dkg::Dkg};
use crate::envelope::{self, Step};
use crate::inbox::{Inbox, Received};
use crate::keygen::agree::Agreed;
use crate::keygen::engine::{AllIncoming, Engine, Incoming, Outgoing};
use crate::keygen::message::{First, Second};
use crate::outbox::Outbox;
use crate::rng::{BoxRng, draw_32};
use crate::share::{KeyMaterial, ShareHeader};
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

    /// Step 1.2: a customer's first messages.
    fn open(&mut self) -> Result<(), Error> {
        let Stage::First { engine, own, .. } = &mut self.stage else {
            return Ok(());
        };
        let Outgoing {
            public,
            mut private,
        } = engine.open(&mut self.rng)?;
        own.public = public;
        let mut messages = Vec::new();
        for to in self.params.others(self.own) {
            let message = own.with_private(private.remove(&to).unwrap_or_default());
            messages.push(message.open_message(self.own, to)?);
        }
        self.outbox.send(messages);
        Ok(())
    }

    /// Runs every round whose messages are all here.
    fn advance(&mut self) -> Result<(), Error> {
        let others = self.params.others(self.own);
        let complete = |inbox: &Inbox, round: Round| {
            others
                .iter()
                .all(|from| inbox.is_waiting(*from, round.step_of(from.role())))
        };
        if matches!(self.stage, Stage::First { .. }) && complete(&self.inbox, Round::First) {
            self.first_round()?;
        }
        if matches!(self.stage, Stage::Second { .. }) && complete(&self.inbox, Round::Second) {
            self.second_round()?;
        }
        Ok(())
    }

    fn first_round(&mut self) -> Result<(), Error> {
        let Stage::First {
            engine,
            ephemeral,
            own,
        } = core::mem::replace(&mut self.stage, Stage::Over)
        else {
            return Ok(());
        };
        match self.own.role() {
            Role::Provider => self.reply(engine, &ephemeral, own),
            Role::Customer => self.answer(engine, &ephemeral, own),
        }
    }

    /// Steps 1.3 to 1.5: the provider's first message.
    fn reply(
        &mut self,
        mut engine: Box<dyn Engine>,
        ephemeral: &StaticSecret,
        mut own: First,
    ) -> Result<(), Error> {
        let mut firsts = BTreeMap::new();
        for from in self.params.others(self.own) {
            let body = self.body(from, Step::One)?;
            let first = First::decode(from, envelope::split_open(&body).unwrap_or_default())?;
            firsts.insert(from, self.checked(from, first)?);
        }
        let received = message::take_parts(&mut firsts);
        let session = agree::session(&self.params, self.own, &own, &firsts)?;
        let Outgoing {
            public,
            mut private,
        } = engine.reply(&session, received.for_engine, &mut self.rng)?;
        own.public = public;
        let agreed = Agreed::new(
            session,
            self.own,
            &own,
            ephemeral,
            &firsts,
            &received.publics,
        )?;
        let mut messages = Vec::new();
        for to in self.params.others(self.own) {
            let payload = own
                .with_private(private.remove(&to).unwrap_or_default())
                .encode()?;
            messages.push(agreed.seal(self.own, to, Step::Two, &payload)?);
        }
        self.outbox.send(messages);
        self.stage = Stage::Second { engine, agreed };
        Ok(())
    }

    /// Steps 1.6 to 1.8: a customer's second messages.
    fn answer(
        &mut self,
        mut engine: Box<dyn Engine>,
        ephemeral: &StaticSecret,
        own: First,
    ) -> Result<(), Error> {
        let mut firsts = BTreeMap::new();
        let provider = PartyIndex::PROVIDER;
        let reply = self.body(provider, Step::Two)?;
        let (_, payload) = envelope::split_sealed(&reply).ok_or(Error::Refused {
            from: provider,
            what: "too short",
        })?;
        firsts.insert(
            provider,
            self.checked(provider, First::decode(provider, payload)?)?,
        );
        for from in self.params.others(self.own) {
            if from.role() == Role::Customer {
                let body = self.body(from, Step::One)?;
                let first = First::decode(from, envelope::split_open(&body).unwrap_or_default())?;
                firsts.insert(from, self.checked(from, first)?);
            }
        }
        let received = message::take_parts(&mut firsts);
        let session = agree::session(&self.params, self.own, &own, &firsts)?;
        let agreed = Agreed::new(
            session,
            self.own,
            &own,
            ephemeral,
            &firsts,
            &received.publics,
        )?;
        // The reply named what the key was made from; only now can its MAC be checked.
        agreed.open(self.own, provider, Step::Two, &reply)?;
        let Outgoing {
            public,
            mut private,
        } = engine.answer(
            &agreed.session,
            received.for_engine,
            &agreed.pads,
            &mut self.rng,
        )?;
        let mut messages = Vec::new();
        for to in self.params.others(self.own) {
            let private = private.remove(&to).unwrap_or_default();
            let second = Second {
                public: public.clone(),
                private,
                signature: Vec::new(),
            };
            messages.push(agreed.seal(self.own, to, Step::Three, &second.encode()?)?);
        }
        self.outbox.send(messages);
        self.stage = Stage::Second { engine, agreed };
        Ok(())
    }

    fn second_round(&mut self) -> Result<(), Error> {
        let Stage::Second { mut engine, agreed } = core::mem::replace(&mut self.stage, Stage::Over)
        else {
            return Ok(());
        };
        let mut received = AllIncoming::new();
        let mut signature = Vec::new();
        for from in self.params.others(self.own) {
            let step = Round::Second.step_of(from.role());
            let body = self.body(from, step)?;
            let second = Second::decode(from, agreed.open(self.own, from, step, &body)?)?;
            received.insert(
                from,
                Incoming {
                    public: second.public,
                    private: second.private,
                },
            );
            if from.role() == Role::Provider {
                signature = second.signature;
            }
        }
        match &self.side {
            Side::Provider { identity, .. } => {
                // Steps 1.9 to 1.11.
                let (out, material) = engine.conclude(&agreed.session, received, &agreed.pads)?;
                let hash = transcript::of_key(&self.params, &agreed, &material)?;
                let signature = transcript::sign(identity, &hash);
                self.conclude(&agreed, out, &signature)?;
                self.done(agreed, material)
            }
            Side::Customer { provider_identity } => {
                // Steps 1.12 and 1.13.
                let material = engine.finish(&agreed.session, received, &agreed.pads)?;
                let hash = transcript::of_key(&self.params, &agreed, &material)?;
                transcript::verify(provider_identity, &hash, &signature)?;
                self.done(agreed, material)
            }
        }
    }

    fn conclude(
        &mut self,
        agreed: &Agreed,
        mut out: Outgoing,
        signature: &[u8; 64],
    ) -> Result<(), Error> {
        let mut messages = Vec::new();
        for to in self.params.others(self.own) {
            let second = Second {
                public: out.public.clone(),
                private: out.private.remove(&to).unwrap_or_default(),
                signature: signature.to_vec(),
            };
            messages.push(agreed.seal(self.own, to, Step::Four, &second.encode()?)?);
        }
        self.outbox.send(messages);
        Ok(())
    }

    /// Step 1.14: the share.
    fn done(&mut self, agreed: Agreed, material: KeyMaterial) -> Result<(), Error> {
        let header = ShareHeader {
            environment: self.params.environment.clone(),
            chain: self.params.chain,
            wallet: agreed.session.wallet,
            share_set: self.params.share_set,
            key_share: KeyShareId::generate(&mut self.rng),
            scheme: self.params.scheme,
            key_type: self.params.key_type,
            party: self.own,
            generation: Generation(0),
            attempt: self.params.attempt,
            custody_origin: self.params.custody_origin(),
            derivation_path: self.params.derivation_path.clone(),
            group_public_key: Vec::new(),
        };
        let share = KeyShare::assemble(header, material, agreed.keys)?;
        self.inbox.wipe();
        self.outbox.done(share);
        Ok(())
    }

    fn body(&mut self, from: PartyIndex, step: Step) -> Result<zeroize::Zeroizing<Vec<u8>>, Error> {
        self.inbox
            .take(from, step)
            .ok_or(Error::Bug("a round ran before its messages were there"))
    }

    /// Steps 1.3 and 1.6: what a first message claims fits our side.
    fn checked(&self, from: PartyIndex, first: First) -> Result<First, Error> {
        if first.context != self.params.context() {
            return Err(Error::Disagreement(
                "the parties started with different parameters",
            ));
        }
        let provider = from.role() == Role::Provider;
        if first.wallet.is_some() != provider || first.identity.is_some() != provider {
            return Err(Error::Refused {
                from,
                what: "claims another role",
            });
        }
        if let (Side::Customer { provider_identity }, Some(claimed)) = (&self.side, &first.identity)
        {
            if claimed != provider_identity.as_bytes() {
                return Err(Error::Refused {
                    from,
                    what: "not the pinned provider identity",
                });
            }
        }
        Ok(first)
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
