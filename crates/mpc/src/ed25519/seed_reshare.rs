//! Changing the shares of a seed without rebuilding it.

use std::collections::BTreeMap;

use halfkey_core::{PartyIndex, ThresholdSignatureScheme};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::Error;
use crate::ed25519::seed::{SeedShare, times};
use crate::keygen::engine::Session;
use crate::keygen::start::Change;
use crate::rng::{BoxRng, draw_32};
use crate::transcript::Transcript;

const MASK_DOMAIN: &[u8] = b"halfkey-seed-mask-v1";

/// What the provider adds to the mask of a refresh, so that nobody who only reads the transcript
/// knows the mask.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct MaskSecret([u8; 32]);

impl MaskSecret {
    pub(crate) fn draw(rng: &mut BoxRng) -> Self {
        Self(draw_32(rng))
    }

    pub(crate) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// What everybody is told of it beforehand.
    pub(crate) fn hash(&self) -> [u8; 32] {
        Transcript::new("halfkey-seed-mask-commitment-v1")
            .field(&self.0)
            .finish()
    }

    /// The refreshed seed share: the mask is HKDF-SHA256 over this secret, salted with the session
    /// id, which covers every party's random and the attempt (custody rule 25). Two parties: both
    /// XOR it. Three: it is the slope of a polynomial over GF(2⁸) that is zero at zero.
    pub(crate) fn apply(
        &self,
        share: &[u8; 32],
        session: &Session,
        scheme: ThresholdSignatureScheme,
        own: PartyIndex,
    ) -> Result<SeedShare, Error> {
        let mut mask = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(Some(&session.id), &self.0)
            .expand(MASK_DOMAIN, mask.as_mut())
            .map_err(|_| Error::Bug("mask length"))?;
        let mut refreshed = SeedShare(*share);
        for (byte, mask) in refreshed.0.iter_mut().zip(mask.iter()) {
            *byte ^= match scheme {
                ThresholdSignatureScheme::TwoOfTwo => *mask,
                ThresholdSignatureScheme::TwoOfThree => times(*mask, own.as_u8()),
            };
        }
        Ok(refreshed)
    }
}

/// A contributor's part of the seed: all contributors' XOR to it.
pub(crate) fn weighted(share: &SeedShare, own: PartyIndex, change: &Change) -> [u8; 32] {
    match change.from_scheme {
        ThresholdSignatureScheme::TwoOfTwo => share.0,
        ThresholdSignatureScheme::TwoOfThree => {
            let weight = lagrange(own, &change.contributors);
            share.0.map(|byte| product(byte, weight))
        }
    }
}

/// Parts of a contributor's value, one per new party.
pub(crate) fn split(
    value: &[u8; 32],
    scheme: ThresholdSignatureScheme,
    rng: &mut BoxRng,
) -> BTreeMap<PartyIndex, SeedShare> {
    let random = Zeroizing::new(draw_32(rng));
    let part = |party: PartyIndex| {
        let mut part = SeedShare([0; 32]);
        for ((to, value), random) in part.0.iter_mut().zip(value).zip(random.iter()) {
            *to = match (scheme, party) {
                (ThresholdSignatureScheme::TwoOfTwo, PartyIndex::PROVIDER) => *random,
                (ThresholdSignatureScheme::TwoOfTwo, _) => value ^ random,
                (ThresholdSignatureScheme::TwoOfThree, _) => value ^ times(*random, party.as_u8()),
            };
        }
        part
    };
    PartyIndex::all(scheme)
        .iter()
        .map(|party| (*party, part(*party)))
        .collect()
}

/// The new seed share, from everybody's parts.
pub(crate) fn join<'a>(parts: impl Iterator<Item = &'a [u8; 32]>) -> SeedShare {
    let mut sum = SeedShare([0; 32]);
    for part in parts {
        sum.0
            .iter_mut()
            .zip(part)
            .for_each(|(sum, part)| *sum ^= part);
    }
    sum
}

/// The weight of `own` at zero, in GF(2⁸). Public.
pub(crate) fn lagrange(own: PartyIndex, parties: &[PartyIndex]) -> u8 {
    let mut weight = 1;
    for other in parties.iter().filter(|party| **party != own) {
        // In this field minus is plus.
        let difference = other.as_u8() ^ own.as_u8();
        weight = product(product(weight, other.as_u8()), inverse(difference));
    }
    weight
}

/// `value · weight` in GF(2⁸) with the AES polynomial, for a public weight, without branches on
/// `value`.
pub(crate) const fn product(value: u8, weight: u8) -> u8 {
    let (mut value, mut weight, mut product) = (value, weight, 0_u8);
    while weight != 0 {
        if weight & 1 == 1 {
            product ^= value;
        }
        value = times(value, 2);
        weight >>= 1;
    }
    product
}

/// The inverse of a public value other than zero: value²⁵⁴.
const fn inverse(value: u8) -> u8 {
    let (mut power, mut result, mut exponent) = (value, 1_u8, 254_u8);
    while exponent != 0 {
        if exponent & 1 == 1 {
            result = product(result, power);
        }
        power = product(power, power);
        exponent >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverses_are_inverses() {
        for value in 1..=255 {
            assert_eq!(product(value, inverse(value)), 1, "{value}");
        }
    }

    #[test]
    fn weights_interpolate_at_zero() {
        let all = PartyIndex::all(ThresholdSignatureScheme::TwoOfThree);
        for (constant, slope) in [(0x53, 0xCA), (0, 7), (255, 0)] {
            let value = |party: PartyIndex| constant ^ product(slope, party.as_u8());
            for parties in [&all[..2], &all[1..], &[all[0], all[2]][..], all] {
                let sum = parties.iter().fold(0, |sum, party| {
                    sum ^ product(value(*party), lagrange(*party, parties))
                });
                assert_eq!(sum, constant, "{parties:?}");
            }
        }
    }
}
