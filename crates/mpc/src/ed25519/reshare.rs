//! New shares of an Ed25519 key that exists: each contributor shares its weighted old share with a
//! polynomial of its own, and what anybody receives is checked against the public shares everybody
//! has kept since keygen.
//!
//! Of an exportable key the seed shares change with it: in a refresh by one zero-sharing whose
//! slope is a hash (custody rule 25), else by sharing the weighted seed shares again.

use std::collections::{BTreeMap, BTreeSet};

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use frost_ed25519::keys::{
    KeyPackage, PublicKeyPackage, SecretShare, SigningShare, VerifiableSecretSharingCommitment,
};
use halfkey_core::wire::ChangeOperation;
use halfkey_core::{KeyType, PartyIndex, ThresholdSignatureScheme};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::Error;
use crate::channel::DealPad;
use crate::codec::{decode_from, encode};
use crate::ed25519::identifier;
use crate::ed25519::seed::SeedShare;
use crate::ed25519::seed_reshare::{self, MaskSecret};
use crate::ed25519::share::Ed25519Share;
use crate::keygen::engine::{AllIncoming, Engine, Outgoing, Session};
use crate::keygen::start::Change;
use crate::rng::BoxRng;
use crate::share::KeyMaterial;

/// A commitment to a polynomial of degree 1: its two coefficients times the base point.
type Commitment = [[u8; 32]; 2];

/// One party's part in a change.
pub(crate) struct Reshare {
    scheme: ThresholdSignatureScheme,
    own: PartyIndex,
    change: Change,
    is_exportable: bool,
    /// The old share, of a contributor.
    old: Option<OldShare>,
    /// The own polynomial, of a contributor, from the first message to the last.
    polynomial: Option<Polynomial>,
    /// What the contributors committed to, our own included.
    commitments: BTreeMap<PartyIndex, Commitment>,
    /// What was sent to us, our own part included.
    fragments: BTreeMap<PartyIndex, Fragment>,
    /// In a refresh of an exportable key: the provider's secret of the mask, and its hash.
    mask: Option<MaskSecret>,
    mask_hash: Option<[u8; 32]>,
}

/// What a contributor puts in.
#[derive(Zeroize, ZeroizeOnDrop)]
struct OldShare {
    weighted: Scalar,
    seed: Option<[u8; 32]>,
}

/// f(x) = constant + slope · x.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Polynomial {
    constant: Scalar,
    slope: Scalar,
    /// The parts of the weighted seed share, by party.
    #[zeroize(skip)]
    seed_parts: BTreeMap<PartyIndex, SeedShare>,
}

/// What a contributor says to everybody.
#[derive(Serialize, Deserialize)]
struct Public {
    commitment: Option<Commitment>,
    mask_hash: Option<[u8; 32]>,
}

/// What a contributor says to one party: its polynomial at that party's index, a part of the seed
/// or (the provider's, in a refresh) the secret of the mask.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Fragment {
    value: [u8; 32],
    seed: [u8; 32],
}

const LENGTH: Error = Error::Bug("FROST encoded an element in other than 32 bytes");

impl Reshare {
    pub(crate) fn new(
        scheme: ThresholdSignatureScheme,
        own: PartyIndex,
        change: &Change,
        key_type: KeyType,
        old: Option<&Ed25519Share>,
    ) -> Result<Self, Error> {
        let contributes = change.contributors.contains(&own);
        let old = match (contributes, old) {
            (true, Some(old)) => Some(OldShare::of(old, own, change)?),
            (true, None) => return Err(Error::Caller("this party's old share is needed")),
            (false, _) => None,
        };
        Ok(Self {
            scheme,
            own,
            change: change.clone(),
            is_exportable: key_type == KeyType::Ed25519Exportable,
            old,
            polynomial: None,
            commitments: BTreeMap::new(),
            fragments: BTreeMap::new(),
            mask: None,
            mask_hash: None,
        })
    }

    fn is_masked(&self) -> bool {
        self.is_exportable && self.change.operation == ChangeOperation::Refresh
    }

    fn contributes(&self, party: PartyIndex) -> bool {
        self.change.contributors.contains(&party)
    }

