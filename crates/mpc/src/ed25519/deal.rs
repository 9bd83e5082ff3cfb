//! Keygen of an exportable key: the customer's first party deals a seed (mpc design "B").
//!
//! The provider contributes fresh bytes and receives its key share, verified against the dealer's
//! polynomial commitment, and its seed share, both under a one-time pad of the pair. It never sees
//! the seed, the scalar or another party's share.

use std::collections::{BTreeMap, BTreeSet};

use frost_ed25519::SigningKey;
use frost_ed25519::keys::{
    self, IdentifierList, KeyPackage, PublicKeyPackage, SecretShare, SigningShare,
    VerifiableSecretSharingCommitment,
};
use halfkey_core::{PartyIndex, ShareSetId, ThresholdSignatureScheme};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::Error;
use crate::channel::DealPad;
use crate::codec::{decode_from, encode};
use crate::ed25519::identifier;
use crate::ed25519::seed::{Seed, SeedShare};
use crate::ed25519::share::Ed25519Share;
use crate::keygen::engine::{AllIncoming, Engine, Incoming, Outgoing, Session, part_of};
use crate::rng::{BoxRng, draw_32};
use crate::share::KeyMaterial;

/// Who deals: present in every scheme.
const DEALER: PartyIndex = PartyIndex::CUSTOMER_1;

/// One party's part in dealing.
pub(crate) struct Deal {
    scheme: ThresholdSignatureScheme,
    own: PartyIndex,
    share_set: ShareSetId,
    /// A seed made elsewhere, which the dealer deals instead of a drawn one.
    imported: Option<Seed>,
    /// The dealer's own share, from dealing to the end.
    dealt: Option<Ed25519Share>,
}

/// What the dealer sends each other party.
#[derive(Serialize, Deserialize)]
struct DealtMessage {
    /// The dealer's polynomial commitment, constant term first.
    commitment: Vec<[u8; 32]>,
    /// Key share ‖ seed share, under the pair's pad.
    padded: (/* key */ [u8; 32], /* seed */ [u8; 32]),
    /// For the customer's second party: the hash of the provider's seed share.
    provider_seed: Option<[u8; 32]>,
}

impl Deal {
    pub(crate) const fn new(
        scheme: ThresholdSignatureScheme,
        own: PartyIndex,
        share_set: ShareSetId,
    ) -> Self {
        Self {
            scheme,
            own,
            share_set,
            imported: None,
            dealt: None,
        }
    }

    /// The same, for a seed made elsewhere.
    pub(crate) fn importing(mut self, seed: Option<Seed>) -> Self {
        self.imported = seed;
        self
    }

    /// Step 1.8: draws the seed, splits it, keeps the own part.
    fn deal(
        &mut self,
        session: &Session,
        contribution: &[u8; 32],
        pads: &BTreeMap<PartyIndex, DealPad>,
        rng: &mut BoxRng,
    ) -> Result<Outgoing, Error> {
        const FROST: Error = Error::Bug("FROST does not split a scalar");
        let seed = if let Some(seed) = self.imported.take() {
            seed
        } else {
            let drawn = Zeroizing::new(draw_32(rng));
            Seed::derive(&drawn, contribution, session.wallet)?
        };
        let key = SigningKey::from_scalar(seed.scalar()).map_err(|_| FROST)?;
        let ids = all_identifiers(self.scheme)?;
        let (mut shares, public) = keys::split(
            &key,
            u16::from(self.scheme.max_signers()),
            u16::from(self.scheme.min_signers()),
            IdentifierList::Custom(&ids),
            rng,
        )
        .map_err(|_| FROST)?;
        if public.verifying_key().serialize().ok().as_deref() != Some(&seed.public_key()) {
            return Err(Error::Bug("the dealt key is not the seed's"));
        }
        let seed_shares = seed.split(self.scheme, rng);
        let provider_seed = seed_shares
            .iter()
            .find(|(party, _)| *party == PartyIndex::PROVIDER)
            .map(|(_, share)| share.commitment(session.wallet, self.share_set));
        let mut out = Outgoing::default();
        for (party, seed_share) in seed_shares {
            let share = shares.remove(&identifier(party)?).ok_or(FROST)?;
            if party == self.own {
                let key = KeyPackage::try_from(share).map_err(|_| FROST)?;
                let (public, seed) = (public.clone(), Some(seed_share));
                self.dealt = Some(Ed25519Share {
                    key,
                    public,
                    seed,
                    provider_seed,
                });
            } else {
                let pad = pads.get(&party).ok_or(Error::Bug("no pad for a party"))?;
                let provider_seed = provider_seed.filter(|_| party != PartyIndex::PROVIDER);
                let message = DealtMessage::pad(&share, &seed_share, pad, provider_seed)?;
                out.private.insert(party, encode(&message)?);
            }
        }
        Ok(out)
    }

