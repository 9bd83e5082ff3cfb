//! Export: the provider's part of the key goes to the customer, in one round trip. `SPEC.md`, part
//! 6.
//!
//! Nothing of the customer's share leaves its process. The provider's part travels under a one-time
//! pad of this run, so that nothing between the halves reads it, and under the pair's channel key.
//!
//! An export to a recipient ends with no key: the provider encrypts its part to the recipient, whom
//! the ceremony is bound to, and so does the customer.

mod sealed;

pub use sealed::SealedExport;
pub(crate) use sealed::part_number;

use std::sync::Arc;

use halfkey_core::wire::CeremonyMessage;
use halfkey_core::{AttemptId, CeremonyId, PartyIndex, Role};
use hkdf::Hkdf;
use rand_core::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::age::Recipient;
use crate::channel::Ends;
use crate::codec::{decode_from, encode};
use crate::envelope::{self, Step, VERSION};
use crate::inbox::Inbox;
use crate::outbox::Outbox;
use crate::reconstruct::{Part, RootKey};
use crate::rng::BoxRng;
use crate::transcript::Transcript;
use crate::{Action, Ceremony, Error, KeyShare};

const PAD_DOMAIN: &[u8] = b"halfkey-export-pad-v1";

/// What both halves must agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportParams {
    /// The ceremony, drawn by the customer.
    pub ceremony: CeremonyId,
    /// The export, which the start proof named.
    pub export: AttemptId,
    /// The other party: the provider's, or the customer's that asks.
    pub counterparty: PartyIndex,
    /// Who alone shall be able to put the key together; the customer itself where there is none.
    pub recipient: Option<Recipient>,
}

/// What the customer ends with.
#[derive(Debug)]
pub enum Exported {
    /// The key.
    Key(Box<RootKey>),
    /// Two parts that only the recipient can open.
    Sealed(SealedExport),
}

/// One party's side of an export.
pub struct Export {
    share: Arc<KeyShare>,
    params: ExportParams,
    session: [u8; 32],
    rng: BoxRng,
    stage: Stage,
    inbox: Inbox,
    outbox: Outbox<Option<Exported>>,
}

halfkey_core::redacted_debug!(Export);

/// Each stage is consumed by its message (custody rule 18).
enum Stage {
    /// The customer waits for the provider's part.
    Asked(StaticSecret),
    /// The customer waits for the provider's part, which it will not be able to read.
    AskedFor(Recipient),
    /// The provider waits to be asked.
    Waiting,
    /// Wiped.
    Over,
}

/// The customer's message.
#[derive(Serialize, Deserialize)]
struct Ask {
    ephemeral: [u8; 32],
}

/// The provider's message.
#[derive(Serialize, Deserialize)]
struct Give {
    ephemeral: [u8; 32],
    /// Scalar ‖ seed part (zeros where there is none), under the pad.
    padded: ([u8; 32], [u8; 32]),
}

/// The provider's message in an export to a recipient.
#[derive(Serialize, Deserialize)]
struct GiveSealed {
    sealed: String,
}

#[derive(Zeroize, ZeroizeOnDrop)]
struct Pad([u8; 64]);

impl Export {
    /// The side that asks, and ends with the key or with what only its recipient can open.
    ///
    /// # Errors
    /// When share and counterparty do not fit.
    pub fn customer(
        share: Arc<KeyShare>,
        params: ExportParams,
        rng: impl RngCore + CryptoRng + Send + 'static,
    ) -> Result<Self, Error> {
        let mut export = Self::new(share, params, Role::Customer, BoxRng::new(rng))?;
        // Step 6.1.
        let secret = StaticSecret::random_from_rng(&mut export.rng);
        let ask = Ask {
            ephemeral: PublicKey::from(&secret).to_bytes(),
        };
        export.send(Step::One, &encode(&ask)?)?;
        export.stage = match export.params.recipient {
            Some(recipient) => Stage::AskedFor(recipient),
            None => Stage::Asked(secret),
        };
        Ok(export)
    }