    /// Draws the own polynomial and keeps the own part of it; returns what everybody is told.
    fn commit(&mut self, rng: &mut BoxRng) -> Result<Vec<u8>, Error> {
        let Some(old) = self.old.take() else {
            let nothing = Public {
                commitment: None,
                mask_hash: None,
            };
            return Ok(encode(&nothing)?.to_vec());
        };
        let slope = random_scalar(rng);
        let commitment = [
            EdwardsPoint::mul_base(&old.weighted).compress().to_bytes(),
            EdwardsPoint::mul_base(&slope).compress().to_bytes(),
        ];
        let seed_parts = match (&old.seed, self.is_exportable && !self.is_masked()) {
            (Some(seed), true) => seed_reshare::split(seed, self.scheme, rng),
            _ => BTreeMap::new(),
        };
        if self.is_masked() && self.own == PartyIndex::PROVIDER {
            let mask = MaskSecret::draw(rng);
            self.mask_hash = Some(mask.hash());
            self.mask = Some(mask);
        }
        let polynomial = Polynomial {
            constant: old.weighted,
            slope,
            seed_parts,
        };
        self.commitments.insert(self.own, commitment);
        let mut own = polynomial.at(self.own);
        if self.is_masked() {
            // Masked in place at the end.
            own.seed = old
                .seed
                .ok_or(Error::Bug("an exportable share without a seed"))?;
        }
        self.fragments.insert(self.own, own);
        self.polynomial = Some(polynomial);
        let public = Public {
            commitment: Some(commitment),
            mask_hash: self.mask_hash,
        };
        Ok(encode(&public)?.to_vec())
    }

    /// What each of the others is told alone.
    fn private(&mut self) -> Result<BTreeMap<PartyIndex, Zeroizing<Vec<u8>>>, Error> {
        let mut private = BTreeMap::new();
        let Some(polynomial) = self.polynomial.take() else {
            return Ok(private);
        };
        for to in PartyIndex::all(self.scheme) {
            if *to != self.own {
                let mut fragment = polynomial.at(*to);
                if let Some(mask) = &self.mask {
                    fragment.seed = *mask.expose();
                }
                private.insert(*to, encode(&fragment)?);
            }
        }
        Ok(private)
    }

