//! DKLs23 signing on the engine's phases: `M1c` → `M1s, M2s` → `M2c, M3c` → `M3s`.
//!
//! Each state is consumed by its step, so that no kept value is ever used twice (custody rule 18);
//! what the engine keeps is wiped on drop.

use std::collections::BTreeMap;

use dkls23_core::protocols as engine;
use dkls23_core::protocols::signing::{
    Broadcast3to4, KeepPhase1to2, KeepPhase2to3, SignData, TransmitPhase1to2, TransmitPhase2to3,
    UniqueKeep1to2, UniqueKeep2to3,
};
use halfkey_core::{PartyIndex, Signature};
use k256::Secp256k1;
use k256::ecdsa::{RecoveryId, VerifyingKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::Error;
use crate::codec::{decode_from, encode_message};
use crate::ecdsa::messages::{check_first, check_second};
use crate::ecdsa::share::EcdsaShare;
use crate::ecdsa::{abort, engine_index};
use crate::rng::reseed_engine;

/// Encoded lengths in bytes of the four messages, rounded up.
const FIRST_LEN: usize = 27_000;
const RESPONDER_LEN: usize = 83_000;
const INITIATOR_LEN: usize = 56_000;
const THIRD_LEN: usize = 80;

/// What one signature is about.
pub(crate) struct EcdsaSigning<'a> {
    pub(crate) share: &'a EcdsaShare,
    pub(crate) session: &'a [u8; 32],
    pub(crate) digest: &'a [u8; 32],
    pub(crate) counterparty: PartyIndex,
}

/// Step 2.4 on the wire: the responder's rounds 1 and 2.
#[derive(Serialize, Deserialize)]
pub(crate) struct ResponderRounds {
    pub(crate) first: TransmitPhase1to2,
    pub(crate) second: TransmitPhase2to3<Secp256k1>,
}

/// Step 2.6 on the wire: the initiator's rounds 2 and 3.
#[derive(Serialize, Deserialize)]
pub(crate) struct InitiatorRounds {
    pub(crate) second: TransmitPhase2to3<Secp256k1>,
    pub(crate) third: Broadcast3to4<Secp256k1>,
}

type Payload = Zeroizing<Vec<u8>>;

/// After phase 1.
pub(crate) struct AfterFirst {
    unique: UniqueKeep1to2<Secp256k1>,
    kept: BTreeMap<engine::PartyIndex, KeepPhase1to2<Secp256k1>>,
}

/// After phase 2.
pub(crate) struct AfterSecond {
    unique: UniqueKeep2to3<Secp256k1>,
    kept: BTreeMap<engine::PartyIndex, KeepPhase2to3<Secp256k1>>,
}

/// After phase 3.
pub(crate) struct AfterThird {
    x_coordinate: String,
    own: Broadcast3to4<Secp256k1>,
}

