//! A whole secp256k1 root.

use dkls23_core::protocols::derivation::DerivData;
use halfkey_core::{DerivationPath, Signature};
use k256::ecdsa::SigningKey;
use k256::elliptic_curve::PrimeField as _;
use k256::elliptic_curve::group::GroupEncoding as _;
use k256::{ProjectivePoint, Scalar, Secp256k1};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use super::Part;
use crate::Error;
use crate::ecdsa::constant::lagrange;
use crate::ecdsa::derive;
use crate::ecdsa::share::EcdsaShare;

/// Version bytes of a main-net extended private key (BIP-32).
const XPRV: [u8; 4] = [0x04, 0x88, 0xAD, 0xE4];

/// The root's secret scalar and chain code.
pub(super) struct Root(DerivData<Secp256k1>);

impl Drop for Root {
    fn drop(&mut self) {
        self.0.poly_point.zeroize();
    }
}

/// A scalar, big-endian.
pub(super) fn bytes(scalar: &Scalar) -> [u8; 32] {
    scalar.to_repr().into()
}

fn scalar(bytes: &[u8; 32]) -> Option<Scalar> {
    Scalar::from_repr((*bytes).into()).into_option()
}

impl Root {
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "fields and groups do not overflow"
    )]
    pub(super) fn rebuild(
        share: &EcdsaShare,
        own: &Part,
        other: &Part,
        public: &[u8],
    ) -> Result<Self, Error> {
        let refused = Error::Refused {
            from: other.party,
            what: "not the share it holds",
        };
        let theirs = Zeroizing::new(scalar(&other.scalar).ok_or(refused.clone())?);
        if (ProjectivePoint::GENERATOR * *theirs)
            .to_affine()
            .to_bytes()
            .as_slice()
            != public
        {
            return Err(refused);
        }
        let ours = Zeroizing::new(scalar(&own.scalar).ok_or(Error::Bug("own share"))?);
        let pair = [own.party, other.party];
        let (a, b) = (lagrange(own.party, &pair)?, lagrange(other.party, &pair)?);
        let mut whole = share.root_data();
        whole.poly_point = a * *ours + b * *theirs;
        let root = Self(whole);
        if (ProjectivePoint::GENERATOR * root.0.poly_point).to_affine() == root.0.pk {
            Ok(root)
        } else {
            Err(Error::Disagreement("the shares make another key"))
        }
    }

    /// The private key at `path`.
    pub(super) fn account(&self, path: &DerivationPath) -> Result<Zeroizing<[u8; 32]>, Error> {
        let mut data = derive::derive(&self.0, path)?;
        let key = Zeroizing::new(bytes(&data.poly_point));
        data.poly_point.zeroize();
        Ok(key)
    }

    /// BIP-32 serialisation at depth 0.
    pub(super) fn xprv(&self) -> Zeroizing<String> {
        let mut payload = Zeroizing::new(Vec::with_capacity(82));
        payload.extend(XPRV);
        payload.extend([0; 9]);
        payload.extend(self.0.chain_code);
        payload.push(0);
        payload.extend(*Zeroizing::new(bytes(&self.0.poly_point)));
        let sum = Sha256::digest(Sha256::digest(&*payload));
        payload.extend(sum.iter().take(4));
        Zeroizing::new(bs58::encode(&*payload).into_string())
    }

    pub(super) fn sign(
        &self,
        path: &DerivationPath,
        digest: &[u8; 32],
    ) -> Result<Signature, Error> {
        const FAILED: Error = Error::Bug("a whole key does not sign");
        let key = self.account(path)?;
        let key = SigningKey::from_slice(&*key).map_err(|_| FAILED)?;
        let (signature, id) = key.sign_prehash_recoverable(digest);
        let found = k256::ecdsa::VerifyingKey::recover_from_prehash(digest, &signature, id);
        if found.map_err(|_| FAILED)? != *key.verifying_key() {
            return Err(FAILED);
        }
        let (r, s) = signature.split_bytes();
        Ok(Signature::Ecdsa {
            r: r.into(),
            s: s.into(),
            recovery_id: id.to_byte(),
        })
    }
}
