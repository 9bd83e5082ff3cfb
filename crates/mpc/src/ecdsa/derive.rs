//! The wallet's account key: the root's non-hardened BIP-32 child at the registered path.

use dkls23_core::protocols::derivation::DerivData;
use halfkey_core::DerivationPath;
use k256::elliptic_curve::group::Group as _;
use k256::{ProjectivePoint, Secp256k1};

use crate::Error;

/// Derives along `path`. Every party shifts its share by the same public tweaks, so that the joint
/// key becomes the child key.
///
/// The tweaks are the engine's; the sums are made here, because every signature pays for them and
/// the engine multiplies its generator as it would any point, without the curve's tables.
///
/// # Errors
/// [`Error::Caller`] for the roughly one path in 2¹²⁷ that BIP-32 skips, and for a hardened index.
pub(crate) fn derive(
    root: &DerivData<Secp256k1>,
    path: &DerivationPath,
) -> Result<DerivData<Secp256k1>, Error> {
    path.indices()
        .iter()
        .try_fold(root.clone(), |parent, index| child(&parent, *index))
}

/// One non-hardened step (BIP-32 `CKDpub`; the share moves along).
#[expect(
    clippy::arithmetic_side_effects,
    reason = "field and group arithmetic does not overflow"
)]
fn child(parent: &DerivData<Secp256k1>, index: u32) -> Result<DerivData<Secp256k1>, Error> {
    const NO_KEY: Error = Error::Caller("the derivation path has no key (BIP-32)");
    const HARDENED: u32 = 1 << 31;
    let depth = parent.depth.checked_add(1).ok_or(NO_KEY)?;
    if index >= HARDENED {
        return Err(NO_KEY);
    }
    let (tweak, chain_code, parent_fingerprint) = parent.child_tweak(index).map_err(|_| NO_KEY)?;
    let pk = ProjectivePoint::mul_by_generator(&tweak) + parent.pk;
    if bool::from(pk.is_identity()) {
        return Err(NO_KEY);
    }
    Ok(DerivData {
        depth,
        child_number: index,
        parent_fingerprint,
        poly_point: parent.poly_point + tweak,
        pk: pk.to_affine(),
        chain_code,
    })
}

#[cfg(test)]
mod tests {
    use halfkey_core::{KeyType, PartyIndex, ThresholdSignatureScheme};
    use hmac::{Hmac, Mac};
    use k256::elliptic_curve::PrimeField;
    use k256::elliptic_curve::group::GroupEncoding;
    use k256::{AffinePoint, ProjectivePoint, Scalar};
    use sha2::Sha512;

    use super::*;
    use crate::share::KeyMaterial;
    use crate::test_shares;

    fn parent(public_key: &str, chain_code: &str) -> DerivData<Secp256k1> {
        let bytes: [u8; 33] = hex::decode(public_key).unwrap().try_into().unwrap();
        DerivData {
            depth: 0,
            child_number: 0,
            parent_fingerprint: [0; 4],
            poly_point: Scalar::ONE,
            pk: AffinePoint::from_bytes(&bytes.into()).unwrap(),
            chain_code: hex::decode(chain_code).unwrap().try_into().unwrap(),
        }
    }

    /// The non-hardened steps of BIP-32's test vectors 1 and 2.
    #[test]
    fn bip_32_vectors() {
        let vectors = [
            (
                "035a784662a4a20a65bf6aab9ae98a6c068a81c52e4b032c0fb5400c706cfccc56",
                "47fdacbd0f1097043b78c63c20c34ef4ed9a111d980047ad16282c7ae6236141",
                "m/1",
                "03501e454bf00751f24b1b489aa925215d66af2234e3891c3b21a52bedb3cd711c",
                "2a7857631386ba23dacac34180dd1983734e444fdbf774041578e9b6adb37c19",
            ),
            (
                "0357bfe1e341d01c69fe5654309956cbea516822fba8a601743a012a7896ee8dc2",
                "04466b9cc8e161e966409ca52986c584f07e9dc81f735db683c3ff6ec7b1503f",
                "m/2/1000000000",
                "022a471424da5e657499d1ff51cb43c47481a03b1e77f951fe64cec9f5a48f7011",
                "c783e67b921d2beb8f6b389cc646d7263b4145701dadd2161548a8b078e65e9e",
            ),
            (
                "03cbcaa9c98c877a26977d00825c956a238e8dddfbd322cce4f74b0b5bd6ace4a7",
                "60499f801b896d83179a4374aeb7822aaeaceaa0db1f85ee3e904c4defbd9689",
                "m/0",
                "02fc9e5af0ac8d9b3cecfe2a888e2117ba3d089d8585886c9c826b6b22a98d12ea",
                "f0909affaa7ee7abe5dd4e100598d4dc53cd709d5a5c2cac40e7412f232f7c9c",
            ),
        ];
        for (public_key, chain_code, path, child_key, child_chain_code) in vectors {
            let child = derive(&parent(public_key, chain_code), &path.parse().unwrap()).unwrap();
            assert_eq!(hex::encode(child.pk.to_bytes()), child_key, "{path}");
            assert_eq!(hex::encode(child.chain_code), child_chain_code, "{path}");
        }
    }