    /// The side that gives its part and ends with `None`.
    ///
    /// # Errors
    /// When share and counterparty do not fit.
    pub fn provider(
        share: Arc<KeyShare>,
        params: ExportParams,
        rng: impl RngCore + CryptoRng + Send + 'static,
    ) -> Result<Self, Error> {
        Self::new(share, params, Role::Provider, BoxRng::new(rng))
    }

    fn new(
        share: Arc<KeyShare>,
        params: ExportParams,
        role: Role,
        rng: BoxRng,
    ) -> Result<Self, Error> {
        let header = share.header();
        let other = params.counterparty;
        if header.party.role() != role || other.role() == role || !other.is_in(header.scheme) {
            return Err(Error::Caller(
                "an export is between a customer and the provider",
            ));
        }
        let customer = match role {
            Role::Customer => header.party,
            Role::Provider => other,
        };
        // Whoever sits between the halves cannot name another one.
        let recipient = params.recipient;
        let session = Transcript::new("halfkey-export-v1")
            .field(&[VERSION])
            .field(header.environment.as_str().as_bytes())
            .field(header.wallet.as_bytes())
            .field(header.share_set.as_bytes())
            .field(&header.generation.0.to_be_bytes())
            .field(header.attempt.as_bytes())
            .field(params.ceremony.as_bytes())
            .field(params.export.as_bytes())
            .field(&header.group_public_key)
            .field(&[customer.as_u8()])
            .field(recipient.as_ref().map_or(&[], |one| one.as_bytes()))
            .finish();
        Ok(Self {
            share,
            params,
            session,
            rng,
            stage: Stage::Waiting,
            inbox: Inbox::default(),
            outbox: Outbox::new(),
        })
    }

    fn send(&mut self, step: Step, payload: &[u8]) -> Result<(), Error> {
        let to = self.params.counterparty;
        let from = self.share.header().party;
        let key = self.share.channel(to)?;
        let message = key.seal(&self.session, step, Ends { from, to }, payload);
        self.outbox.send(vec![message]);
        Ok(())
    }

    fn take(&mut self, message: &CeremonyMessage) -> Result<(), Error> {
        let own = self.share.header().party;
        let from = self.params.counterparty;
        let refused = |what| Error::Refused { from, what };
        envelope::check_ends(message, own, &[from])?;
        let step = envelope::step_of(message)?;
        if self.inbox.has_taken(step, message) {
            return Ok(());
        }
        if self.outbox.is_over() {
            return Err(refused("the ceremony is over"));
        }
        let key = self.share.channel(from)?;
        let ends = Ends { from, to: own };
        let payload = key
            .open(&self.session, step, ends, &message.body.0)?
            .to_vec();
        self.inbox.mark(step, message);
        match (core::mem::replace(&mut self.stage, Stage::Over), step) {
            (Stage::Waiting, Step::One) if own.role() == Role::Provider => self.give(&payload),
            (Stage::Asked(secret), Step::Two) => self.finish(&secret, &payload),
            (Stage::AskedFor(recipient), Step::Two) => self.finish_sealed(&recipient, &payload),
            _ => Err(refused("out of order")),
        }
    }

    /// Step 6.2: the provider's part, under the pad.
    fn give(&mut self, payload: &[u8]) -> Result<(), Error> {
        let from = self.params.counterparty;
        let ask: Ask = decode_from(from, "malformed", payload)?;
        if let Some(recipient) = self.params.recipient {
            return self.give_sealed(&recipient);
        }
        let secret = StaticSecret::random_from_rng(&mut self.rng);
        let ephemeral = PublicKey::from(&secret).to_bytes();
        let pad = self.pad(&secret, &ask.ephemeral, [&ask.ephemeral, &ephemeral])?;
        let part = Part::of(&self.share)?;
        let seed = Zeroizing::new(part.seed.unwrap_or_default());
        let padded = pad.apply(&part.scalar, &seed);
        self.send(Step::Two, &encode(&Give { ephemeral, padded })?)?;
        self.outbox.done(None);
        Ok(())
    }

