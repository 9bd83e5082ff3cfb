//! The secret part of an Ed25519 share, in memory and as bytes.

use std::collections::BTreeMap;

use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::traits::IsIdentity as _;
use curve25519_dalek::{EdwardsPoint, Scalar};
use frost_ed25519::keys::{KeyPackage, PublicKeyPackage, SigningShare, VerifyingShare};
use frost_ed25519::{Identifier, VerifyingKey};
use halfkey_core::{PartyIndex, ThresholdSignatureScheme};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::Error;
use crate::codec::{decode, encode};
use crate::ed25519::identifier;
use crate::ed25519::seed::SeedShare;
use crate::error::ShareError;

/// One party's FROST share, with its part of the seed where the key was dealt from one.
pub(crate) struct Ed25519Share {
    pub(crate) key: KeyPackage,
    pub(crate) public: PublicKeyPackage,
    pub(crate) seed: Option<SeedShare>,
    /// The customers' hash of the provider's seed share.
    pub(crate) provider_seed: Option<[u8; 32]>,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Stored {
    signing_share: [u8; 32],
    #[zeroize(skip)]
    verifying_key: [u8; 32],
    #[zeroize(skip)]
    verifying_shares: BTreeMap<u8, [u8; 32]>,
    seed: Option<[u8; 32]>,
    #[zeroize(skip)]
    provider_seed: Option<[u8; 32]>,
}

const LENGTH: Error = Error::Bug("FROST encoded an element in other than 32 bytes");

impl Ed25519Share {
    /// The group public key (RFC 8032 form).
    pub(crate) fn public_key(&self) -> Result<[u8; 32], Error> {
        to_32(self.public.verifying_key().serialize())
    }

    /// Every party's public share.
    pub(crate) fn verifying_shares(
        &self,
        scheme: ThresholdSignatureScheme,
    ) -> Result<BTreeMap<PartyIndex, [u8; 32]>, Error> {
        let mut shares = BTreeMap::new();
        for party in PartyIndex::all(scheme) {
            let share = self.public.verifying_shares().get(&identifier(*party)?);
            let share = share.ok_or(Error::Bug("no verifying share"))?;
            shares.insert(*party, to_32(share.serialize())?);
        }
        Ok(shares)
    }

    /// The secret part as bytes.
    pub(crate) fn encode(
        &self,
        scheme: ThresholdSignatureScheme,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let signing_share = Zeroizing::new(self.key.signing_share().serialize());
        let shares = self.verifying_shares(scheme)?;
        encode(&Stored {
            signing_share: signing_share.as_slice().try_into().map_err(|_| LENGTH)?,
            verifying_key: self.public_key()?,
            verifying_shares: shares
                .into_iter()
                .map(|(p, share)| (p.as_u8(), share))
                .collect(),
            seed: self.seed.as_ref().map(|share| share.0),
            provider_seed: self.provider_seed,
        })
    }

    /// Reads the secret part of `own`'s share under `scheme`.
    pub(crate) fn decode(
        bytes: &[u8],
        scheme: ThresholdSignatureScheme,
        own: PartyIndex,
    ) -> Result<Self, ShareError> {
        let stored: Stored = decode(bytes).ok_or(ShareError::Damaged)?;
        stored.to_share(scheme, own).ok_or(ShareError::Damaged)
    }
}

impl Stored {
    fn to_share(&self, scheme: ThresholdSignatureScheme, own: PartyIndex) -> Option<Ed25519Share> {
        let expected = PartyIndex::all(scheme).iter().map(|party| party.as_u8());
        if !self.verifying_shares.keys().copied().eq(expected) {
            return None;
        }
        let signing_share = SigningShare::deserialize(&self.signing_share).ok()?;
        let scalar = Zeroizing::new(Option::<Scalar>::from(Scalar::from_canonical_bytes(
            self.signing_share,
        ))?);
        let own_point = EdwardsPoint::mul_base(&scalar);
        if self.verifying_shares.get(&own.as_u8()) != Some(&own_point.compress().to_bytes()) {
            return None;
        }
        let verifying_share = VerifyingShare::new(own_point);
        let verifying_key = VerifyingKey::new(own_record_point(&self.verifying_key)?);
        let mut shares: BTreeMap<Identifier, VerifyingShare> = BTreeMap::new();
        for (index, share) in &self.verifying_shares {
            let party = PartyIndex::try_from(*index).ok()?;
            let share = if party == own {
                verifying_share
            } else {
                VerifyingShare::new(own_record_point(share)?)
            };
            shares.insert(identifier(party).ok()?, share);
        }
        let own = identifier(own).ok()?;
        let min_signers = u16::from(scheme.min_signers());
        Some(Ed25519Share {
            key: KeyPackage::new(
                own,
                signing_share,
                verifying_share,
                verifying_key,
                min_signers,
            ),
            public: PublicKeyPackage::new(shares, verifying_key, Some(min_signers)),
            seed: self.seed.map(SeedShare),
            provider_seed: self.provider_seed,
        })
    }
}

/// A point of a share of ours. That it is of prime order was checked when the share was made, by
/// whoever deserialized it from a message; here, where every signature passes, that multiplication
/// would cost as much as the signature itself.
fn own_record_point(bytes: &[u8; 32]) -> Option<EdwardsPoint> {
    let point = CompressedEdwardsY(*bytes).decompress()?;
    (!point.is_identity()).then_some(point)
}

pub(crate) fn to_32(bytes: Result<Vec<u8>, frost_ed25519::Error>) -> Result<[u8; 32], Error> {
    let bytes = bytes.map_err(|_| Error::Bug("FROST element does not encode"))?;
    bytes.as_slice().try_into().map_err(|_| LENGTH)
}
