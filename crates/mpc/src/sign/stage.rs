//! Where a signature stands, and the step out of each place.

use halfkey_core::{Signature, SigningInput};
use zeroize::Zeroizing;

use super::SignParams;
use crate::ecdsa::sign::{AfterFirst, AfterSecond, AfterThird, EcdsaSigning};
use crate::ed25519::sign::{AfterCommitting, Ed25519Signing};
use crate::envelope::Step;
use crate::rng::BoxRng;
use crate::share::KeyMaterial;
use crate::{Error, KeyShare};

/// Where a signature stands. Each step consumes it (custody rule 18).
pub(super) enum Stage {
    /// A responder that has heard nothing yet.
    Waiting,
    /// ECDSA initiator, M1 sent.
    EcdsaOpened(Box<AfterFirst>),
    /// ECDSA responder, M2 sent.
    EcdsaResponded(Box<AfterSecond>),
    /// ECDSA initiator, M3 sent.
    EcdsaProceeded(Box<AfterThird>),
    /// Ed25519 initiator, commitments sent.
    Ed25519Opened(Box<AfterCommitting>),
    /// Ended; everything is wiped.
    Over,
}

/// What a step leads to.
pub(super) enum Outcome {
    /// Say this and wait on.
    Reply {
        step: Step,
        payload: Zeroizing<Vec<u8>>,
        next: Stage,
    },
    /// Say this; that was it.
    LastReply {
        step: Step,
        payload: Zeroizing<Vec<u8>>,
        result: Option<Signature>,
    },
    /// Nothing more to say.
    Done(Signature),
}

enum Signing<'a> {
    Ecdsa(EcdsaSigning<'a>),
    Ed25519(Ed25519Signing<'a>),
}

fn signing<'a>(
    share: &'a KeyShare,
    params: &'a SignParams,
    session: &'a [u8; 32],
) -> Result<Signing<'a>, Error> {
    let counterparty = params.counterparty;
    match (share.material(), &params.input) {
        (KeyMaterial::Ecdsa(share), SigningInput::Digest(digest)) => {
            Ok(Signing::Ecdsa(EcdsaSigning {
                share,
                session,
                digest,
                counterparty,
            }))
        }
        (KeyMaterial::Ed25519(material), SigningInput::Message(message)) => {
            let own = share.header().party;
            Ok(Signing::Ed25519(Ed25519Signing {
                share: material,
                message,
                own,
                counterparty,
            }))
        }
        _ => Err(Error::Bug("the input was checked to fit the key")),
    }
}

impl Stage {
    /// The step whose message is awaited.
    pub(super) const fn expects(&self) -> Option<Step> {
        match self {
            Self::Waiting => Some(Step::One),
            Self::EcdsaOpened(_) | Self::Ed25519Opened(_) => Some(Step::Two),
            Self::EcdsaResponded(_) => Some(Step::Three),
            Self::EcdsaProceeded(_) => Some(Step::Four),
            Self::Over => None,
        }
    }

    /// The initiator's first message.
    pub(super) fn open(
        share: &KeyShare,
        params: &SignParams,
        session: &[u8; 32],
        rng: &mut BoxRng,
    ) -> Result<(Self, Zeroizing<Vec<u8>>), Error> {
        match signing(share, params, session)? {
            Signing::Ecdsa(signing) => {
                let (state, payload) = signing.open()?;
                Ok((Self::EcdsaOpened(Box::new(state)), payload))
            }
            Signing::Ed25519(signing) => {
                let (state, payload) = signing.open(rng)?;
                Ok((
                    Self::Ed25519Opened(Box::new(state)),
                    Zeroizing::new(payload),
                ))
            }
        }
    }

    /// The step that an authentic message of the expected number leads to.
    pub(super) fn step(
        self,
        share: &KeyShare,
        params: &SignParams,
        session: &[u8; 32],
        payload: &[u8],
        rng: &mut BoxRng,
    ) -> Result<Outcome, Error> {
        match (self, signing(share, params, session)?) {
            (Self::Waiting, Signing::Ecdsa(signing)) => {
                let (state, payload) = signing.respond(payload)?;
                let next = Self::EcdsaResponded(Box::new(state));
                Ok(Outcome::Reply {
                    step: Step::Two,
                    payload,
                    next,
                })
            }
            (Self::EcdsaOpened(state), Signing::Ecdsa(signing)) => {
                let (state, payload) = signing.proceed(*state, payload)?;
                let next = Self::EcdsaProceeded(Box::new(state));
                Ok(Outcome::Reply {
                    step: Step::Three,
                    payload,
                    next,
                })
            }
            (Self::EcdsaResponded(state), Signing::Ecdsa(signing)) => {
                let (signature, payload) = signing.conclude(*state, payload)?;
                let result = Some(signature);
                Ok(Outcome::LastReply {
                    step: Step::Four,
                    payload,
                    result,
                })
            }
            (Self::EcdsaProceeded(state), Signing::Ecdsa(signing)) => {
                signing.finish(*state, payload).map(Outcome::Done)
            }
            (Self::Waiting, Signing::Ed25519(signing)) => {
                let payload = Zeroizing::new(signing.respond(payload, rng)?);
                Ok(Outcome::LastReply {
                    step: Step::Two,
                    payload,
                    result: None,
                })
            }
            (Self::Ed25519Opened(state), Signing::Ed25519(signing)) => {
                signing.finish(*state, payload).map(Outcome::Done)
            }
            _ => Err(Error::Bug("a stage of another engine")),
        }
    }
}