    /// Step 6.3: unpads, checks against the public share, and puts the key together.
    fn finish(&mut self, secret: &StaticSecret, payload: &[u8]) -> Result<(), Error> {
        let from = self.params.counterparty;
        let give: Give = decode_from(from, "malformed", payload)?;
        let own = PublicKey::from(secret).to_bytes();
        let pad = self.pad(secret, &give.ephemeral, [&own, &give.ephemeral])?;
        let (scalar, seed) = pad.apply(&give.padded.0, &give.padded.1);
        let seed = Zeroizing::new(seed);
        let has_seed = Part::has_seed(self.share.header().key_type);
        let part = Part {
            party: from,
            scalar,
            seed: has_seed.then_some(*seed),
        };
        let key = RootKey::from_part(&self.share, &part)?;
        self.outbox.done(Some(Exported::Key(Box::new(key))));
        Ok(())
    }

    /// Step 6.4: the provider's part, for the recipient alone.
    fn give_sealed(&mut self, recipient: &Recipient) -> Result<(), Error> {
        let export = self.params.export;
        let sealed = sealed::seal_part(&self.share, export, recipient, &mut self.rng)?;
        self.send(Step::Two, &encode(&GiveSealed { sealed })?)?;
        self.outbox.done(None);
        Ok(())
    }

    /// Step 6.5: the own part beside it. What the provider's holds, only the recipient can check.
    fn finish_sealed(&mut self, recipient: &Recipient, payload: &[u8]) -> Result<(), Error> {
        let from = self.params.counterparty;
        let give: GiveSealed = decode_from(from, "malformed", payload)?;
        if !sealed::looks_sealed(&give.sealed) {
            let what = "not a sealed part";
            return Err(Error::Refused { from, what });
        }
        let export = self.params.export;
        let customer = sealed::seal_part(&self.share, export, recipient, &mut self.rng)?;
        let sealed = SealedExport {
            customer,
            provider: give.sealed,
        };
        self.outbox.done(Some(Exported::Sealed(sealed)));
        Ok(())
    }

    fn pad(
        &self,
        secret: &StaticSecret,
        peer: &[u8; 32],
        ephemerals: [&[u8; 32]; 2],
    ) -> Result<Pad, Error> {
        let shared = secret.diffie_hellman(&PublicKey::from(*peer));
        if !shared.was_contributory() {
            return Err(Error::Refused {
                from: self.params.counterparty,
                what: "ephemeral key of low order",
            });
        }
        let channel = self.share.channel(self.params.counterparty)?;
        let input = Zeroizing::new([*shared.as_bytes(), *channel.expose()].concat());
        let mut pad = Pad([0; 64]);
        let [customer, provider] = ephemerals;
        Hkdf::<Sha256>::new(Some(&self.session), &input)
            .expand_multi_info(&[PAD_DOMAIN, customer, provider], &mut pad.0)
            .map_err(|_| Error::Bug("pad length"))?;
        Ok(pad)
    }
}

impl Pad {
    fn apply(&self, scalar: &[u8; 32], seed: &[u8; 32]) -> ([u8; 32], [u8; 32]) {
        let (first, second) = self.0.split_at(32);
        let xor = |value: &[u8; 32], pad: &[u8]| {
            let mut out = *value;
            out.iter_mut().zip(pad).for_each(|(byte, pad)| *byte ^= pad);
            out
        };
        (xor(scalar, first), xor(seed, second))
    }
}

impl Ceremony for Export {
    type Output = Option<Exported>;

    fn message(&mut self, message: &CeremonyMessage) -> Result<(), Error> {
        let taken = self.take(message);
        if let (Err(error), false) = (&taken, self.outbox.is_over()) {
            self.stage = Stage::Over;
            self.outbox.fail(error.clone());
        }
        taken
    }

    fn poll(&mut self) -> Action<Option<Exported>> {
        self.outbox.poll()
    }
}

#[cfg(test)]
mod tests {
    use halfkey_core::KeyType;
    use halfkey_core::ThresholdSignatureScheme::{TwoOfThree, TwoOfTwo};
    use rand_core::OsRng;