    /// Checks what a party told everybody: a contributor commits to exactly its weighted old share.
    fn take_public(&mut self, from: PartyIndex, bytes: &[u8]) -> Result<(), Error> {
        let refused = |what| Error::Refused { from, what };
        let public: Public = decode_from(from, "malformed commitment", bytes)?;
        let masks = self.is_masked() && from == PartyIndex::PROVIDER;
        if public.commitment.is_some() != self.contributes(from)
            || public.mask_hash.is_some() != masks
        {
            return Err(refused(
                "commitment of a party that has none, or none of one",
            ));
        }
        if masks {
            self.mask_hash = public.mask_hash;
        }
        let Some(commitment) = public.commitment else {
            return Ok(());
        };
        let old = self.change.verifying_shares.get(&from);
        let old = old.ok_or(Error::Bug("a contributor without an old public share"))?;
        let old = point(old).ok_or(Error::Bug("an old public share is no point"))?;
        #[expect(
            clippy::arithmetic_side_effects,
            reason = "group arithmetic does not overflow"
        )]
        let expected = old * lagrange(from, &self.change.contributors)?;
        let [constant, _] = &commitment;
        if *constant != expected.compress().to_bytes() {
            return Err(refused("commitment to another share than the one it holds"));
        }
        self.commitments.insert(from, commitment);
        Ok(())
    }

    /// Checks what a contributor told us alone, against what it told everybody.
    fn take_private(&mut self, from: PartyIndex, bytes: &[u8]) -> Result<(), Error> {
        let refused = |what| Error::Refused { from, what };
        if !self.contributes(from) {
            return if bytes.is_empty() {
                Ok(())
            } else {
                Err(refused("a fragment of a party that has none"))
            };
        }
        let fragment: Fragment = decode_from(from, "malformed key fragment", bytes)?;
        let commitment = self.commitments.get(&from);
        let commitment = commitment.ok_or(Error::Bug("a fragment before its commitment"))?;
        self.verified(&fragment.value, commitment)
            .ok_or(refused("key fragment off the polynomial"))?;
        if self.is_masked() && from == PartyIndex::PROVIDER {
            let mask = MaskSecret::from_bytes(fragment.seed);
            if self.mask_hash != Some(mask.hash()) {
                return Err(refused("another mask than it committed to"));
            }
            self.mask = Some(mask);
        }
        self.fragments.insert(from, fragment);
        Ok(())
    }

    /// RFC 9591, C.2, for the own index.
    fn verified(&self, value: &[u8; 32], commitment: &Commitment) -> Option<KeyPackage> {
        let id = identifier(self.own).ok()?;
        let value = SigningShare::deserialize(value).ok()?;
        let commitment = VerifiableSecretSharingCommitment::deserialize(commitment).ok()?;
        KeyPackage::try_from(SecretShare::new(id, value, commitment)).ok()
    }

    /// The sum of everything, as a share.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "fields and groups do not overflow"
    )]
    fn sum(&mut self, session: &Session) -> Result<KeyMaterial, Error> {
        const INCOMPLETE: Error = Error::Bug("a sum before all fragments");
        if !self.fragments.keys().eq(self.change.contributors.iter())
            || !self.commitments.keys().eq(self.change.contributors.iter())
        {
            return Err(INCOMPLETE);
        }
        let mut value = Zeroizing::new(Scalar::ZERO);
        for fragment in self.fragments.values() {
            *value += canonical(&fragment.value).ok_or(INCOMPLETE)?;
        }
        let mut total = [EdwardsPoint::default(); 2];
        for commitment in self.commitments.values() {
            for (sum, coefficient) in total.iter_mut().zip(commitment) {
                *sum += point(coefficient).ok_or(INCOMPLETE)?;
            }
        }
        let total = total.map(|point| point.compress().to_bytes());
        let value = Zeroizing::new(value.to_bytes());
        let key = self
            .verified(&value, &total)
            .ok_or(Error::Disagreement("the new share is off the polynomial"))?;
        let commitment =
            VerifiableSecretSharingCommitment::deserialize(total).map_err(|_| LENGTH)?;
        let ids = PartyIndex::all(self.scheme)
            .iter()
            .map(|party| identifier(*party))
            .collect::<Result<BTreeSet<_>, _>>()?;
        let public = PublicKeyPackage::from_commitment(&ids, &commitment).map_err(|_| LENGTH)?;
        let seed = self.seed(session)?;
        Ok(KeyMaterial::Ed25519(Ed25519Share {
            key,
            public,
            seed,
            // Custody rule 25: from here on the only check of a seed is its public key.
            provider_seed: None,
        }))
    }

    fn seed(&mut self, session: &Session) -> Result<Option<SeedShare>, Error> {
        if !self.is_exportable {
            return Ok(None);
        }
        if !self.is_masked() {
            let parts = self.fragments.values().map(|fragment| &fragment.seed);
            return Ok(Some(seed_reshare::join(parts)));
        }
        let own = self.fragments.get(&self.own);
        let own = own.ok_or(Error::Bug("a refresh without the own share"))?;
        let mask = self
            .mask
            .take()
            .ok_or(Error::Bug("a refresh without a mask"))?;
        mask.apply(&own.seed, session, self.scheme, self.own)
            .map(Some)
    }
}

impl OldShare {
    fn of(old: &Ed25519Share, own: PartyIndex, change: &Change) -> Result<Self, Error> {
        let bytes = Zeroizing::new(old.key.signing_share().serialize());
        let bytes: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| LENGTH)?;
        let value = Zeroizing::new(canonical(bytes).ok_or(LENGTH)?);
        #[expect(clippy::arithmetic_side_effects, reason = "a field does not overflow")]
        let weighted = lagrange(own, &change.contributors)? * *value;
        let seed = old.seed.as_ref().map(|seed| match change.operation {
            // Masked in place.
            ChangeOperation::Refresh => seed.0,
            _ => seed_reshare::weighted(seed, own, change),
        });
        Ok(Self { weighted, seed })
    }
}

impl Polynomial {
    #[expect(clippy::arithmetic_side_effects, reason = "a field does not overflow")]
    fn at(&self, party: PartyIndex) -> Fragment {
        let x = Scalar::from(party.as_u8());
        let value = Zeroizing::new(self.constant + self.slope * x);
        let seed = self.seed_parts.get(&party).map_or([0; 32], |part| part.0);
        Fragment {
            value: value.to_bytes(),
            seed,
        }
    }
}