impl EcdsaSigning<'_> {
    /// Step 2.1 (initiator): phase 1.
    pub(crate) fn open(&self) -> Result<(AfterFirst, Payload), Error> {
        let (state, message) = self.phase1()?;
        Ok((state, encode_message(&message, FIRST_LEN)?))
    }

    /// Steps 2.3 and 2.4 (responder): phases 1 and 2.
    pub(crate) fn respond(&self, payload: &[u8]) -> Result<(AfterSecond, Payload), Error> {
        let received: TransmitPhase1to2 = self.decode(payload)?;
        check_first(&received, self.counterparty)?;
        let (state, first) = self.phase1()?;
        let (state, second) = self.phase2(state, received)?;
        Ok((
            state,
            encode_message(&ResponderRounds { first, second }, RESPONDER_LEN)?,
        ))
    }

    /// Steps 2.5 and 2.6 (initiator): phases 2 and 3.
    pub(crate) fn proceed(
        &self,
        state: AfterFirst,
        payload: &[u8],
    ) -> Result<(AfterThird, Payload), Error> {
        let received: ResponderRounds = self.decode(payload)?;
        check_first(&received.first, self.counterparty)?;
        check_second(&received.second, self.counterparty)?;
        let (state, second) = self.phase2(state, received.first)?;
        let state = self.phase3(state, received.second)?;
        let rounds = InitiatorRounds {
            second,
            third: state.own.clone(),
        };
        let payload = encode_message(&rounds, INITIATOR_LEN)?;
        Ok((state, payload))
    }

    /// Steps 2.7 and 2.8 (responder): phases 3 and 4.
    pub(crate) fn conclude(
        &self,
        state: AfterSecond,
        payload: &[u8],
    ) -> Result<(Signature, Payload), Error> {
        let received: InitiatorRounds = self.decode(payload)?;
        check_second(&received.second, self.counterparty)?;
        let state = self.phase3(state, received.second)?;
        let payload = encode_message(&state.own, THIRD_LEN)?;
        Ok((self.phase4(state, received.third)?, payload))
    }

    /// Step 2.9 (initiator): phase 4.
    pub(crate) fn finish(&self, state: AfterThird, payload: &[u8]) -> Result<Signature, Error> {
        let received = self.decode(payload)?;
        self.phase4(state, received)
    }

    fn decode<T: serde::de::DeserializeOwned>(&self, payload: &[u8]) -> Result<T, Error> {
        decode_from(self.counterparty, "malformed", payload)
    }

    fn data(&self) -> Result<SignData, Error> {
        Ok(SignData {
            sign_id: self.session.to_vec(),
            counterparties: vec![engine_index(self.counterparty)?],
            message_hash: *self.digest,
        })
    }

    fn aborted(&self) -> impl Fn(engine::Abort) -> Error {
        let counterparty = self.counterparty;
        move |found| abort::of_sign(&found, counterparty)
    }

    fn phase1(&self) -> Result<(AfterFirst, TransmitPhase1to2), Error> {
        reseed_engine()?;
        let (unique, kept, out) = self
            .share
            .account()
            .sign_phase1(&self.data()?)
            .map_err(self.aborted())?;
        Ok((AfterFirst { unique, kept }, only(out)?))
    }

    fn phase2(
        &self,
        state: AfterFirst,
        received: TransmitPhase1to2,
    ) -> Result<(AfterSecond, TransmitPhase2to3<Secp256k1>), Error> {
        reseed_engine()?;
        let (unique, kept, out) = self
            .share
            .account()
            .sign_phase2(&self.data()?, state.unique, state.kept, &[received])
            .map_err(self.aborted())?;
        Ok((AfterSecond { unique, kept }, only(out)?))
    }

    fn phase3(
        &self,
        state: AfterSecond,
        received: TransmitPhase2to3<Secp256k1>,
    ) -> Result<AfterThird, Error> {
        let (x_coordinate, own) = self
            .share
            .account()
            .sign_phase3(&self.data()?, state.unique, state.kept, &[received])
            .map_err(self.aborted())?;
        Ok(AfterThird { x_coordinate, own })
    }

    fn phase4(
        &self,
        state: AfterThird,
        received: Broadcast3to4<Secp256k1>,
    ) -> Result<Signature, Error> {
        let (s, recovery_id) = self
            .share
            .account()
            .sign_phase4(
                &self.data()?,
                &state.x_coordinate,
                &[state.own, received],
                true,
            )
            .map_err(self.aborted())?;
        verified(
            self.share,
            self.digest,
            &state.x_coordinate,
            &s,
            recovery_id,
        )
    }
}

fn only<T>(messages: Vec<T>) -> Result<T, Error> {
    let mut messages = messages.into_iter();
    match (messages.next(), messages.next()) {
        (Some(message), None) => Ok(message),
        _ => Err(Error::Bug(
            "the engine speaks to more than one counterparty",
        )),
    }
}

/// Step 2.10: the signature, once it recovers to the account key under its recovery id.
fn verified(
    share: &EcdsaShare,
    digest: &[u8; 32],
    r: &str,
    s: &str,
    recovery_id: u8,
) -> Result<Signature, Error> {
    let mut bytes = [0_u8; 64];
    let (r_bytes, s_bytes) = bytes.split_at_mut(32);
    let decoded = hex::decode_to_slice(r, r_bytes).and_then(|()| hex::decode_to_slice(s, s_bytes));
    decoded.map_err(|_| Error::Bug("the engine's signature is no hexadecimal"))?;
    let signature = k256::ecdsa::Signature::from_slice(&bytes).map_err(|_| Error::Suspect)?;
    let id = RecoveryId::from_byte(recovery_id).ok_or(Error::Bug("recovery id above three"))?;
    let key =
        VerifyingKey::recover_from_prehash(digest, &signature, id).map_err(|_| Error::Suspect)?;
    // An x coordinate above the group order (bit 1) has no place in any chain's format, and nobody
    // will ever see one.
    if *key.as_affine() != share.account().pk
        || signature.normalize_s() != signature
        || recovery_id > 1
    {
        return Err(Error::Suspect);
    }
    let (r, s) = signature.split_bytes();
    Ok(Signature::Ecdsa {
        r: r.into(),
        s: s.into(),
        recovery_id,
    })
}
