//! Signing: the facade over the engines. `SPEC.md`, parts 2 (ECDSA) and 3 (Ed25519).

mod chain;
mod local;
mod session;
mod stage;

use std::sync::Arc;

use halfkey_core::wire::{CeremonyMessage, Operation};
use halfkey_core::{CeremonyId, PartyIndex, Role, Signature, SigningInput};
use rand_core::{CryptoRng, RngCore};

pub use local::local_pair;
#[cfg(feature = "simulate")]
pub(crate) use {chain::Chain as MessageChain, session::id as session_id};

use crate::channel::Ends;
use crate::envelope::{self, Step};
use crate::inbox::Inbox;
use crate::outbox::Outbox;
use crate::rng::BoxRng;
use crate::share::KeyMaterial;
use crate::sign::chain::Chain;
use crate::sign::stage::{Outcome, Stage};
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
pub struct Sign {
    share: Arc<KeyShare>,
    params: SignParams,
    session: [u8; 32],
    chain: Chain,
    rng: BoxRng,
    stage: Stage,
    inbox: Inbox,
    outbox: Outbox<Option<Signature>>,
}

halfkey_core::redacted_debug!(Sign);

/// Which side of a signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seat {
    Initiator,
    Responder,
}

impl Sign {
    /// The side that speaks first and always obtains the signature: the customer (in the local
    /// check of custody rule 3, the customer's first party).
    ///
    /// # Errors
    /// When the input does not fit the key type or the counterparty not the scheme.
    pub fn initiator(
        share: Arc<KeyShare>,
        params: SignParams,
        rng: impl RngCore + CryptoRng + Send + 'static,
    ) -> Result<Self, Error> {
        let mut sign = Self::new(share, params, Seat::Initiator, BoxRng::new(rng))?;
        // Steps 2.1 and 3.1.
        let (stage, payload) =
            Stage::open(&sign.share, &sign.params, &sign.session, &mut sign.rng)?;
        sign.stage = stage;
        sign.send(Step::One, &payload)?;
        Ok(sign)
    }

    /// The side that answers. Yields the signature for ECDSA, `None` for Ed25519, where its part
    /// ends with its only message.
    ///
    /// # Errors
    /// As [`Self::initiator`].
    pub fn responder(
        share: Arc<KeyShare>,
        params: SignParams,
        rng: impl RngCore + CryptoRng + Send + 'static,
    ) -> Result<Self, Error> {
        Self::new(share, params, Seat::Responder, BoxRng::new(rng))
    }

    fn new(
        share: Arc<KeyShare>,
        params: SignParams,
        seat: Seat,
        rng: BoxRng,
    ) -> Result<Self, Error> {
        let own = share.header().party;
        check_pair(&share, seat, own, params.counterparty)?;
        match (share.material(), &params.input) {
            (KeyMaterial::Ecdsa(_), SigningInput::Digest(_))
            | (KeyMaterial::Ed25519(_), SigningInput::Message(_)) => {}
            (KeyMaterial::Ecdsa(_), SigningInput::Message(_)) => {
                return Err(Error::Caller("an ECDSA key signs a digest"));
            }
            (KeyMaterial::Ed25519(_), SigningInput::Digest(_)) => {
                return Err(Error::Caller(
                    "an Ed25519 key signs the message, never a digest",
                ));
            }
        }
        let session = session::id(share.header(), &params, seat);
        let chain = Chain::new(&session);
        let (stage, inbox, outbox) = (Stage::Waiting, Inbox::default(), Outbox::new());
        Ok(Self {
            share,
            params,
            session,
            chain,
            rng,
            stage,
            inbox,
            outbox,
        })
    }

    fn send(&mut self, step: Step, payload: &[u8]) -> Result<(), Error> {
        let ends = Ends {
            from: self.share.header().party,
            to: self.params.counterparty,
        };
        let key = self.share.channel(self.params.counterparty)?;
        let message = key.seal(self.chain.head(), step, ends, payload);
        self.chain.extend(&message)?;
        self.outbox.send(vec![message]);
        Ok(())
    }

    /// Whose side this is.
    #[cfg(feature = "simulate")]
    pub(crate) fn party(&self) -> PartyIndex {
        self.share.header().party
    }

    fn take(&mut self, message: &CeremonyMessage) -> Result<(), Error> {
        let own = self.share.header().party;
        let from = self.params.counterparty;
        // Steps 2.2 and 3.2: everything here is benign, and before the engine (custody rule 15).
        envelope::check_ends(message, own, &[from])?;
        let step = envelope::step_of(message)?;
        if self.inbox.has_taken(step, message) {
            return Ok(());
        }
        if self.outbox.is_over() {
            return Err(Error::Refused {
                from,
                what: "the ceremony is over",
            });
        }
        if self.stage.expects() != Some(step) {
            return Err(Error::Refused {
                from,
                what: "out of order",
            });
        }
        let key = self.share.channel(from)?;
        let ends = Ends { from, to: own };
        let payload = key.open(self.chain.head(), step, ends, &message.body.0)?;
        self.chain.extend(message)?;
        self.inbox.mark(step, message);
        let stage = core::mem::replace(&mut self.stage, Stage::Over);
        let share = Arc::clone(&self.share);
        match stage.step(&share, &self.params, &self.session, payload, &mut self.rng)? {
            Outcome::Reply {
                step,
                payload,
                next,
            } => {
                self.stage = next;
                self.send(step, &payload)
            }
            Outcome::LastReply {
                step,
                payload,
                result,
            } => {
                self.send(step, &payload)?;
                self.outbox.done(result);
                Ok(())
            }
            Outcome::Done(signature) => {
                self.outbox.done(Some(signature));
                Ok(())
            }
        }
    }
}

/// Who signs with whom: a customer initiates; the provider, or in the local check the customer's
/// second party, responds.
fn check_pair(
    share: &KeyShare,
    seat: Seat,
    own: PartyIndex,
    counterparty: PartyIndex,
) -> Result<(), Error> {
    if own == counterparty || !counterparty.is_in(share.header().scheme) {
        return Err(Error::Caller(
            "the counterparty is no other party of the scheme",
        ));
    }
    let (initiator, responder) = match seat {
        Seat::Initiator => (own, counterparty),
        Seat::Responder => (counterparty, own),
    };
    let fits = initiator.role() == Role::Customer
        && (responder.role() == Role::Provider || initiator < responder);
    if fits {
        Ok(())
    } else {
        Err(Error::Caller("these parties do not sign in these seats"))
    }
}

impl Ceremony for Sign {
    type Output = Option<Signature>;

    fn message(&mut self, message: &CeremonyMessage) -> Result<(), Error> {
        let taken = self.take(message);
        if let (Err(error), false) = (&taken, self.outbox.is_over()) {
            self.stage = Stage::Over;
            self.outbox.fail(error.clone());
        }
        taken
    }

    fn poll(&mut self) -> Action<Option<Signature>> {
        self.outbox.poll()
    }
}