    fn ecdsa(scheme: ThresholdSignatureScheme, party: PartyIndex) -> crate::KeyShare {
        test_shares::load(KeyType::EcdsaSecp256k1, scheme, party).unwrap()
    }

    fn root_scalar(share: &crate::KeyShare) -> Scalar {
        let KeyMaterial::Ecdsa(share) = share.material() else {
            panic!("ECDSA")
        };
        share.root().poly_point
    }

    /// Rebuilds the whole root key from two shares and derives privately, by code of its own.
    #[test]
    fn the_account_key_is_the_private_derivation_of_the_rebuilt_root() {
        for (scheme, two) in [
            (ThresholdSignatureScheme::TwoOfTwo, PartyIndex::CUSTOMER_1),
            (ThresholdSignatureScheme::TwoOfThree, PartyIndex::CUSTOMER_2),
        ] {
            let shares = [ecdsa(scheme, PartyIndex::PROVIDER), ecdsa(scheme, two)];
            let [x1, x2] = [1, u64::from(two.as_u8())].map(Scalar::from);
            let [y1, y2] = shares.each_ref().map(root_scalar);
            let slope = (y2 - y1) * (x2 - x1).invert().unwrap();
            let mut key = y1 - slope * x1;
            let root = (ProjectivePoint::GENERATOR * key).to_affine();
            assert_eq!(
                shares[0].header().group_public_key,
                root.to_bytes().to_vec()
            );

            let mut chain_code = shares[0].material().chain_code().to_vec();
            for index in [44_u32, 60, 0, 0, 0] {
                let public = (ProjectivePoint::GENERATOR * key).to_affine().to_bytes();
                let mut mac = Hmac::<Sha512>::new_from_slice(&chain_code).unwrap();
                mac.update(&public);
                mac.update(&index.to_be_bytes());
                let hash = mac.finalize().into_bytes();
                let tweak: [u8; 32] = hash[..32].try_into().unwrap();
                key += Scalar::from_repr(tweak.into()).unwrap();
                chain_code = hash[32..].to_vec();
            }
            let account = (ProjectivePoint::GENERATOR * key).to_affine().to_bytes();
            assert_eq!(shares[0].account_public_key(), account.as_slice());
            assert_eq!(shares[1].account_public_key(), account.as_slice());
        }
    }

    /// Field for field what the engine itself derives.
    #[test]
    fn a_child_is_the_engines() {
        let mut ours = parent(
            "035a784662a4a20a65bf6aab9ae98a6c068a81c52e4b032c0fb5400c706cfccc56",
            "47fdacbd0f1097043b78c63c20c34ef4ed9a111d980047ad16282c7ae6236141",
        );
        for index in [44, 60, 0, 0, 7, (1 << 31) - 1] {
            let theirs = ours.derive_child(index).unwrap();
            ours = child(&ours, index).unwrap();
            assert_eq!(ours.depth, theirs.depth);
            assert_eq!(ours.child_number, theirs.child_number);
            assert_eq!(ours.parent_fingerprint, theirs.parent_fingerprint);
            assert_eq!(ours.poly_point, theirs.poly_point);
            assert_eq!(ours.pk, theirs.pk);
            assert_eq!(ours.chain_code, theirs.chain_code);
        }
        assert!(ours.derive_child(1 << 31).is_err() && child(&ours, 1 << 31).is_err());
    }

    #[test]
    fn the_root_signs_under_the_empty_path() {
        let root = parent(
            "03cbcaa9c98c877a26977d00825c956a238e8dddfbd322cce4f74b0b5bd6ace4a7",
            "60499f801b896d83179a4374aeb7822aaeaceaa0db1f85ee3e904c4defbd9689",
        );
        assert_eq!(derive(&root, &"m".parse().unwrap()).unwrap().pk, root.pk);
    }
}
