//! Polynomials with a constant term of ours: how a key that exists goes through keygen.

use dkls23_core::protocols::derivation::DerivData;
use halfkey_core::PartyIndex;
use k256::elliptic_curve::PrimeField as _;
use k256::elliptic_curve::group::GroupEncoding as _;
use k256::{ProjectivePoint, Scalar, Secp256k1};
use zeroize::Zeroizing;

use crate::Error;

/// What one party's polynomial starts with, and the chain code that goes with the key.
pub(crate) struct Constant {
    term: Zeroizing<Scalar>,
    pub(crate) chain_code: [u8; 32],
}

impl Constant {
    /// Of a party that puts nothing in.
    pub(crate) fn zero(chain_code: &[u8]) -> Result<Self, Error> {
        Self::new(Zeroizing::new(Scalar::ZERO), chain_code)
    }

    /// Of the one party that imports a key.
    pub(crate) fn key(scalar: &[u8; 32], chain_code: &[u8]) -> Result<Self, Error> {
        Self::new(parse(scalar)?, chain_code)
    }

    /// Of one of the `contributors`: its old share, weighted for interpolation at zero.
    pub(crate) fn share(
        root: &DerivData<Secp256k1>,
        own: PartyIndex,
        contributors: &[PartyIndex],
        chain_code: &[u8],
    ) -> Result<Self, Error> {
        let weight = lagrange(own, contributors)?;
        #[expect(clippy::arithmetic_side_effects, reason = "a field does not overflow")]
        let term = Zeroizing::new(weight * root.poly_point);
        Self::new(term, chain_code)
    }

    fn new(term: Zeroizing<Scalar>, chain_code: &[u8]) -> Result<Self, Error> {
        let chain_code = chain_code
            .try_into()
            .map_err(|_| Error::Caller("a chain code has 32 bytes"))?;
        Ok(Self { term, chain_code })
    }

    /// Moves a polynomial of degree 1, given by its values at 1, 2, …, to this constant term. Its
    /// slope, which hides the term, stays.
    #[expect(clippy::arithmetic_side_effects, reason = "a field does not overflow")]
    pub(crate) fn shift(&self, values: &mut [Scalar]) -> Result<(), Error> {
        let [one, two, ..] = values else {
            return Err(Error::Bug("a polynomial of fewer than two parties"));
        };
        let drawn = Zeroizing::new(*one + *one - *two);
        let by = Zeroizing::new(*self.term - *drawn);
        for value in values {
            *value += *by;
        }
        Ok(())
    }
}

/// The weight of `own` when a polynomial is interpolated at zero from `parties`.
#[expect(clippy::arithmetic_side_effects, reason = "a field does not overflow")]
pub(crate) fn lagrange(own: PartyIndex, parties: &[PartyIndex]) -> Result<Scalar, Error> {
    let x = |party: PartyIndex| Scalar::from(u64::from(party.as_u8()));
    if !parties.contains(&own) {
        return Err(Error::Bug("a weight for a party that puts nothing in"));
    }
    let mut weight = Scalar::ONE;
    for other in parties.iter().filter(|party| **party != own) {
        let inverse = Option::<Scalar>::from((x(*other) - x(own)).invert());
        weight *= x(*other) * inverse.ok_or(Error::Bug("two parties with one index"))?;
    }
    Ok(weight)
}

/// A secret scalar from outside: 1 to n − 1.
fn parse(bytes: &[u8; 32]) -> Result<Zeroizing<Scalar>, Error> {
    let field = Zeroizing::new((*bytes).into());
    let scalar = Option::<Scalar>::from(Scalar::from_repr(*field)).map(Zeroizing::new);
    match scalar {
        Some(scalar) if *scalar != Scalar::ZERO => Ok(scalar),
        _ => Err(Error::Caller(
            "the key is zero or not below the group's order",
        )),
    }
}

/// The public key of a secret scalar from outside, SEC1 compressed.
pub(crate) fn public_key(bytes: &[u8; 32]) -> Result<Vec<u8>, Error> {
    let scalar = parse(bytes)?;
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "group arithmetic does not overflow"
    )]
    let point = ProjectivePoint::GENERATOR * *scalar;
    Ok(point.to_affine().to_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(n: u64) -> Scalar {
        Scalar::from(n)
    }

    #[test]
    fn a_shifted_polynomial_has_the_constant_and_the_old_slope() {
        // 5 + 3x at 1, 2, 3.
        let mut values = [scalar(8), scalar(11), scalar(14)];
        let constant = Constant {
            term: Zeroizing::new(scalar(40)),
            chain_code: [0; 32],
        };
        constant.shift(&mut values).unwrap();
        assert_eq!(values, [scalar(43), scalar(46), scalar(49)]);
    }

    #[test]
    fn weights_interpolate_at_zero() {
        let all = PartyIndex::all(halfkey_core::ThresholdSignatureScheme::TwoOfThree);
        // 7 + 2x at 1, 2, 3.
        let value = |party: PartyIndex| scalar(7) + scalar(2) * scalar(party.as_u8().into());
        for parties in [&all[..2], &all[1..], &[all[0], all[2]][..], all] {
            let sum = parties
                .iter()
                .map(|party| lagrange(*party, parties).unwrap() * value(*party))
                .fold(Scalar::ZERO, |sum, part| sum + part);
            assert_eq!(sum, scalar(7), "{parties:?}");
        }
        assert!(lagrange(all[2], &all[..2]).is_err());
    }

    #[test]
    fn a_key_out_of_range_is_refused() {
        let order = hex::decode("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
        let order: [u8; 32] = order.unwrap().try_into().unwrap();
        for bad in [[0; 32], order, [0xFF; 32]] {
            assert!(matches!(public_key(&bad), Err(Error::Caller(_))));
        }
        let mut one = [0; 32];
        one[31] = 1;
        assert_eq!(
            hex::encode(public_key(&one).unwrap()),
            "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
        );
    }
}
