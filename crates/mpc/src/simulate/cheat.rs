//! A peer that holds its share and its channel key and deviates from the protocol in one message.

use std::sync::Arc;

use dkls23_core::protocols::signing::{Broadcast3to4, TransmitPhase1to2, TransmitPhase2to3};
use halfkey_core::Signature;
use halfkey_core::wire::CeremonyMessage;
use k256::{AffinePoint, Scalar, Secp256k1};
use rand_core::{CryptoRng, RngCore};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Forge;
use crate::codec::{decode, encode};
use crate::ecdsa::sign::{InitiatorRounds, ResponderRounds};
use crate::ed25519::sign::ResponseMessage;
use crate::share::KeyMaterial;
use crate::sign::{Sign, SignParams};
use crate::{Action, Ceremony, Error, KeyShare};

/// Where a cheat deviates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cheat {
    /// ECDSA round 1: every row of the OT extension is wrong, so that the check cannot miss it.
    OtExtension,
    /// ECDSA round 2: the multiplication's check value is wrong.
    Multiplication,
    /// ECDSA round 2: the instance key's check point is wrong.
    InstanceKey,
    /// ECDSA round 2: the key share's check point is wrong.
    KeyShare,
    /// ECDSA round 3 or the Ed25519 signature share: a wrong last value.
    LastValue,
}

impl Cheat {
    /// Every cheat that the engine proves (custody rule 13).
    pub const PROVEN: [Self; 4] = [
        Self::OtExtension,
        Self::Multiplication,
        Self::InstanceKey,
        Self::KeyShare,
    ];
}

/// A [`Sign`] that cheats. It sends what an honest one would, save for one field.
#[derive(Debug)]
pub struct CheatingSign {
    honest: Sign,
    forge: Forge,
    is_ecdsa: bool,
    is_initiator: bool,
    cheat: Cheat,
}

impl CheatingSign {
    /// A cheating customer.
    ///
    /// # Errors
    /// As [`Sign::initiator`].
    pub fn initiator(
        share: Arc<KeyShare>,
        params: SignParams,
        rng: impl RngCore + CryptoRng + Send + 'static,
        cheat: Cheat,
    ) -> Result<Self, Error> {
        let forge = Forge::new(Arc::clone(&share), &params, true);
        let is_ecdsa = matches!(share.material(), KeyMaterial::Ecdsa(_));
        let honest = Sign::initiator(share, params, rng)?;
        Ok(Self {
            honest,
            forge,
            is_ecdsa,
            is_initiator: true,
            cheat,
        })
    }

    /// A cheating provider.
    ///
    /// # Errors
    /// As [`Sign::responder`].
    pub fn responder(
        share: Arc<KeyShare>,
        params: SignParams,
        rng: impl RngCore + CryptoRng + Send + 'static,
        cheat: Cheat,
    ) -> Result<Self, Error> {
        let forge = Forge::new(Arc::clone(&share), &params, false);
        let is_ecdsa = matches!(share.material(), KeyMaterial::Ecdsa(_));
        let honest = Sign::responder(share, params, rng)?;
        Ok(Self {
            honest,
            forge,
            is_ecdsa,
            is_initiator: false,
            cheat,
        })
    }

    fn bend(&self, message: &CeremonyMessage) -> Result<CeremonyMessage, Error> {
        let payload = self.forge.open(message)?;
        let step = message.body.0.get(1).copied().unwrap_or_default();
        let cheat = self.cheat;
        let bent = match (self.is_ecdsa, self.is_initiator, step) {
            (true, true, 1) => with(payload, |first| bend_first(first, cheat)),
            (true, false, 2) => with(payload, |rounds: &mut ResponderRounds| {
                bend_first(&mut rounds.first, cheat);
                bend_second(&mut rounds.second, cheat);
            }),
            (true, true, 3) => with(payload, |rounds: &mut InitiatorRounds| {
                bend_second(&mut rounds.second, cheat);
                bend_third(&mut rounds.third, cheat);
            }),
            (true, false, 4) => with(payload, |third| bend_third(third, cheat)),
            (false, false, 2) => with(payload, |response: &mut ResponseMessage| {
                if cheat == Cheat::LastValue {
                    response.signature_share = [1; 32];
                }
            }),
            _ => Ok(payload.to_vec()),
        }?;
        self.forge.reseal(message, &bent)
    }
}

fn with<T: Serialize + DeserializeOwned>(
    payload: &[u8],
    bend: impl FnOnce(&mut T),
) -> Result<Vec<u8>, Error> {
    let mut value: T = decode(payload).ok_or(Error::Bug("own message does not decode"))?;
    bend(&mut value);
    Ok(encode(&value)?.to_vec())
}

fn bend_first(message: &mut TransmitPhase1to2, cheat: Cheat) {
    if cheat == Cheat::OtExtension {
        for row in &mut message.mul_transmit.u {
            for byte in row {
                *byte ^= 1;
            }
        }
    }
}

fn bend_second(message: &mut TransmitPhase2to3<Secp256k1>, cheat: Cheat) {
    match cheat {
        Cheat::Multiplication => message.mul_transmit.verify_r = [0; 32],
        Cheat::InstanceKey => message.gamma_u = AffinePoint::GENERATOR,
        Cheat::KeyShare => message.gamma_v = AffinePoint::GENERATOR,
        Cheat::OtExtension | Cheat::LastValue => {}
    }
}

fn bend_third(message: &mut Broadcast3to4<Secp256k1>, cheat: Cheat) {
    if cheat == Cheat::LastValue {
        message.w = Scalar::ONE;
    }
}

impl Ceremony for CheatingSign {
    type Output = Option<Signature>;

    fn message(&mut self, message: &CeremonyMessage) -> Result<(), Error> {
        self.honest.message(message)?;
        self.forge.observe(message)
    }

    fn poll(&mut self) -> Action<Option<Signature>> {
        match self.honest.poll() {
            Action::Send(messages) => {
                let mut bent = Vec::new();
                for message in &messages {
                    match self
                        .bend(message)
                        .and_then(|m| self.forge.observe(message).map(|()| m))
                    {
                        Ok(message) => bent.push(message),
                        Err(error) => return Action::Failed(error),
                    }
                }
                Action::Send(bent)
            }
            other => other,
        }
    }
}
