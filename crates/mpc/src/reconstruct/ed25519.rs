//! A whole Ed25519 key.

use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
use ed25519_dalek::{SigningKey, VerifyingKey};
use halfkey_core::{Signature, ThresholdSignatureScheme};
use sha2::{Digest as _, Sha512};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::Part;
use crate::ed25519::reshare::lagrange;
use crate::ed25519::seed_reshare;
use crate::{Error, ShareHeader};

/// The scalar, and the seed behind it where there is one.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Root {
    scalar: Scalar,
    seed: Option<[u8; 32]>,
    #[zeroize(skip)]
    public: [u8; 32],
}

fn scalar(bytes: &[u8; 32]) -> Option<Scalar> {
    Scalar::from_canonical_bytes(*bytes).into_option()
}

impl Root {
    #[expect(clippy::arithmetic_side_effects, reason = "a field does not overflow")]
    pub(super) fn rebuild(
        header: &ShareHeader,
        own: &Part,
        other: &Part,
        public: &[u8],
    ) -> Result<Self, Error> {
        let refused = Error::Refused {
            from: other.party,
            what: "not the share it holds",
        };
        let theirs = Zeroizing::new(scalar(&other.scalar).ok_or(refused.clone())?);
        if EdwardsPoint::mul_base(&theirs).compress().as_bytes() != public {
            return Err(refused);
        }
        let ours = Zeroizing::new(scalar(&own.scalar).ok_or(Error::Bug("own share"))?);
        let pair = [own.party, other.party];
        let whole = lagrange(own.party, &pair)? * *ours + lagrange(other.party, &pair)? * *theirs;
        let key = EdwardsPoint::mul_base(&whole).compress().to_bytes();
        let mut root = Self {
            scalar: whole,
            seed: None,
            public: key,
        };
        if key.as_slice() != header.group_public_key {
            return Err(Error::Disagreement("the shares make another key"));
        }
        if let (Some(ours), Some(theirs)) = (&own.seed, &other.seed) {
            let seed = Zeroizing::new(join(header.scheme, (own, ours), (other, theirs)));
            // Custody rule 25: its public key is all there is to check a seed by. Without a seed
            // the scalar is exported.
            if SigningKey::from_bytes(&seed).verifying_key().to_bytes() == key {
                root.seed = Some(*seed);
            }
        }
        Ok(root)
    }

    pub(super) fn seed(&self) -> Option<Zeroizing<[u8; 32]>> {
        self.seed.map(Zeroizing::new)
    }

    pub(super) fn expanded(&self) -> Zeroizing<[u8; 64]> {
        let hash = if let Some(seed) = &self.seed {
            Sha512::new_with_prefix(seed)
        } else {
            Sha512::new_with_prefix(b"halfkey-ed25519-prefix-v1")
                .chain_update(self.scalar.as_bytes())
        };
        let prefix = Zeroizing::new(<[u8; 64]>::from(hash.finalize()));
        let mut expanded = Zeroizing::new([0; 64]);
        let secret = self.scalar.as_bytes().iter().chain(prefix.iter().skip(32));
        expanded
            .iter_mut()
            .zip(secret)
            .for_each(|(to, from)| *to = *from);
        expanded
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Signature, Error> {
        const FAILED: Error = Error::Bug("a whole key does not sign");
        let public = VerifyingKey::from_bytes(&self.public).map_err(|_| FAILED)?;
        let expanded = self.expanded();
        let (_, prefix) = expanded.split_at(32);
        let key = ExpandedSecretKey {
            scalar: self.scalar,
            hash_prefix: prefix.try_into().map_err(|_| FAILED)?,
        };
        let signature = raw_sign::<Sha512>(&key, message, &public);
        public
            .verify_strict(message, &signature)
            .map_err(|_| FAILED)?;
        Ok(Signature::Ed25519(signature.to_bytes()))
    }
}

fn join(
    scheme: ThresholdSignatureScheme,
    (own, ours): (&Part, &[u8; 32]),
    (other, theirs): (&Part, &[u8; 32]),
) -> [u8; 32] {
    let pair = [own.party, other.party];
    let weight = |party| match scheme {
        ThresholdSignatureScheme::TwoOfTwo => 1,
        ThresholdSignatureScheme::TwoOfThree => seed_reshare::lagrange(party, &pair),
    };
    let (a, b) = (weight(own.party), weight(other.party));
    let mut seed = [0; 32];
    for ((byte, ours), theirs) in seed.iter_mut().zip(ours).zip(theirs) {
        *byte = seed_reshare::product(*ours, a) ^ seed_reshare::product(*theirs, b);
    }
    seed
}
