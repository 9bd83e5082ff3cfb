//! Keygen of a standard key: FROST's distributed key generation in two round trips.

use std::collections::BTreeMap;

use frost_ed25519::Identifier;
use frost_ed25519::keys::dkg::{self, round1, round2};
use halfkey_core::{PartyIndex, ThresholdSignatureScheme};
use zeroize::Zeroizing;

use crate::Error;
use crate::channel::DealPad;
use crate::ed25519::share::Ed25519Share;
use crate::ed25519::{identifier, party_of};
use crate::keygen::engine::{AllIncoming, Engine, Outgoing, Session};
use crate::rng::BoxRng;
use crate::share::KeyMaterial;

/// One party's FROST keygen.
pub(crate) struct Dkg {
    scheme: ThresholdSignatureScheme,
    own: PartyIndex,
    first: Option<round1::SecretPackage>,
    second: Option<round2::SecretPackage>,
    firsts: BTreeMap<Identifier, round1::Package>,
    seconds: BTreeMap<Identifier, round2::Package>,
}

const EARLY: Error = Error::Bug("a FROST round ran before the one it needs");

impl Dkg {
    pub(crate) const fn new(scheme: ThresholdSignatureScheme, own: PartyIndex) -> Self {
        Self {
            scheme,
            own,
            first: None,
            second: None,
            firsts: BTreeMap::new(),
            seconds: BTreeMap::new(),
        }
    }

    /// Round 1: our polynomial's commitment, with a proof of knowledge.
    fn part1(&mut self, rng: &mut BoxRng) -> Result<Outgoing, Error> {
        let (secret, package) = dkg::part1(
            identifier(self.own)?,
            u16::from(self.scheme.max_signers()),
            u16::from(self.scheme.min_signers()),
            rng,
        )
        .map_err(|_| Error::Bug("FROST refuses the scheme"))?;
        self.first = Some(secret);
        let public = package
            .serialize()
            .map_err(|_| Error::Bug("FROST package"))?;
        Ok(Outgoing {
            public,
            ..Outgoing::default()
        })
    }

    /// Round 2: our polynomial at each other party's index, for that party only.
    fn part2(&mut self) -> Result<BTreeMap<PartyIndex, Zeroizing<Vec<u8>>>, Error> {
        let secret = self.first.take().ok_or(EARLY)?;
        let (secret, packages) =
            dkg::part2(secret, &self.firsts).map_err(|error| self.refused(&error))?;
        self.second = Some(secret);
        let mut private = BTreeMap::new();
        for (id, package) in packages {
            let to = party_of(&id, PartyIndex::all(self.scheme)).ok_or(EARLY)?;
            let package = package
                .serialize()
                .map_err(|_| Error::Bug("FROST package"))?;
            private.insert(to, Zeroizing::new(package));
        }
        Ok(private)
    }

    /// The result.
    fn part3(&mut self) -> Result<KeyMaterial, Error> {
        let secret = self.second.take().ok_or(EARLY)?;
        let (key, public) = dkg::part3(&secret, &self.firsts, &self.seconds)
            .map_err(|error| self.refused(&error))?;
        let share = Ed25519Share {
            key,
            public,
            seed: None,
            provider_seed: None,
        };
        Ok(KeyMaterial::Ed25519(share))
    }

    fn take_first(&mut self, from: PartyIndex, bytes: &[u8]) -> Result<(), Error> {
        let package = round1::Package::deserialize(bytes).map_err(|_| Error::Refused {
            from,
            what: "malformed polynomial commitment",
        })?;
        self.firsts.insert(identifier(from)?, package);
        Ok(())
    }

    fn take_second(&mut self, from: PartyIndex, bytes: &[u8]) -> Result<(), Error> {
        let package = round2::Package::deserialize(bytes).map_err(|_| Error::Refused {
            from,
            what: "malformed key fragment",
        })?;
        self.seconds.insert(identifier(from)?, package);
        Ok(())
    }

    /// FROST names the culprit of a failed proof or fragment; a polynomial of another degree is
    /// nobody's in particular.
    fn refused(&self, error: &frost_ed25519::Error) -> Error {
        let culprit = error
            .culprits()
            .first()
            .and_then(|id| party_of(id, PartyIndex::all(self.scheme)));
        match (culprit, error) {
            (Some(from), frost_ed25519::Error::InvalidProofOfKnowledge { .. }) => Error::Refused {
                from,
                what: "proof of knowledge",
            },
            (Some(from), _) => Error::Refused {
                from,
                what: "key fragment off the polynomial",
            },
            (None, _) => Error::Disagreement("the polynomials do not fit"),
        }
    }
}

impl Engine for Dkg {
    fn open(&mut self, rng: &mut BoxRng) -> Result<Outgoing, Error> {
        self.part1(rng)
    }

    fn reply(
        &mut self,
        _session: &Session,
        received: AllIncoming,
        rng: &mut BoxRng,
    ) -> Result<Outgoing, Error> {
        for (from, part) in received {
            self.take_first(from, &part.public)?;
        }
        let mut out = self.part1(rng)?;
        out.private = self.part2()?;
        Ok(out)
    }

    fn answer(
        &mut self,
        _session: &Session,
        received: AllIncoming,
        _pads: &BTreeMap<PartyIndex, DealPad>,
        _rng: &mut BoxRng,
    ) -> Result<Outgoing, Error> {
        for (from, part) in received {
            self.take_first(from, &part.public)?;
            if from == PartyIndex::PROVIDER {
                self.take_second(from, &part.private)?;
            }
        }
        Ok(Outgoing {
            public: Vec::new(),
            private: self.part2()?,
        })
    }

    fn conclude(
        &mut self,
        _session: &Session,
        received: AllIncoming,
        _pads: &BTreeMap<PartyIndex, DealPad>,
    ) -> Result<(Outgoing, KeyMaterial), Error> {
        for (from, part) in received {
            self.take_second(from, &part.private)?;
        }
        Ok((Outgoing::default(), self.part3()?))
    }

    fn finish(
        &mut self,
        _session: &Session,
        received: AllIncoming,
        _pads: &BTreeMap<PartyIndex, DealPad>,
    ) -> Result<KeyMaterial, Error> {
        for (from, part) in received {
            if from != PartyIndex::PROVIDER {
                self.take_second(from, &part.private)?;
            }
        }
        self.part3()
    }
}
