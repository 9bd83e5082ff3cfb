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
pub(crate) struct CommitmentsMessage {
    pub(crate) hiding: [u8; 32],
    pub(crate) binding: [u8; 32],
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ResponseMessage {
    pub(crate) commitments: CommitmentsMessage,
    pub(crate) signature_share: [u8; 32],
}

/// The initiator's nonces: consumed by the step that uses them, wiped on drop (custody rule 18).
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

    /// Steps 3.3 and 3.4 (responder): fresh nonces, signature share, and nothing kept.
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

#[cfg(test)]
mod tests {
    use frost_core::round1::Nonce;
    use frost_ed25519::keys::{KeyPackage, PublicKeyPackage, SigningShare, VerifyingShare};

    use super::*;

    fn bytes(text: &str) -> [u8; 32] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    const GROUP_KEY: &str = "15d21ccd7ee42959562fc8aa63224c8851fb3ec85a3faf66040d380fb9738673";
    const SHARES: [&str; 3] = [
        "929dcc590407aae7d388761cddb0c0db6f5627aea8e217f4a033f2ec83d93509",
        "a91e66e012e4364ac9aaa405fcafd370402d9859f7b6685c07eed76bf409e80d",
        "d3cb090a075eb154e82fdb4b3cb507f110040905468bb9c46da8bdea643a9a02",
    ];

    fn share() -> Ed25519Share {
        let mut verifying = BTreeMap::new();
        for (index, share) in (1_u8..).zip(SHARES) {
            let share = SigningShare::deserialize(&bytes(share)).unwrap();
            let id = identifier(PartyIndex::try_from(index).unwrap()).unwrap();
            verifying.insert(id, VerifyingShare::from(share));
        }
        let own = identifier(PartyIndex::PROVIDER).unwrap();
        let key = frost_ed25519::VerifyingKey::deserialize(&bytes(GROUP_KEY)).unwrap();
        let signing = SigningShare::deserialize(&bytes(SHARES[0])).unwrap();
        Ed25519Share {
            key: KeyPackage::new(own, signing, verifying[&own], key, 2),
            public: PublicKeyPackage::new(verifying, key, Some(2)),
            seed: None,
            provider_seed: None,
        }
    }

    /// RFC 9591, appendix E.1: participants 1 and 3 are our parties 1 and 3.
    #[test]
    fn rfc_9591_vector() {
        let share = share();
        let signing = Ed25519Signing {
            share: &share,
            message: b"test",
            own: PartyIndex::PROVIDER,
            counterparty: PartyIndex::CUSTOMER_2,
        };
        let nonce = |text| Nonce::deserialize(&bytes(text)).unwrap();
        let nonces = SigningNonces::from_nonces(
            nonce("ef6599dea4010581a72b3018c37c29a4341d7cab0773e8687ca74dcf14009701"),
            nonce("2baadfa0c69aa60d517ad4751de372a73f9d89cfc39026601f18458cdec12605"),
        );
        let payload = encode(&ResponseMessage {
            commitments: CommitmentsMessage {
                hiding: bytes("e679a2a971748ccfaabead4dbe8ac1def61275c186c79d471e1e45091ad1e687"),
                binding: bytes("b2a942478453fabb6bd3181c56ba657413447b4136e1daea2484d396d1a516b3"),
            },
            signature_share: bytes(
                "79390e78bc59699c7af831f8f5fb478ec871a85f561a8641b5670ac4443f720f",
            ),
        })
        .unwrap();
        let signature = signing
            .finish(AfterCommitting { nonces }, &payload)
            .unwrap();
        let expected = [
            bytes("154fb694ee7fcb37bf2381d94488c2a84b03b3352ad085feca81ad26d45852b7"),
            bytes("ecfe971ce4da95c4a95db93ac376b053897fca212ef85f99cf696bffeb178f07"),
        ];
        assert_eq!(
            signature,
            Signature::Ed25519(expected.concat().try_into().unwrap())
        );
    }
}