    use super::*;
    use crate::age::Identity;
    use crate::test_shares;

    const P: PartyIndex = PartyIndex::PROVIDER;
    const C1: PartyIndex = PartyIndex::CUSTOMER_1;
    const C2: PartyIndex = PartyIndex::CUSTOMER_2;

    fn params(counterparty: PartyIndex) -> ExportParams {
        ExportParams {
            ceremony: CeremonyId::from_bytes([1; 16]),
            export: AttemptId::from_bytes([2; 16]),
            counterparty,
            recipient: None,
        }
    }

    fn sent(export: &mut Export) -> CeremonyMessage {
        let Action::Send(mut messages) = export.poll() else {
            panic!("nothing to send")
        };
        messages.remove(0)
    }

    fn pair(kind: KeyType, customer: PartyIndex) -> (Export, Export) {
        let scheme = if customer == C2 { TwoOfThree } else { TwoOfTwo };
        let load = |party| Arc::new(test_shares::load(kind, scheme, party).unwrap());
        (
            Export::customer(load(customer), params(P), OsRng).unwrap(),
            Export::provider(load(P), params(customer), OsRng).unwrap(),
        )
    }

    #[test]
    fn the_customer_ends_with_the_key_and_the_provider_with_nothing() {
        for kind in [
            KeyType::EcdsaSecp256k1,
            KeyType::Ed25519Exportable,
            KeyType::Ed25519Standard,
        ] {
            for party in [C1, C2] {
                let (mut customer, mut provider) = pair(kind, party);
                let ask = sent(&mut customer);
                provider.message(&ask).unwrap();
                let give = sent(&mut provider);
                assert!(matches!(provider.poll(), Action::Done(None)));
                customer.message(&give).unwrap();
                let Action::Done(Some(Exported::Key(key))) = customer.poll() else {
                    panic!("no key")
                };
                let share = Part::of(&provider.share).unwrap();
                let clear = |bytes: &[u8]| give.body.0.windows(32).any(|found| found == bytes);
                assert!(!clear(&share.scalar), "the part travels padded");
                assert!(share.seed.is_none_or(|seed| !clear(&seed)));
                assert_eq!(key.header().wallet, customer.share.header().wallet);
            }
        }
    }

    #[test]
    fn a_changed_or_foreign_message_is_refused() {
        let (mut customer, mut provider) = pair(KeyType::Ed25519Exportable, C1);
        let ask = sent(&mut customer);
        for at in 0..ask.body.0.len() {
            let (_, mut provider) = pair(KeyType::Ed25519Exportable, C1);
            let mut bad = ask.clone();
            bad.body.0[at] ^= 1;
            assert!(provider.message(&bad).is_err(), "{at}");
        }
        provider.message(&ask).unwrap();
        let give = sent(&mut provider);
        let mut bad = give.clone();
        let last = bad.body.0.len() - 1;
        bad.body.0[last] ^= 1;
        assert!(customer.message(&bad).is_err());
        // Another export, ceremony or party is another session.
        let (mut other, _) = pair(KeyType::Ed25519Exportable, C1);
        drop(sent(&mut other));
        other.session = [9; 32];
        assert!(other.message(&give).is_err());
    }

    fn pair_for(kind: KeyType, recipients: [Recipient; 2]) -> (Export, Export) {
        let load = |party| Arc::new(test_shares::load(kind, TwoOfTwo, party).unwrap());
        let params = |counterparty, recipient| ExportParams {
            recipient: Some(recipient),
            ..params(counterparty)
        };
        let [customer, provider] = recipients;
        (
            Export::customer(load(C1), params(P, customer), OsRng).unwrap(),
            Export::provider(load(P), params(C1, provider), OsRng).unwrap(),
        )
    }

    fn sealed_for(kind: KeyType, recipient: Recipient) -> SealedExport {
        let (mut customer, mut provider) = pair_for(kind, [recipient, recipient]);
        provider.message(&sent(&mut customer)).unwrap();
        customer.message(&sent(&mut provider)).unwrap();
        let Action::Done(Some(Exported::Sealed(sealed))) = customer.poll() else {
            panic!("not sealed")
        };
        sealed
    }

