//! FROST signing in one round trip: commitments → commitments and signature share.

use std::collections::BTreeMap;

use frost_ed25519::round1::{self, SigningCommitments, SigningNonces};
use frost_ed25519::round2::{self, SignatureShare};
use frost_ed25519::{SigningPackage, aggregate};
use halfkey_core::{PartyIndex, Signature};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::codec::{decode_from, encode};
use crate::ed25519::identifier;
use crate::ed25519::share::{Ed25519Share, to_32};
use crate::rng::BoxRng;

/// What one signature is about.
pub(crate) struct Ed25519Signing<'a> {
    pub(crate) share: &'a Ed25519Share,
    pub(crate) message: &'a [u8],
    pub(crate) own: PartyIndex,
    pub(crate) counterparty: PartyIndex,
}

/// Hiding and binding nonce commitments.
#[derive(Serialize, Deserialize)]
struct CommitmentsMessage {
    hiding: [u8; 32],
    binding: [u8; 32],
}

#[derive(Serialize, Deserialize)]
struct ResponseMessage {
    commitments: CommitmentsMessage,
    signature_share: [u8; 32],
}

/// The initiator's nonces: consumed by the one step that uses them, wiped on drop (custody rule 18).
pub(crate) struct AfterCommitting {
    nonces: SigningNonces,
}

impl Ed25519Signing<'_> {
    /// Step 3.1 (initiator): fresh nonces.
    pub(crate) fn open(&self, rng: &mut BoxRng) -> Result<(AfterCommitting, Vec<u8>), Error> {
        let (nonces, commitments) = round1::commit(self.share.key.signing_share(), rng);
        let payload = encode(&CommitmentsMessage::of(&commitments)?)?.to_vec();
        Ok((AfterCommitting { nonces }, payload))
    }

    /// Step 3.3 (responder): fresh nonces, signature share, and nothing kept.
    pub(crate) fn respond(&self, payload: &[u8], rng: &mut BoxRng) -> Result<Vec<u8>, Error> {
        let theirs = self.commitments(&self.decode(payload)?)?;
        let (nonces, commitments) = round1::commit(self.share.key.signing_share(), rng);
        let package = self.package(&commitments, &theirs)?;
        let share = round2::sign(&package, &nonces, &self.share.key)
            .map_err(|_| self.refused("nonce commitments"))?;
        drop(nonces);
        let response = ResponseMessage {
            commitments: CommitmentsMessage::of(&commitments)?,
            signature_share: to_32(Ok(share.serialize()))?,
        };
        Ok(encode(&response)?.to_vec())
    }

    /// Step 3.5 (initiator): own signature share, aggregation and verification.
    pub(crate) fn finish(
        &self,
        state: AfterCommitting,
        payload: &[u8],
    ) -> Result<Signature, Error> {
        let response: ResponseMessage = self.decode(payload)?;
        let theirs = self.commitments(&response.commitments)?;
        let their_share = SignatureShare::deserialize(&response.signature_share)
            .map_err(|_| self.refused("signature share out of range"))?;
        let own_commitments = SigningCommitments::from(&state.nonces);
        let package = self.package(&own_commitments, &theirs)?;
        let own_share = round2::sign(&package, &state.nonces, &self.share.key)
            .map_err(|_| self.refused("nonce commitments"))?;
        drop(state);
        let shares = BTreeMap::from([
            (identifier(self.own)?, own_share),
            (identifier(self.counterparty)?, their_share),
        ]);
        let signature = aggregate(&package, &shares, &self.share.public)
            .map_err(|error| self.not_aggregated(&error))?;
        let bytes = signature.serialize().map_err(|_| Error::Suspect)?;
        self.verified(bytes.as_slice().try_into().map_err(|_| Error::Suspect)?)
    }

    /// Step 3.6: the signature, once a strict verifier accepts it under the wallet's key.
    fn verified(&self, bytes: [u8; 64]) -> Result<Signature, Error> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(&self.share.public_key()?)
            .map_err(|_| Error::Bug("the group key is no Ed25519 key"))?;
        key.verify_strict(self.message, &ed25519_dalek::Signature::from_bytes(&bytes))
            .map_err(|_| Error::Suspect)?;
        Ok(Signature::Ed25519(bytes))
    }

    fn decode<T: serde::de::DeserializeOwned>(&self, payload: &[u8]) -> Result<T, Error> {
        decode_from(self.counterparty, "malformed", payload)
    }

    const fn refused(&self, what: &'static str) -> Error {
        Error::Refused {
            from: self.counterparty,
            what,
        }
    }

    /// A signature share that fails is proof of cheating, but nothing is reused that it could have
    /// probed, so it costs the ceremony and not the wallet.
    fn not_aggregated(&self, error: &frost_ed25519::Error) -> Error {
        let theirs = identifier(self.counterparty);
        match error.culprits().first() {
            Some(culprit) if theirs.is_ok_and(|id| id == *culprit) => {
                self.refused("signature share does not verify")
            }
            Some(_) => Error::Bug("our own signature share does not verify"),
            None => Error::Suspect,
        }
    }

    fn commitments(&self, message: &CommitmentsMessage) -> Result<SigningCommitments, Error> {
        let nonce = |bytes: &[u8; 32]| {
            round1::NonceCommitment::deserialize(bytes)
                .map_err(|_| self.refused("nonce commitment out of range"))
        };
        Ok(SigningCommitments::new(
            nonce(&message.hiding)?,
            nonce(&message.binding)?,
        ))
    }

    fn package(
        &self,
        own: &SigningCommitments,
        theirs: &SigningCommitments,
    ) -> Result<SigningPackage, Error> {
        let commitments = BTreeMap::from([
            (identifier(self.own)?, *own),
            (identifier(self.counterparty)?, *theirs),
        ]);
        Ok(SigningPackage::new(commitments, self.message))
    }
}

impl CommitmentsMessage {
    fn of(commitments: &SigningCommitments) -> Result<Self, Error> {
        Ok(Self {
            hiding: to_32(commitments.hiding().serialize())?,
            binding: to_32(commitments.binding().serialize())?,
        })
    }
}