    /// Steps 1.10 and 1.12: a receiver opens and verifies its part.
    fn receive(&self, part: &Incoming, pad: Option<&DealPad>) -> Result<Ed25519Share, Error> {
        let message: DealtMessage = decode_from(DEALER, "dealt share", &part.private)?;
        let pad = pad.ok_or(Error::Bug("no pad for the dealer"))?;
        message.open(self.scheme, self.own, pad)
    }
}

impl DealtMessage {
    fn pad(
        share: &SecretShare,
        seed: &SeedShare,
        pad: &DealPad,
        provider_seed: Option<[u8; 32]>,
    ) -> Result<Self, Error> {
        const LENGTH: Error = Error::Bug("FROST encoded a share in other than 32 bytes");
        let commitment = share.commitment().serialize().map_err(|_| LENGTH)?;
        let commitment = commitment
            .into_iter()
            .map(|point| point.try_into().map_err(|_| LENGTH))
            .collect::<Result<_, _>>()?;
        let key = Zeroizing::new(share.signing_share().serialize());
        let key: Zeroizing<[u8; 32]> =
            Zeroizing::new(key.as_slice().try_into().map_err(|_| LENGTH)?);
        let (first, second) = halves(pad);
        let padded = (xor(&key, first), xor(&seed.0, second));
        Ok(Self {
            commitment,
            padded,
            provider_seed,
        })
    }

    fn open(
        &self,
        scheme: ThresholdSignatureScheme,
        own: PartyIndex,
        pad: &DealPad,
    ) -> Result<Ed25519Share, Error> {
        let refused = |what| Error::Refused { from: DEALER, what };
        if self.commitment.len() != usize::from(scheme.min_signers()) {
            return Err(refused("polynomial of another degree"));
        }
        if self.provider_seed.is_some() == (own == PartyIndex::PROVIDER) {
            return Err(refused("seed commitment for the wrong party"));
        }
        let commitment = VerifiableSecretSharingCommitment::deserialize(&self.commitment)
            .map_err(|_| refused("malformed polynomial commitment"))?;
        let (first, second) = halves(pad);
        let key = Zeroizing::new(xor(&self.padded.0, first));
        let key = SigningShare::deserialize(key.as_slice())
            .map_err(|_| refused("key share out of range"))?;
        let public = PublicKeyPackage::from_commitment(
            &all_identifiers(scheme)?
                .into_iter()
                .collect::<BTreeSet<_>>(),
            &commitment,
        )
        .map_err(|_| refused("trivial public key"))?;
        // The verification of the polynomial commitment (RFC 9591, C.2).
        let key = KeyPackage::try_from(SecretShare::new(identifier(own)?, key, commitment))
            .map_err(|_| refused("key share off the polynomial"))?;
        let seed = Some(SeedShare(xor(&self.padded.1, second)));
        Ok(Ed25519Share {
            key,
            public,
            seed,
            provider_seed: self.provider_seed,
        })
    }
}

fn all_identifiers(
    scheme: ThresholdSignatureScheme,
) -> Result<Vec<frost_ed25519::Identifier>, Error> {
    PartyIndex::all(scheme)
        .iter()
        .map(|party| identifier(*party))
        .collect()
}

fn halves(pad: &DealPad) -> (&[u8], &[u8]) {
    pad.split_at(32)
}

fn xor(value: &[u8; 32], pad: &[u8]) -> [u8; 32] {
    let mut out = *value;
    out.iter_mut().zip(pad).for_each(|(byte, pad)| *byte ^= pad);
    out
}

impl Engine for Deal {
    fn open(&mut self, _rng: &mut BoxRng) -> Result<Outgoing, Error> {
        Ok(Outgoing::default())
    }

    fn reply(
        &mut self,
        _session: &Session,
        _received: AllIncoming,
        rng: &mut BoxRng,
    ) -> Result<Outgoing, Error> {
        Ok(Outgoing {
            public: draw_32(rng).to_vec(),
            ..Outgoing::default()
        })
    }

