//! The rounds of keygen: what each side does when all messages of a round are here.

use std::collections::BTreeMap;

use halfkey_core::{KeyShareId, PartyIndex, Role};
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

use super::agree::{self, Agreed};
use super::engine::{AllIncoming, Engine, Incoming, Outgoing};
use super::message::{self, First, Second};
use super::start::Start;
use super::{Keygen, Round, Side, Stage, transcript};
use crate::envelope::{self, Step};
use crate::inbox::Inbox;
use crate::share::{KeyMaterial, ShareHeader};
use crate::{Error, KeyShare};

impl Keygen {
    /// Step 1.2: a customer's first messages.
    pub(super) fn open(&mut self) -> Result<(), Error> {
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
            let message = own.with_private(&private.remove(&to).unwrap_or_default());
            messages.push(message.open_message(self.own, to)?);
        }
        self.outbox.send(messages);
        Ok(())
    }

    /// Runs every round whose messages are all here.
    pub(super) fn advance(&mut self) -> Result<(), Error> {
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
            Role::Customer => self.answer(engine, &ephemeral, &own),
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
        let session = agree::session(&self.params, &self.start, self.own, &own, &firsts)?;
        let Outgoing {
            public,
            mut private,
        } = engine.reply(&session, received.for_engine, &mut self.rng)?;
        own.public = public;
        let mut agreed = Agreed::new(
            session,
            self.own,
            &own,
            ephemeral,
            &firsts,
            &received.publics,
        )?;
        let mut messages = Vec::new();
        for to in self.params.others(self.own) {
            let mut private = private.remove(&to).unwrap_or_default();
            agreed.pad_fragment(to, &mut private)?;
            let payload = own.with_private(&private).encode()?;
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
        own: &First,
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
        let mut received = message::take_parts(&mut firsts);
        let session = agree::session(&self.params, &self.start, self.own, own, &firsts)?;
        let mut agreed = Agreed::new(
            session,
            self.own,
            own,
            ephemeral,
            &firsts,
            &received.publics,
        )?;
        // Step 1.7: the reply named what the key was made from; only now can its MAC be checked.
        agreed.open(self.own, provider, Step::Two, &reply)?;
        if let Some(part) = received.for_engine.get_mut(&provider) {
            agreed.pad_fragment(provider, &mut part.private)?;
        }
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
            let private = private.remove(&to).unwrap_or_default().to_vec();
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
            let mut second = Second::decode(from, agreed.open(self.own, from, step, &body)?)?;
            let public = core::mem::take(&mut second.public);
            let private = Zeroizing::new(core::mem::take(&mut second.private));
            received.insert(from, Incoming { public, private });
            if from.role() == Role::Provider {
                signature = core::mem::take(&mut second.signature);
            }
        }
        match &self.side {
            Side::Provider { identity, .. } => {
                // Steps 1.9 to 1.11.
                let (out, material) = engine.conclude(&agreed.session, received, &agreed.pads)?;
                self.check_key(&material)?;
                let hash = transcript::of_key(&self.params, &self.start, &agreed, &material)?;
                let signature = transcript::sign(identity, &hash);
                self.conclude(&agreed, out, &signature)?;
                self.done(agreed, material)
            }
            Side::Customer { provider_identity } => {
                // Steps 1.12 and 1.13.
                let material = engine.finish(&agreed.session, received, &agreed.pads)?;
                self.check_key(&material)?;
                let hash = transcript::of_key(&self.params, &self.start, &agreed, &material)?;
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
                private: out.private.remove(&to).unwrap_or_default().to_vec(),
                signature: signature.to_vec(),
            };
            messages.push(agreed.seal(self.own, to, Step::Four, &second.encode()?)?);
        }
        self.outbox.send(messages);
        Ok(())
    }

    /// Of a key that existed before: the same must come out, or nothing does.
    fn check_key(&self, material: &KeyMaterial) -> Result<(), Error> {
        let Some((public_key, chain_code)) = self.start.expected() else {
            return Ok(());
        };
        if material.group_public_key()? == public_key && material.chain_code() == chain_code {
            Ok(())
        } else {
            Err(Error::Disagreement("another key came out than went in"))
        }
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
            generation: self.start.generation(),
            attempt: self.params.attempt,
            custody_origin: self.start.custody_origin(&self.params),
            derivation_path: self.params.derivation_path.clone(),
            group_public_key: Vec::new(),
        };
        let share = KeyShare::assemble(header, material, agreed.keys)?;
        self.inbox.wipe();
        self.outbox.done(share);
        Ok(())
    }

    fn body(&mut self, from: PartyIndex, step: Step) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.inbox
            .take(from, step)
            .ok_or(Error::Bug("a round ran before its messages were there"))
    }

    /// Steps 1.3 and 1.6: what a first message claims fits our side.
    fn checked(&self, from: PartyIndex, first: First) -> Result<First, Error> {
        if first.context != self.params.context(&self.start) {
            return Err(Error::Disagreement(
                "the parties started with different parameters",
            ));
        }
        if let (Start::Change(change), Some(wallet)) = (&self.start, &first.wallet)
            && wallet != change.wallet.as_bytes()
        {
            return Err(Error::Refused {
                from,
                what: "names another wallet",
            });
        }
        let provider = from.role() == Role::Provider;
        if first.wallet.is_some() != provider || first.identity.is_some() != provider {
            return Err(Error::Refused {
                from,
                what: "claims another role",
            });
        }
        if let (Side::Customer { provider_identity }, Some(claimed)) = (&self.side, &first.identity)
            && claimed != provider_identity.as_bytes()
        {
            return Err(Error::Refused {
                from,
                what: "not the pinned provider identity",
            });
        }
        Ok(first)
    }
}