    #[test]
    fn a_sealed_export_is_the_key_for_its_recipient_alone() {
        let (identity, other) = (
            Identity::generate(&mut OsRng),
            Identity::generate(&mut OsRng),
        );
        for kind in [
            KeyType::EcdsaSecp256k1,
            KeyType::Ed25519Exportable,
            KeyType::Ed25519Standard,
        ] {
            let sealed = sealed_for(kind, identity.recipient());
            let key = sealed.open(&identity).unwrap();
            let whole = [P, C1].map(|party| test_shares::load(kind, TwoOfTwo, party).unwrap());
            let whole = RootKey::from_shares(&whole[0], &whole[1]).unwrap();
            assert_eq!(key.account_public_key(), whole.account_public_key());
            match kind {
                KeyType::EcdsaSecp256k1 => assert_eq!(key.xprv(), whole.xprv()),
                _ => assert_eq!(key.ed25519_expanded(), whole.ed25519_expanded()),
            }
            assert_eq!(key.ed25519_seed(), whole.ed25519_seed());
            assert!(sealed.open(&other).is_err());
        }
    }

    #[test]
    fn parts_of_two_exports_or_of_one_half_are_not_put_together() {
        let identity = Identity::generate(&mut OsRng);
        let kind = KeyType::Ed25519Exportable;
        let sealed = sealed_for(kind, identity.recipient());
        let other = sealed_for(KeyType::Ed25519Standard, identity.recipient());
        let (customer, provider) = (&sealed.customer, &sealed.provider);
        for (customer, provider) in [
            (customer, customer),
            (provider, provider),
            (provider, customer),
            (customer, &other.provider),
            (&other.customer, provider),
        ] {
            let (customer, provider) = (customer.clone(), provider.clone());
            let error = SealedExport { customer, provider }
                .open(&identity)
                .unwrap_err();
            assert!(matches!(error, Error::Caller(_)), "{error}");
        }
    }

    /// A token thief between the halves names its own key: the provider, who is told so, does not
    /// get a message that fits.
    #[test]
    fn another_recipient_is_another_session() {
        let (ours, theirs) = (
            Identity::generate(&mut OsRng),
            Identity::generate(&mut OsRng),
        );
        let recipients = [ours.recipient(), theirs.recipient()];
        let (mut customer, mut provider) = pair_for(KeyType::Ed25519Exportable, recipients);
        let error = provider.message(&sent(&mut customer)).unwrap_err();
        assert!(matches!(error, Error::Refused { from: C1, .. }), "{error}");
        // Nor does it get the part in clear by leaving the recipient out.
        let (mut customer, _) = pair_for(KeyType::Ed25519Exportable, recipients);
        let (_, mut provider) = pair(KeyType::Ed25519Exportable, C1);
        assert!(provider.message(&sent(&mut customer)).is_err());
    }

    /// The provider gives another scalar than it holds: named, and no key comes out.
    #[test]
    fn a_part_off_the_public_share_is_refused() {
        let (mut customer, provider) = pair(KeyType::EcdsaSecp256k1, C1);
        let ask = sent(&mut customer);
        let opened = envelope::split_sealed(&ask.body.0).unwrap().1;
        let ask: Ask = decode_from(C1, "", opened).unwrap();
        let secret = StaticSecret::random_from_rng(OsRng);
        let ephemeral = PublicKey::from(&secret).to_bytes();
        let ephemerals = [&ask.ephemeral, &ephemeral];
        let pad = provider.pad(&secret, &ask.ephemeral, ephemerals).unwrap();
        let padded = pad.apply(&[1; 32], &[0; 32]);
        let payload = encode(&Give { ephemeral, padded }).unwrap();
        let ends = Ends { from: P, to: C1 };
        let key = provider.share.channel(C1).unwrap();
        let message = key.seal(&provider.session, Step::Two, ends, &payload);
        let error = customer.message(&message).unwrap_err();
        assert!(matches!(error, Error::Refused { from: P, .. }), "{error}");
    }
}