    fn answer(
        &mut self,
        session: &Session,
        mut received: AllIncoming,
        pads: &BTreeMap<PartyIndex, DealPad>,
        rng: &mut BoxRng,
    ) -> Result<Outgoing, Error> {
        let from = PartyIndex::PROVIDER;
        let part = part_of(&mut received, from)?;
        let contribution: [u8; 32] =
            part.public
                .as_slice()
                .try_into()
                .map_err(|_| Error::Refused {
                    from,
                    what: "contribution length",
                })?;
        if self.own == DEALER {
            self.deal(session, &contribution, pads, rng)
        } else {
            Ok(Outgoing::default())
        }
    }

    fn conclude(
        &mut self,
        _session: &Session,
        mut received: AllIncoming,
        pads: &BTreeMap<PartyIndex, DealPad>,
    ) -> Result<(Outgoing, KeyMaterial), Error> {
        let part = part_of(&mut received, DEALER)?;
        let share = self.receive(&part, pads.get(&DEALER))?;
        Ok((Outgoing::default(), KeyMaterial::Ed25519(share)))
    }

    fn finish(
        &mut self,
        _session: &Session,
        mut received: AllIncoming,
        pads: &BTreeMap<PartyIndex, DealPad>,
    ) -> Result<KeyMaterial, Error> {
        let share = match self.dealt.take() {
            Some(share) => share,
            None => self.receive(&part_of(&mut received, DEALER)?, pads.get(&DEALER))?,
        };
        Ok(KeyMaterial::Ed25519(share))
    }
}

#[cfg(test)]
mod tests {
    use halfkey_core::KeyType;

    use super::*;
    use crate::simulate::{Parties, to_end};
    use crate::{KeyShare, Keygen, test_shares};

    fn parties(scheme: ThresholdSignatureScheme) -> Parties<KeyShare> {
        let params = test_shares::params(KeyType::Ed25519Exportable, scheme).unwrap();
        let identity = test_shares::identity();
        let wallet = test_shares::wallet(KeyType::Ed25519Exportable, scheme);
        let rng = rand_core::OsRng;
        let provider = Keygen::provider(params.clone(), wallet, &identity, rng).unwrap();
        let mut parties: Parties<KeyShare> = Parties::new();
        parties.insert(PartyIndex::PROVIDER, Box::new(provider));
        for party in PartyIndex::customers(scheme) {
            let pinned = identity.verifying_key();
            let customer = Keygen::customer(params.clone(), *party, &pinned, rng).unwrap();
            parties.insert(*party, Box::new(customer));
        }
        parties
    }

    fn secrets(share: &KeyShare) -> (Vec<u8>, [u8; 32], Option<[u8; 32]>) {
        let KeyMaterial::Ed25519(share) = share.material() else {
            panic!("FROST")
        };
        let seed = share.seed.as_ref().unwrap().0;
        (
            share.key.signing_share().serialize(),
            seed,
            share.provider_seed,
        )
    }

    #[test]
    fn no_dealt_secret_crosses_in_the_clear() {
        for scheme in [
            ThresholdSignatureScheme::TwoOfTwo,
            ThresholdSignatureScheme::TwoOfThree,
        ] {
            let run = to_end(parties(scheme));
            for share in run.results.into_values() {
                let (key, seed, _) = secrets(&share.unwrap());
                for message in &run.sent {
                    let crosses = |secret: &[u8]| message.body.0.windows(32).any(|w| w == secret);
                    assert!(!crosses(&key) && !crosses(&seed));
                }
            }
        }
    }

    #[test]
    fn the_provider_holds_one_seed_share_and_customers_can_tell_a_wrong_one() {
        let shares = to_end(parties(ThresholdSignatureScheme::TwoOfTwo)).results;
        let header = shares[&PartyIndex::PROVIDER]
            .as_ref()
            .unwrap()
            .header()
            .clone();
        let provider = secrets(shares[&PartyIndex::PROVIDER].as_ref().unwrap());
        let customer = secrets(shares[&PartyIndex::CUSTOMER_1].as_ref().unwrap());
        assert_eq!(provider.2, None);
        let commitment = SeedShare(provider.1).commitment(header.wallet, header.share_set);
        assert_eq!(customer.2, Some(commitment));

        // Both shares together, and only both, are the seed of the wallet's key.
        let seed: Vec<u8> = provider
            .1
            .iter()
            .zip(customer.1)
            .map(|(a, b)| a ^ b)
            .collect();
        let seed: [u8; 32] = seed.try_into().unwrap();
        let key = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
        assert_eq!(header.group_public_key, key.as_bytes());
        let alone = ed25519_dalek::SigningKey::from_bytes(&provider.1).verifying_key();
        assert_ne!(header.group_public_key, alone.as_bytes());
    }
}