fn random_scalar(rng: &mut BoxRng) -> Scalar {
    let mut wide = Zeroizing::new([0_u8; 64]);
    rand_core::RngCore::fill_bytes(rng, wide.as_mut());
    Scalar::from_bytes_mod_order_wide(&wide)
}

fn canonical(bytes: &[u8; 32]) -> Option<Scalar> {
    Scalar::from_canonical_bytes(*bytes).into_option()
}

fn point(bytes: &[u8]) -> Option<EdwardsPoint> {
    CompressedEdwardsY::from_slice(bytes).ok()?.decompress()
}

/// The weight of `own` when a polynomial is interpolated at zero from `parties`.
#[expect(clippy::arithmetic_side_effects, reason = "a field does not overflow")]
pub(crate) fn lagrange(own: PartyIndex, parties: &[PartyIndex]) -> Result<Scalar, Error> {
    let x = |party: PartyIndex| Scalar::from(party.as_u8());
    if !parties.contains(&own) {
        return Err(Error::Bug("a weight for a party that puts nothing in"));
    }
    let mut weight = Scalar::ONE;
    for other in parties.iter().filter(|party| **party != own) {
        weight *= x(*other) * (x(*other) - x(own)).invert();
    }
    Ok(weight)
}

impl Engine for Reshare {
    fn open(&mut self, rng: &mut BoxRng) -> Result<Outgoing, Error> {
        let public = self.commit(rng)?;
        Ok(Outgoing {
            public,
            ..Outgoing::default()
        })
    }

    fn reply(
        &mut self,
        _session: &Session,
        received: AllIncoming,
        rng: &mut BoxRng,
    ) -> Result<Outgoing, Error> {
        for (from, part) in received {
            self.take_public(from, &part.public)?;
        }
        let public = self.commit(rng)?;
        let private = self.private()?;
        Ok(Outgoing { public, private })
    }

    fn answer(
        &mut self,
        _session: &Session,
        received: AllIncoming,
        pads: &BTreeMap<PartyIndex, DealPad>,
        _rng: &mut BoxRng,
    ) -> Result<Outgoing, Error> {
        for (from, part) in received {
            self.take_public(from, &part.public)?;
            if from == PartyIndex::PROVIDER {
                self.take_private(from, &part.private)?;
            }
        }
        let mut private = self.private()?;
        // Between the customer's parties nothing leaves the process; what is for the provider is
        // read by nobody on the way.
        if let Some(fragment) = private.get_mut(&PartyIndex::PROVIDER) {
            pad(fragment, pads.get(&PartyIndex::PROVIDER))?;
        }
        Ok(Outgoing {
            public: Vec::new(),
            private,
        })
    }

    fn conclude(
        &mut self,
        session: &Session,
        received: AllIncoming,
        pads: &BTreeMap<PartyIndex, DealPad>,
    ) -> Result<(Outgoing, KeyMaterial), Error> {
        for (from, mut part) in received {
            pad(&mut part.private, pads.get(&from))?;
            self.take_private(from, &part.private)?;
        }
        Ok((Outgoing::default(), self.sum(session)?))
    }

    fn finish(
        &mut self,
        session: &Session,
        received: AllIncoming,
        _pads: &BTreeMap<PartyIndex, DealPad>,
    ) -> Result<KeyMaterial, Error> {
        for (from, part) in received {
            if from != PartyIndex::PROVIDER {
                self.take_private(from, &part.private)?;
            }
        }
        self.sum(session)
    }
}

/// Pads or unpads what a customer says to the provider in message 3. Each pair's pad is used once.
fn pad(bytes: &mut [u8], pad: Option<&DealPad>) -> Result<(), Error> {
    let pad = pad.ok_or(Error::Bug("no pad for a party"))?;
    if bytes.len() > pad.len() {
        // A longer one is malformed and is refused as such.
        return Ok(());
    }
    bytes
        .iter_mut()
        .zip(pad.iter())
        .for_each(|(byte, pad)| *byte ^= pad);
    Ok(())
}
